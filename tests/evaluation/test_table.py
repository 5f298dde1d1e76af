"""The table over result folders: what stands in it, and explanations pooled over suites."""

import json

import pytest
from evaluation.made import samples_of, write_suite

from emoreason.errors import ConfigError
from emoreason.evaluation.evaluate import summary
from emoreason.evaluation.label_mapping import LabelMapping
from emoreason.evaluation.results import FORMAT, SampleResult, write_json, write_rows
from emoreason.evaluation.run import run
from emoreason.evaluation.suite import Suite
from emoreason.evaluation.table import lines, markdown, results_below
from emoreason.evaluation.tasks import make_task, task_class
from emoreason.inference.judges.composer import ComposerJudge

POOLED = task_class("reasoning").pooled


def told(folder, name, counts, judge="toy", limit=None):
    """A finished result of explanations: one row for each of `counts`, (claims, supported)."""
    suite = {"name": name, "title": name, "kind": "reasoning", "recipe": name, "split": "test", "primary": "supported_rate",
             "protocol": "x"}  # fmt: skip
    rows = [
        SampleResult(id=f"{k}", group=f"g{k}", status="answered", truth={"label": None, "units": {}, "reference": None},
            prediction={"label": None, "counts": {"claims_per_text": [claims, 1], "supported_rate": [good, claims]}})
        for k, (claims, good) in enumerate(counts)
    ]  # fmt: skip
    (folder / name).mkdir(parents=True)
    write_rows(folder / name / "samples.jsonl", rows)
    run_file = {"format": FORMAT, "suite": suite, "judge": {"name": judge}, "labels": [], "limit": limit}
    write_json(folder / name / "run.json", run_file)
    known = Suite.model_validate(suite)
    write_json(folder / name / "scores.json", summary(known, rows, make_task(known, LabelMapping((), {}, {})).scores(rows), {}))
    return folder / name


def test_each_suite_has_its_figures(tmp_path):
    told(tmp_path, "faces", [(4, 3)] * 20)
    told(tmp_path, "voices", [(2, 1)] * 5, limit=5)
    found = lines(results_below([tmp_path]))
    assert [(line.suite, line.metric) for line in found] == [
        ("faces", "supported_rate"), ("faces", "claims_per_text"), ("voices", "supported_rate"), ("voices", "claims_per_text"),
        (POOLED, "claims_per_text"), (POOLED, "supported_rate"),
    ]  # fmt: skip
    first, voices, pooled = found[0], found[2], found[-1]
    assert first.value == 0.75 and first.n == 20 and first.note == "of 80"
    assert "a try" in voices.note and "drawn from 5 groups" in voices.note
    assert pooled.value == 65 / 90 and pooled.n == 25 and pooled.note == "of 90" and found[-2].note == "of 25; faces + voices"
    assert pooled.interval[0] < pooled.value < pooled.interval[1]


def test_judges_are_not_pooled_together(tmp_path):
    told(tmp_path, "faces", [(4, 3)] * 3, "one")
    told(tmp_path, "voices", [(4, 1)] * 3, "other | two")
    found = lines(results_below([tmp_path]))
    assert all(line.suite != POOLED for line in found)
    text = markdown(found)
    assert "| judge |" in text and "other / two" in text and len({line.count("|") for line in text.splitlines()}) == 1


def test_what_is_no_finished_result_is_not_listed(tmp_path):
    with pytest.raises(ConfigError, match="no finished result"):
        results_below([tmp_path])
    samples = samples_of(write_suite(tmp_path))
    run(samples, ComposerJudge(), tmp_path / "results" / "begun", tmp_path)
    with pytest.raises(ConfigError, match="no finished result"):
        results_below([tmp_path / "results"])
    whole = told(tmp_path / "results", "faces", [(4, 3)] * 3)
    assert [result.folder for result in results_below([tmp_path / "results"])] == [whole]
    (whole / "scores.json").write_text(json.dumps({"gaps": []}))  # an audit by group
    with pytest.raises(ConfigError, match="no finished result"):
        results_below([whole])
