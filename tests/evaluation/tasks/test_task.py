"""What all tasks share: the registry, intervals, folds, and the primary metric."""

import pytest
from evaluation.made import LABELS, face_suite, named, row, task_of, values

from emoreason.errors import ConfigError
from emoreason.evaluation.label_mapping import LabelMapping
from emoreason.evaluation.results import failures
from emoreason.evaluation.tasks import KINDS, EvaluationTask, make_task, task_class


def test_a_class_that_names_its_kind_is_known(monkeypatch):
    monkeypatch.setattr(EvaluationTask, "registry", dict(EvaluationTask.registry))

    class Mood(task_class("emotion"), kind="mood"):
        """A kind in one class."""

    suite, _ = face_suite("mood")
    assert isinstance(make_task(suite, LabelMapping(("joy",), {}, {})), Mood) and Mood.kind == "mood"
    assert task_class("emotion").kind == "emotion" and "mood" not in KINDS


def test_an_unknown_kind_is_named():
    with pytest.raises(ConfigError, match="no kind of suite is called 'mood'; known: action_units"):
        task_class("mood")


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_whole(kind):
    """What the page, the table and exports of a kind need is there."""
    task = task_class(kind)
    assert task.descriptions and (task.export_question is None) == (not task.export_metrics)
    assert all(task.describe(metric) for metric in task.tabled)


def test_intervals_draw_groups_where_they_have_several_samples():
    rows = [row(f"{k}", {"label": "joy"}, named("joy" if k % 2 else "fear", 0.9), group="ab"[k % 2]) for k in range(10)]
    interval = values("emotion", rows)["war"].interval
    assert interval == (0.0, 1.0)  # one of two persons is always wrong: nothing is sure
    alone = [one.model_copy(update={"group": one.id}) for one in rows]
    low, high = values("emotion", alone)["war"].interval
    assert 0 < low < 0.5 < high < 1


def test_folds():
    task = task_of(labels=LABELS, split=None, folds="f.yaml")
    rows = [row(f"{k}", {"label": "joy"}, named("joy" if k else "fear", 0.9), fold=k % 2) for k in range(4)]
    assert task.by_fold(rows) == {0: 0.5, 1: 1.0}


def test_an_unknown_primary_metric_is_named():
    with pytest.raises(ConfigError, match="no metric 'accuracy' here; known: war, uar"):
        values("emotion", [row("a", {"label": "joy"}, named("joy", 0.9))], primary="accuracy")


def test_failures_are_those_without_an_answer():
    rows = [
        row("a", {}, {"label": "joy"}, notes=["no_face"]),
        row("b", {}, notes=["no_speech"]),
        row("c", {}, status="unparsable"),
    ]
    assert (failures(rows).no_face, failures(rows).no_speech, failures(rows).unparsable) == (0, 1, 1)


def test_what_is_known_against_an_interval_is_said():
    rows = [row(f"{k}", {"label": "joy"}, named("joy" if k % 3 else "fear", 0.9), group=f"{k % 4}") for k in range(40)]
    assert values("emotion", rows)["war"].note == "the interval is drawn from 4 groups and too narrow"
    alone = [one.model_copy(update={"group": one.id}) for one in rows]
    assert values("emotion", alone)["war"].note == ""
    single = [one.model_copy(update={"group": "s"}) for one in rows]
    assert values("emotion", single)["war"].note == "all samples are of one group: the interval says nothing about others"
