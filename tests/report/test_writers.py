"""Every format is read back by the library its users read it with, hostile text included."""

import json
import re
from pathlib import Path

import pandas as pd
import pysubs2
import pytest
from observations import make_observation
from praatio import textgrid
from pympi import Elan
from report_fixtures import HOSTILE, make_report, two_people

from emoreason.report import schema
from emoreason.report.emotion_report import EmotionReport
from emoreason.report.save import atomically, save, stable_id
from emoreason.report.writers import FORMATS, WRITERS
from emoreason.report.writers.text import plain
from emoreason.report.writers.tiers import Interval, _rows, tiers_of


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    report = make_report()
    paths = report.save(tmp_path_factory.mktemp("out"), formats=FORMATS)
    return report, dict(zip(FORMATS, paths, strict=True))


def test_one_folder_with_one_file_per_format(written):
    report, paths = written
    assert {path.parent.name for path in paths.values()} == {stable_id(report)}
    assert sorted(p.name for p in paths["json"].parent.iterdir()) == sorted(writer.filename for writer in WRITERS.values())
    assert EmotionReport.from_json(paths["json"].read_text("utf-8")) == report


def test_tables_agree(written):
    report, paths = written
    csv, parquet = pd.read_csv(paths["csv"]), pd.read_parquet(paths["parquet"])
    assert list(csv) == list(parquet) == list(report.frames())
    pd.testing.assert_frame_equal(csv, parquet, check_dtype=False)
    assert set(csv["input"]) == {report.source.path}


def test_openface_columns_on_request(tmp_path):
    (path,) = make_report().save(tmp_path, "csv", columns="openface")
    assert list(pd.read_csv(path))[:3] == ["frame", "face_id", "timestamp"]


@pytest.mark.parametrize("name", ["vtt", "srt"])
def test_subtitles_keep_times_and_say_who_speaks(written, name):
    report, paths = written
    text = paths[name].read_text("utf-8")
    events = pysubs2.SSAFile.from_string(text, format_=name).events
    words = [e for e in events if not e.text.startswith("[")]
    assert [(e.start, e.end) for e in words] == [(round(1000 * w.start), round(1000 * w.end)) for w in report.words.segments]
    assert [e.text[:3] for e in words] == ["p1:", "p1:", "p2:", "p2:"]
    assert text.count("-->") == len(events)  # no text can pass for a cue's times
    assert not re.search(r"<(script|img)", text)
    assert [e.text for e in events if e.text.startswith("[")] == ["[p1 neutral 32%]", "[no verdict]"]


def test_elan_has_a_tier_per_person_and_unit(written):
    report, paths = written
    document = Elan.Eaf(str(paths["eaf"]))
    smile = document.get_annotation_data_for_tier("p1 AU12 lip corner puller")
    assert sorted(smile) == [(1800, 4900, "strong 0.86"), (9000, 10200, "slight 0.40")]
    assert sorted(document.get_annotation_data_for_tier("p2 speaking")) == [(6000, 9000, "speaking")]
    texts = [text for _, _, text in sorted(document.get_annotation_data_for_tier("words"))]
    assert texts == [plain(w.text) for w in report.words.segments]
    assert document.get_parameters_for_tier("p2 emotion")["PARTICIPANT"] == "p2"
    assert len(document.get_annotation_data_for_tier("claims 2")) and "default" not in document.get_tier_names()


def test_textgrid_says_the_same_as_elan(written):
    report, paths = written
    grid = textgrid.openTextgrid(str(paths["textgrid"]), includeEmptyIntervals=False)
    document = Elan.Eaf(str(paths["eaf"]))
    assert list(grid.tierNames) == list(document.get_tier_names())
    for name in grid.tierNames:
        spans = [(round(1000 * e.start), round(1000 * e.end), e.label) for e in grid.getTier(name).entries]
        assert spans == sorted(document.get_annotation_data_for_tier(name))
    assert grid.maxTimestamp == report.source.duration_s


@pytest.mark.parametrize(
    "observation",
    [
        make_observation(0.0, people=[]),
        make_observation(5.0, people=[]),
        make_observation(5.0, has_video=False, voice={"pitch": (200.0, "typical")}, words=[(4.0, 9.0, HOSTILE[3])]),
        make_observation(2.0, people=[{"au": {"AU12": [(1.0, 1.0, 1.0, 0.4, "left")]}, "speaking": [(0.5, 0.5), (3.0, 2.0)]}]),
    ],
    ids=["picture", "nobody", "sound only, words past the end", "without length"],
)
def test_every_format_takes_poor_input(observation, tmp_path):
    paths = make_report(observation, abstained=True).save(tmp_path, FORMATS)
    assert all(path.stat().st_size for path in paths)
    textgrid.openTextgrid(str(paths[FORMATS.index("textgrid")]), includeEmptyIntervals=True)
    Elan.Eaf(str(paths[FORMATS.index("eaf")]))


