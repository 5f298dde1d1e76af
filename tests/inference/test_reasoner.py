"""The whole road on real components: the pinned sample clip, and media of every awkward kind cut from it."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from builders import even_times, tone, write_media
from PIL import Image

from emoreason import EmotionReasoner, assets
from emoreason.errors import ConfigError, EmoReasonError
from emoreason.media import Clip
from emoreason.perception.settings import PerceptionSettings
from emoreason.report.course import headline
from emoreason.report.emotion_report import EmotionReport


@pytest.fixture(scope="session")
def sample_clip():
    return next(path for path in assets.path("sample-clip").iterdir() if path.suffix == ".mp4")


@pytest.fixture(scope="session")
def face(sample_clip):
    """[360, 640, 3] a frame with a real face."""
    return next(iter(Clip(sample_clip).frames([13.0]))).image


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def reasoner():
    return EmotionReasoner.from_pretrained("composer", cache=False)


@pytest.fixture(scope="session")
def sample_report(reasoner, sample_clip):
    return reasoner(sample_clip)


def codes(report):
    return {note.code for note in report._observation.notes}


def two_faces(face):
    """Both halves hold the same woman, the second one mirrored."""
    return np.ascontiguousarray(np.concatenate((face, face[:, ::-1]), axis=1))


def test_sample_clip_smiles_and_does_not_speak(sample_report):
    report = sample_report
    assert report.source.has_audio and report.voice is None and report.words is None
    assert [person.person for person in report.people] == ["p1"]
    smiles = [unit for unit in report.people[0].action_units if unit.au == "AU12"]
    assert smiles and smiles[0].events
    assert report.verdict.person == "p1"
    assert report.explanation.claims and report.explanation.faithfulness >= 0.9
    assert report.timings_s.total > 0


def test_sample_clip_is_told_as_sadness_then_happiness(sample_report, sample_clip):
    """By the rules and by the shipped model; the sentences, which take longest, are left out."""
    shipped = EmotionReasoner.from_pretrained("tiny", settings=PerceptionSettings(words=False), cache=False)
    shipped.judge.settings = replace(shipped.judge.settings, most_tokens=0)
    for report in (sample_report, shipped(sample_clip)):
        first, second = report.verdict.course
        assert (first.emotion, second.emotion) == ("sadness", "happiness")
        assert first.start_s <= 1 and first.end_s <= second.start_s and 9 <= second.start_s <= 10 and second.end_s >= 19
        assert report.people[0].course == report.verdict.course
        assert headline(report.verdict, report.source.duration_s).startswith("sadness, then happiness from 9.")


def test_report_survives_json(sample_report):
    again = EmotionReport.from_json(sample_report.to_json())
    assert again.to_json() == sample_report.to_json()
    assert json.loads(sample_report.to_json())["schema"] == "emoreason/report/2"


def test_frame_table_has_a_row_for_every_sampled_frame(sample_report):
    frames = sample_report.frames()
    assert len(frames) >= len(sample_report._observation.sample_times_s)
    assert frames["timestamp"].is_monotonic_increasing
    assert frames["AU12"].max() > 0.25


def test_second_run_comes_from_the_cache_and_is_the_same(tmp_path, monkeypatch, sample_clip):
    folder = assets.home() / "assets"
    monkeypatch.setenv("EMOREASON_HOME", str(tmp_path))
    (tmp_path / "assets").symlink_to(folder)
    reasoner = EmotionReasoner.from_pretrained("composer", PerceptionSettings(fps=4.0))
    texts = []
    for _ in range(2):
        value = json.loads(reasoner(sample_clip).to_json())
        texts.append((json.dumps({k: v for k, v in value.items() if k != "timings_s"}), value["timings_s"]))
    assert texts[0][0] == texts[1][0]
    assert texts[0][1]["faces"] > 0 and texts[1][1]["faces"] == 0, "the second run looks at no face again"


def test_without_cache_nothing_stays(tmp_path, monkeypatch, face):
    folder = assets.home() / "assets"
    monkeypatch.setenv("EMOREASON_HOME", str(tmp_path))
    (tmp_path / "assets").symlink_to(folder)
    Image.fromarray(face).save(tmp_path / "face.png")
    EmotionReasoner.from_pretrained("composer", cache=False)(tmp_path / "face.png")
    assert {path.name for path in tmp_path.iterdir()} == {"assets", "face.png"}


def test_picture(tmp_path, reasoner, face):
    Image.fromarray(face).save(tmp_path / "Bild mit Gesicht é 顔.png")
    report = reasoner(tmp_path / "Bild mit Gesicht é 顔.png")
    assert len(report.people) == 1 and report.voice is None and report.verdict.probabilities is not None
    assert (report.source.width, report.source.height, report.source.duration_s) == (640, 360, 0.0)


def test_two_faces_are_two_people(tmp_path, reasoner, face):
    path = write_media(tmp_path / "two.mp4", even_times(24, 12.0), [two_faces(face)] * 24)
    report = reasoner(path)
    assert [person.person for person in report.people] == ["p1", "p2"]


def test_no_face_abstains(tmp_path, reasoner):
    blank = [np.full((96, 128, 3), 90, np.uint8)] * 12
    report = reasoner(write_media(tmp_path / "blank.mp4", even_times(12, 12.0), blank))
    assert report.verdict.abstained and "face" in report.verdict.reason
    assert report.people == [] and "no_face" in codes(report)
    assert (report.frames()["success"] == 0).all()


def test_one_frame_video(tmp_path, reasoner, face):
    report = reasoner(write_media(tmp_path / "one.mp4", [0.0], [face]))
    assert len(report.people) == 1


def test_silent_and_wordless_sound(tmp_path, reasoner, face):
    silent = write_media(tmp_path / "silent.mp4", even_times(12, 12.0), [face] * 12, np.zeros(48_000, np.float32))
    report = reasoner(silent)
    assert report.voice is None and report.words is None and "no_speech" in codes(report)
    report = reasoner(write_media(tmp_path / "tone.m4a", sound=tone(2.0)))
    assert report.verdict.abstained and report.people == [] and report.words is None


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotated_video_is_seen_upright(tmp_path, reasoner, face, rotation):
    stored = np.ascontiguousarray(np.rot90(face, -rotation // 90))
    report = reasoner(write_media(tmp_path / "r.mp4", even_times(6, 12.0), [stored] * 6, rotation=rotation))
    assert (report.source.width, report.source.height) == (640, 360) and len(report.people) == 1


def test_variable_rate_keeps_true_times(tmp_path, reasoner, face):
    times = [0.0, 0.02, 0.3, 0.34, 0.9, 1.3, 1.31, 2.0]
    report = reasoner(write_media(tmp_path / "vfr.mp4", times, [face] * len(times)))
    assert set(np.round(report._observation.sample_times_s, 2)) <= set(times)
    assert 2.0 in np.round(report._observation.sample_times_s, 2)


def test_large_and_odd_sizes(tmp_path, reasoner, face):
    large = np.asarray(Image.fromarray(face).resize((3840, 2160)))
    report = reasoner(write_media(tmp_path / "4k.mp4", even_times(2, 4.0), [large] * 2))
    assert len(report.people) == 1 and report._observation.people[0].boxes[0, 2] > 400, "boxes are in original pixels"
    odd = np.ascontiguousarray(face[:201, 180:457])
    report = reasoner(write_media(tmp_path / "odd.mkv", even_times(3, 4.0), [odd] * 3, codec="libvpx-vp9", pix_fmt="yuv444p"))
    assert (report.source.width, report.source.height) == (277, 201)


def broken(folder):
    (folder / "text.mp4").write_text("this is not a film\n" * 100)
    (folder / "empty.mp4").touch()
    whole = write_media(folder / "whole.mp4", even_times(50)).read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "folder.mp4").mkdir()
    return [folder / name for name in ("text.mp4", "empty.mp4", "cut.mp4", "folder.mp4", "missing.mp4")]


def test_broken_files_are_one_line_errors(tmp_path, reasoner):
    for path in broken(tmp_path):
        with pytest.raises(EmoReasonError) as caught:
            reasoner(path)
        assert "\n" not in str(caught.value) and len(str(caught.value)) > 20, path


def test_analyze_many_goes_on_after_an_error(tmp_path, reasoner, face):
    Image.fromarray(face).save(tmp_path / "a.png")
    results = list(reasoner.analyze_many([tmp_path / "a.png", tmp_path / "missing.mp4", tmp_path / "a.png"]))
    assert [isinstance(result, EmotionReport) for result in results] == [True, False, True]


def test_unknown_model_is_named():
    with pytest.raises(ConfigError, match="nosuch.*composer"):
        EmotionReasoner.from_pretrained("nosuch")


def test_command_line_does_the_good_ones_and_names_the_bad_one(tmp_path, face):
    """The issue's own line: `emoreason analyze a.mp4 broken.mp4 b.mp4 --json --out out`."""
    for name in ("a.mp4", "b.mp4"):
        write_media(tmp_path / name, even_times(8, 8.0), [face] * 8)
    (tmp_path / "broken.mp4").write_text("no")
    command = [sys.executable, "-m", "emoreason", "analyze", "a.mp4", "broken.mp4", "b.mp4", "--json", "--no-cache"]
    run = subprocess.run([*command, "--out", "out"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert run.returncode == 2, run.stderr
    reports = [json.loads(line) for line in run.stdout.splitlines()]
    assert [report["source"]["path"] for report in reports] == ["a.mp4", "b.mp4"]
    assert "broken.mp4" in run.stderr and "Traceback" not in run.stderr
    assert len(list((tmp_path / "out").glob("*/report.json"))) == 2
