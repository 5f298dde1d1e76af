"""Tables and page of a run: a clip whose expression changes, one that does not, and a report that version 0.1 wrote."""

import json
from pathlib import Path

from pyarrow import parquet
from report_fixtures import make_report

from emoreason.inference.batch.manifest import DONE, Entry, Manifest
from emoreason.inference.batch.page import write_page
from emoreason.inference.batch.results import report_file
from emoreason.inference.batch.tables import PEOPLE, SUMMARY, write_tables
from emoreason.report.schema import EmotionSpan

OLD = Path(__file__).parents[2] / "report" / "report_schema_1.json"


def test_what_changes_is_told_by_its_course_and_old_reports_keep_their_rows(tmp_path):
    spans = [(0, 5, "sadness", 0.6), (5, 11, "happiness", 0.9)]
    course = [EmotionSpan(start_s=a, end_s=b, emotion=e, confidence=p) for a, b, e, p in spans]
    report = make_report()
    person = report.people[0].model_copy(update={"course": course})
    changing = make_report(
        verdict=report.verdict.model_copy(update={"course": course}), people=[person, *report.people[1:]]
    )
    texts = {"a": changing.to_json(), "b": report.to_json(), "c": OLD.read_text(encoding="utf-8")}
    with Manifest(tmp_path) as manifest:
        manifest.add(Entry(f"{name}.mp4", 1, 1, id=name, state=DONE) for name in texts)
        for name, text in texts.items():
            report_file(tmp_path, name).parent.mkdir(exist_ok=True)
            report_file(tmp_path, name).write_text(text, encoding="utf-8")
        write_tables(tmp_path, manifest)
        write_page(tmp_path, manifest)
    changed, same, old = parquet.read_table(tmp_path / SUMMARY).to_pylist()
    assert changed["headline"] == "sadness, then happiness from 5.0 s" and changed["emotion"] == report.verdict.emotion
    assert [phase["emotion"] for phase in json.loads(changed["course"])] == ["sadness", "happiness"]
    assert (same["headline"], same["course"]) == (report.verdict.emotion, None)
    assert {**old, "id": None, "path": None} == {**same, "id": None, "path": None}
    people = parquet.read_table(tmp_path / PEOPLE).to_pylist()
    assert [row["course"] is None for row in people] == [False, True, True, True, True, True]
    assert "sadness, then happiness from 5.0 s" in (tmp_path / "index.html").read_text(encoding="utf-8")
