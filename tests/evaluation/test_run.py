"""Runs: resumed as if never interrupted, failures as lines, and nothing mixed that does not belong together."""

import json

import pytest
from evaluation.made import samples_of, write_suite

from emoreason.errors import ConfigError, EmoReasonError, EnvironmentProblem
from emoreason.evaluation import results
from emoreason.evaluation.run import run
from emoreason.inference.judges.composer import ComposerJudge


class Counting(ComposerJudge):
    """`broken`: texts that raise; `asked`: what was read."""

    together = 2

    def __init__(self, broken=(), error=EmoReasonError):
        self.broken, self.error, self.asked = broken, error, []

    def read(self, text):
        self.asked.append(text)
        if text in self.broken:
            raise self.error("cannot be read")
        return super().read(text)


@pytest.fixture
def samples(tmp_path):
    return samples_of(write_suite(tmp_path))


def files(folder):
    run_file = json.loads((folder / "run.json").read_text())
    return (folder / "samples.jsonl").read_bytes(), run_file | {"made": ""}


def test_rows_in_order(samples, tmp_path):
    rows = run(samples, ComposerJudge(), tmp_path / "out", tmp_path)
    assert [(row.id, row.status) for row in rows] == [
        ("a1", "answered"), ("a2", "answered"), ("b1", "answered"), ("b2", "silent"), ("c1", "silent"),
    ]  # fmt: skip
    assert rows[0].prediction["label"] == "joy" and rows[0].prediction["abstained"]
    assert sum(rows[0].prediction["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert rows[3].prediction is None and "no listed word" in rows[3].reason
    assert results.read_result(tmp_path / "out").rows == tuple(rows)


def test_a_killed_run_goes_on(samples, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run(samples, Counting(), whole, tmp_path)
    run(samples, Counting(), cut, tmp_path)
    lines = (cut / "samples.jsonl").read_bytes().splitlines(keepends=True)
    (cut / "samples.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:30])  # the third was being written
    again = Counting()
    run(samples, again, cut, tmp_path)
    assert again.asked == ["I am so scared", "the door is over there", "tea at four"]
    assert files(cut) == files(whole)


def test_a_failure_costs_one_sample_and_is_tried_again(samples, tmp_path):
    rows = run(samples, Counting(["I hate this"]), tmp_path / "out", tmp_path)
    assert [row.status for row in rows] == ["answered", "failed", "answered", "silent", "silent"]
    assert rows[1].reason == "cannot be read" and rows[1].prediction is None
    again = Counting()
    assert run(samples, again, tmp_path / "out", tmp_path)[1].status == "answered"
    assert again.asked == ["I hate this"]


def test_what_is_true_of_every_sample_ends_the_run(samples, tmp_path):
    with pytest.raises(EnvironmentProblem):
        run(samples, Counting(["I am so scared"], EnvironmentProblem), tmp_path / "out", tmp_path)
    assert len(results.read_rows(tmp_path / "out" / "samples.jsonl")) == 2


def test_another_judge_or_limit_is_not_mixed_in(samples, tmp_path):
    run(samples, ComposerJudge(), tmp_path / "out", tmp_path)
    other = ComposerJudge()
    other.name = "other"
    with pytest.raises(ConfigError, match="its judge is another: composer, not other"):
        run(samples, other, tmp_path / "out", tmp_path)
    with pytest.raises(ConfigError, match="its limit is another: None, not 5"):
        run(samples, ComposerJudge(), tmp_path / "out", tmp_path, limit=5)
    assert len(run(samples, other, tmp_path / "out", tmp_path, restart=True)) == 5


def damaged(folder, change):
    rows = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in change(rows)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: [*rows, rows[0]], "samples.jsonl:6: sample 'a1' occurs twice"),
        (lambda rows: [{**rows[0], "id": "z9"}, *rows[1:]], "sample 'z9' is not in this suite"),
        (lambda rows: [{**rows[0], "truth": {"label": "fear"}}, *rows[1:]], "labels of sample 'a1' have changed"),
        (lambda rows: [{**rows[0], "prediction": {"label": "joy", "confidence": float("nan")}}], "NaN is not a valid score"),
        (lambda rows: [{**rows[0], "status": "fine"}], "samples.jsonl:1: Input should be"),
        (lambda rows: [{**rows[0], "score": 1}], "samples.jsonl:1: Extra inputs"),
    ],
)
def test_lines_that_do_not_belong(samples, tmp_path, change, said):
    run(samples, ComposerJudge(), tmp_path / "out", tmp_path)
    damaged(tmp_path / "out", change)
    with pytest.raises(ConfigError, match=said):
        run(samples, ComposerJudge(), tmp_path / "out", tmp_path)


def test_missing_lines_are_made_again(samples, tmp_path):
    whole = run(samples, ComposerJudge(), tmp_path / "out", tmp_path)
    damaged(tmp_path / "out", lambda rows: rows[::2])
    assert run(samples, ComposerJudge(), tmp_path / "out", tmp_path) == whole


def test_no_result_folder(tmp_path):
    with pytest.raises(ConfigError, match="run.json is missing"):
        results.read_result(tmp_path)
    (tmp_path / "run.json").write_text('{"format": "other"}')
    with pytest.raises(ConfigError, match="not of format"):
        results.read_result(tmp_path)
