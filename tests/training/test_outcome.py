"""What a fine-tuning did: figures of the same clips before and after, the sets that the base knew, and their page."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from training_data import make_run

from emoreason.labels.label_set import LabelSet
from emoreason.model.untrained import untrained
from emoreason.scoring.metrics.classification import accuracy, uar
from emoreason.training import samples
from emoreason.training.assess import Answers, Clip
from emoreason.training.outcome import Compared, Outcome, Questions
from emoreason.training.outcome_page import rows, worst, write_outcome
from emoreason.training.pipeline import Pipeline
from emoreason.training.run import load_run
from emoreason.training.ship import save

LABELS = LabelSet("moods", ("sunny", "rainy <b>"), {})


def answered(said: list[int], sure: float = 0.8) -> Answers:
    """Six clips of three groups, the first half of them sunny."""
    clips = [Clip(f"clip{n}", f"g{n % 3}", int(n >= 3), lambda processor, refine: []) for n in range(6)]
    p = np.array([[sure, 1 - sure] if label == 0 else [1 - sure, sure] for label in said])
    return Answers(clips, LABELS.labels, p)


def test_figures_of_the_same_clips():
    before, after = answered([0, 1, 1, 1, 0, 1]), answered([0, 0, 0, 1, 1, 0])
    assert before.score(accuracy)[0] == pytest.approx(0.5) and after.score(uar)[0] == pytest.approx(5 / 6)
    assert after.confusion.tolist() == [[3, 0], [1, 2]]
    low, high = after.score(accuracy)[1]
    assert low <= 5 / 6 <= high
    change = after.since(before, accuracy)
    assert change.value == pytest.approx(1 / 3) and change.n == 6
    told = rows(Compared("validation", before, after, {}))
    assert [row.name for row in told] == ["accuracy", "UAR"] and told[0].clips == 6 and told[0].groups == 3
    assert told[0].change.startswith("+0.33 (") and "whisker" in told[0].bars


def test_the_surest_of_the_wrong_answers_comes_first():
    told = answered([1, 0, 0, 1, 1, 0])
    told.probabilities[5] = [0.95, 0.05]
    assert [(one["record"], one["truth"], one["said"]) for one in worst(told)] == [
        ("clip5", "rainy <b>", "sunny"), ("clip0", "sunny", "rainy <b>"),
    ]  # fmt: skip


def test_the_page_escapes_and_says_what_was_not_asked(tmp_path):
    own = Compared("validation", answered([1] * 6), answered([0, 0, 0, 1, 1, 1]), {"language": answered([0] * 6)})
    page = write_outcome(tmp_path, "t", Outcome(LABELS, own, [], ["ferplus: its data are not there"]), {"base": "tiny"}, ["tune"])
    text = page.read_text(encoding="utf-8")
    assert "<b>rainy" not in text and "rainy &lt;b&gt;" in text and "No validation clip is answered wrongly" in text
    assert "Not asked: ferplus" in text and "tune/page.html" in text and text.count("<svg") > 5
    nothing = write_outcome(tmp_path, "t", Outcome(LABELS, None, [own], []), {}, []).read_text(encoding="utf-8")
    assert "No validation clip has a label of this set" in nothing and "validation: UAR" in nothing


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("outcome")
    make_run(folder)
    save(*untrained(folder / "toy.yaml"), folder / "base")
    return folder


def test_sets_that_the_base_knew_are_asked_before_and_after(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "MOST_TOKENS", 4)
    monkeypatch.setattr(samples, "COUNT", 1)
    settings = [f"init_from={folder / 'base'}", "stages.tune.schedule.steps=2", "stages.tune.schedule.batch=2",
                "stages.tune.schedule.evaluate_every=2", "stages.tune.validation=4"]  # fmt: skip
    run = load_run("finetune", settings, data="ravdess")
    pipeline = Pipeline(run, tmp_path, {}, str(folder / "data"), folder / "store")
    assert pipeline.train("tune")
    questions = Questions(run, tmp_path, {}, str(folder / "data"), folder / "store")
    assert {recipe.name: len(records) for recipe, _, records in questions.known} == {
        "ferplus": 4, "ravdess": 4, "nemo": 4, "meld": 6,
    }  # fmt: skip
    assert not questions.absent
    page = pipeline.finish(fresh=True).read_text(encoding="utf-8")
    assert "ferplus: UAR" in page and "meld: UAR" in page and "the head on these labels" in page
    log = [yaml.safe_load(line) for line in (tmp_path / "tune" / "log.jsonl").read_text().splitlines()]
    assert any("label" in entry for entry in log) and any("valid_label_right" in entry for entry in log)
