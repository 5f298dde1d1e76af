"""Evaluation tasks, one module per kind of question.

A new kind is one new module in this folder: a subclass of `EvaluationTask` that names its kind is found by itself."""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from emoreason.errors import ConfigError
from emoreason.evaluation.label_mapping import LabelMapping
from emoreason.evaluation.suite import Suite
from emoreason.evaluation.tasks.task import EvalContext, EvaluationTask, LeftOut, Paired, Prediction

__all__ = ["KINDS", "EvalContext", "EvaluationTask", "LeftOut", "Paired", "Prediction", "make_task", "task_class"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
KINDS = tuple(sorted(EvaluationTask.registry))


def task_class(kind: str) -> type[EvaluationTask]:
    """Raises ConfigError for an unknown kind."""
    if kind not in EvaluationTask.registry:
        raise ConfigError(f"no kind of suite is called '{kind}'; known: {', '.join(KINDS)}")
    return EvaluationTask.registry[kind]


def make_task(suite: Suite, mapping: LabelMapping, wheels: Path | None = None) -> EvaluationTask:
    """The task of a suite; `wheels`: folder of the published emotion wheels."""
    return task_class(suite.kind)(suite, mapping, wheels)