def test_overlaps_go_to_further_rows_and_touching_spans_stay():
    spans = [Interval(0, 2, "a"), Interval(1.99, 3, "b"), Interval(2.5, 4, "c"), Interval(2.6, 2.6, "d"), Interval(9, 99, "e")]
    rows = list(_rows("x", None, spans, 10.0))
    assert [[i.text for i in row.intervals] for row in rows] == [["a", "b", "e"], ["c"], ["d"]]
    assert [row.name for row in rows] == ["x", "x 2", "x 3"]
    assert rows[0].intervals[0].end_s == 1.99 and rows[0].intervals[2].end_s == 10.0
    assert all(i.end_s > i.start_s for row in rows for i in row.intervals)


def test_nothing_is_lost_in_tiers():
    report = make_report()
    texts = [i.text for tier in tiers_of(report) for i in tier.intervals]
    for claim in report.explanation.claims:
        assert f"{claim.verdict}: {claim.text}" in texts


def test_a_course_has_a_tier():
    report = make_report()
    course = [schema.EmotionSpan(start_s=0, end_s=6, emotion="fear", confidence=0.5)]
    person = report.people[1].model_copy(update={"course": course})
    tiers = {tier.name: tier for tier in tiers_of(report.model_copy(update={"people": [report.people[0], person]}))}
    assert tiers["p2 course"].intervals == (Interval(0, 6, "fear"),) and "p1 course" not in tiers


def test_unknown_formats_and_columns_are_refused_before_anything_is_written(tmp_path):
    report = make_report()
    with pytest.raises(ValueError, match="'docx'.*json, csv"):
        report.save(tmp_path, ["json", "docx"])
    with pytest.raises(ValueError, match="pyfeat"):
        report.save(tmp_path, ["json"], columns="x")
    with pytest.raises(ValueError, match="no measurements"):
        EmotionReport.from_json(report.to_json()).save(tmp_path, ["json", "csv"])
    assert list(tmp_path.iterdir()) == []


def test_a_report_read_from_json_still_makes_everything_but_tables(tmp_path):
    report = EmotionReport.from_json(make_report().to_json())
    assert len(report.save(tmp_path, [name for name in FORMATS if not WRITERS[name].measured])) == 6


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomically(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("killed")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("path", "slug"),
    [
        ("/a/talk 1.mp4", "talk-1"),
        ("/a/../etc/..mp4", "clip"),
        ("/a/.hidden", "hidden"),
        ("/a/采访 второй हिन्दी.mp4", "采访-второй-हिन्दी"),
        ("/a/a\\b:c*?\u202e\n.mp4", "a-b-c"),
        ("/a/" + "x" * 240 + ".mp4", "x" * 120),
        ("/a/" + "ह" * 80 + ".mp4", "ह" * 40),
        ("/a/???.mp4", "clip"),
    ],
)
def test_folder_names_are_safe_and_readable(path, slug):
    name = stable_id(_report_of(path))
    assert name[:-9] == slug and re.fullmatch("-[0-9a-f]{8}", name[-9:]) and Path(name).name == name


def test_folder_names_tell_files_apart():
    ids = {stable_id(_report_of(path, sha)) for path in ("/a/x.mp4", "/b/x.mp4", "/b/x.mov") for sha in ("1" * 64, "2" * 64)}
    assert len(ids) == 6 and stable_id(_report_of("/a/b/../x.mp4")) == stable_id(_report_of("/a/x.mp4"))


def test_saving_twice_gives_the_same_bytes(tmp_path):
    names = [name for name in FORMATS if name != "eaf"]  # ELAN's format carries the time of writing
    first, second = (save(make_report(two_people()), tmp_path / n, names) for n in "ab")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_a_name_that_is_no_text_is_written_as_text(tmp_path):
    report = _report_of("/a/bad\udcff.mp4")
    assert json.loads(report.to_json())["source"]["path"] == "/a/bad\ufffd.mp4" and report.source.path == "/a/bad\udcff.mp4"
    for path in save(report, tmp_path, FORMATS):
        assert path.stat().st_size


def test_plain_text_is_one_line_of_valid_characters():
    assert plain(HOSTILE[3]) == "line one line two [31m"
    assert plain("a\ud800b\u2028c") == "ab c"


def _report_of(path: str, sha256: str = "0" * 64) -> EmotionReport:
    report = make_report()
    return report.model_copy(update={"source": schema.Source(**report.source.model_dump() | {"path": path, "sha256": sha256})})


def test_json_is_indented_for_people(written):
    text = written[1]["json"].read_text("utf-8")
    assert text.startswith('{\n "schema"') and json.loads(text)
