"""Tables and page of a run whose model has label words of its own, beside clips judged by the eight emotions."""

import json

from pyarrow import parquet
from report_fixtures import make_report

from emoreason.inference.batch.manifest import DONE, Entry, Manifest
from emoreason.inference.batch.page import write_page
from emoreason.inference.batch.results import report_file
from emoreason.inference.batch.tables import SUMMARY, write_tables
from emoreason.report.schema import Verdict

OWN = Verdict(emotion=None, label="odd <b>", scheme="moods", confidence=0.75, abstained=False,
              probabilities={"odd <b>": 0.75, "sunny": 0.25})  # fmt: skip


def test_labels_have_columns_and_filters_of_their_own(tmp_path):
    reports = {"a": make_report(verdict=OWN), "b": make_report(), "c": make_report(abstained=True)}
    with Manifest(tmp_path) as manifest:
        manifest.add(Entry(f"{name}.mp4", 1, 1, id=name, state=DONE) for name in reports)
        for name, report in reports.items():
            report_file(tmp_path, name).parent.mkdir(exist_ok=True)
            report_file(tmp_path, name).write_text(report.to_json(), encoding="utf-8")
        write_tables(tmp_path, manifest)
        write_page(tmp_path, manifest)
    own, canonical, silent = parquet.read_table(tmp_path / SUMMARY).to_pylist()
    assert (own["label"], own["scheme"], own["emotion"], own["anger"]) == ("odd <b>", "moods", None, None)
    assert json.loads(own["label_probabilities"]) == {"odd <b>": 0.75, "sunny": 0.25}
    assert canonical["label"] == canonical["emotion"] and canonical["scheme"] == "emoreason" and canonical["anger"] is not None
    assert canonical["label_probabilities"] is None and silent["label"] is None
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'data-emotion="odd &lt;b&gt;"' in page and "e-own" in page and "odd <b>" not in page
    assert f'value="{canonical["emotion"]}"' in page and 'value="none"' in page
