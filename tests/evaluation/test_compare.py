"""Two results of one suite, paired by id."""

import json

import pytest
from evaluation.made import samples_of, write_suite

from emoreason.errors import ConfigError
from emoreason.evaluation.compare import compare
from emoreason.evaluation.results import FORMAT, SampleResult, read_rows, write_rows
from emoreason.evaluation.run import run
from emoreason.inference.judges.composer import ComposerJudge


class Angry(ComposerJudge):
    """Finds anger in everything."""

    name = "angry"

    def read(self, text):
        return super().read("I hate this")


def results(tmp_path, *judges, **changes):
    samples = samples_of(write_suite(tmp_path, **changes))
    for place, judge in zip("ab", judges, strict=True):
        run(samples, judge, tmp_path / place, tmp_path)
    return tmp_path / "a", tmp_path / "b"


def rewrite(folder, change):
    rows = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in change(rows)))


def test_differences(tmp_path):
    found = compare(*results(tmp_path, ComposerJudge(), Angry()), resamples=200)
    assert found.n == 5 and found.a.startswith("composer") and found.b.startswith("angry")
    assert found.differences["war"].value == pytest.approx(3 / 5 - 1 / 5)
    low, high = found.differences["war"].interval
    assert -0.5 < low < 0.4 < high <= 1
    assert json.dumps(found.to_dict())


def test_equal_results_do_not_differ(tmp_path):
    for difference in compare(*results(tmp_path, Angry(), Angry()), resamples=50).differences.values():
        assert difference.value == 0 and difference.interval in ((0, 0), None)


def test_shared_samples_only(tmp_path):
    a, b = results(tmp_path, ComposerJudge(), Angry())
    rewrite(b, lambda rows: rows[:2])
    found = compare(a, b, resamples=50)
    assert found.n == 2 and "3 samples that only" in found.notes[0]
    rewrite(b, lambda rows: [{**rows[0], "id": "zz"}])
    with pytest.raises(ConfigError, match="no sample in common"):
        compare(a, b)


def test_changed_labels(tmp_path):
    a, b = results(tmp_path, ComposerJudge(), Angry())
    rewrite(b, lambda rows: [{**rows[0], "truth": {"label": "fear"}}, *rows[1:]])
    with pytest.raises(ConfigError, match="label of sample 'a1' differs"):
        compare(a, b)


def test_different_suites(tmp_path):
    a, _ = results(tmp_path / "one", ComposerJudge(), Angry())
    _, b = results(tmp_path / "two", ComposerJudge(), Angry(), name="other")
    with pytest.raises(ConfigError, match="different suites .'talk_test' and 'other'"):
        compare(a, b)


def test_sentiment(tmp_path):
    moods = {"group": {"ann": "positive", "bob": "negative", "cat": "neutral", "dan": "neutral"}}
    fields = {"id": "{id}", "group": "{id}", "label": "{label}", "transcript": "{text}", "sentiment": "{group}"}
    found = compare(
        *results(tmp_path, ComposerJudge(), Angry(), kind="sentiment", recipe={"fields": fields, "values": moods}), resamples=20
    )
    assert found.differences["war"].n == 5


def test_probes(tmp_path):
    folders = results(tmp_path, ComposerJudge(), Angry(), kind="hallucination", primary="hallucination_overall")
    right = [
        [row.prediction == {"answer": row.truth["answer"]} for row in read_rows(folder / "samples.jsonl")] for folder in folders
    ]
    found = compare(*folders, resamples=20)
    assert found.n == 10 and found.differences["right"].value == pytest.approx((sum(right[0]) - sum(right[1])) / 10)


ROWS = {
    "action_units": ({"units": {"AU04": True, "AU12": False}}, {"units": {"AU04": 0.9}}, {"units": {"AU12": 0.9}}),
    "causes": ({"pairs": [[2, 1, "joy"]]}, {"pairs": [[2, 1, "joy"]]}, {"pairs": [[2, 2, "joy"]]}),
    "open_vocabulary": ({"words": ["Glad"]}, {"words": ["glad"]}, {"words": ["sad"]}),
    "reasoning": ({"label": None}, {"counts": {"supported_rate": [2, 2]}}, {"counts": {"supported_rate": [0, 2]}}),
}


def write_result(folder, kind, rows, **changes):
    suite = {"name": "x", "title": "x", "kind": kind, "recipe": "x", "split": "test", "primary": "x", "protocol": "x"} | changes
    folder.mkdir()
    run_file = {"format": FORMAT, "suite": suite, "judge": {"name": folder.name}, "labels": ["joy"]}
    (folder / "run.json").write_text(json.dumps(run_file))
    made = [SampleResult(id=f"{k}", group=f"{k}", status="answered", truth=t, prediction=p) for k, (t, p) in enumerate(rows)]
    write_rows(folder / "samples.jsonl", made)
    return folder


@pytest.mark.parametrize("kind", ROWS)
def test_a_right_judge_is_better_than_a_wrong_one(tmp_path, kind):
    truth, right, wrong = ROWS[kind]
    changes = {"units": ["AU04", "AU12"]} if kind == "action_units" else {}
    a, b = (write_result(tmp_path / name, kind, [(truth, said)] * 2, **changes) for name, said in (("a", right), ("b", wrong)))
    values = [difference.value for difference in compare(a, b, resamples=20).differences.values()]
    assert values and all(value == 1.0 for value in values)


def test_valence_and_arousal(tmp_path):
    truths = [{"valence": v, "arousal": -v} for v in (-0.5, 0.0, 0.5)]
    a = write_result(tmp_path / "a", "valence_arousal", [(truth, truth) for truth in truths])
    b = write_result(tmp_path / "b", "valence_arousal", [(truth, {"valence": 0.1, "arousal": 0.1}) for truth in truths])
    found = compare(a, b, resamples=20).differences
    assert found["valence_ccc"].value == found["arousal_ccc"].value == pytest.approx(1)
