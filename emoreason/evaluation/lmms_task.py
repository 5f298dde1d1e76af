"""What an exported lmms-eval task runs: its `utils.py` imports these functions, its rows are those of `export_tasks.row`.

Answers are read strictly and scored by the evaluation task of the suite's kind, as `emoreason evaluate` does. An answer that
cannot be read is wrong, and the share of such answers is a metric of its own. A value that is not defined is NaN.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from emoreason.evaluation.label_mapping import LabelMapping
from emoreason.evaluation.results import SampleResult
from emoreason.evaluation.suite import Suite
from emoreason.evaluation.tasks import EvaluationTask, make_task
from emoreason.media import Clip
from emoreason.scoring.metrics.score import Protocol

SAMPLE_RATE = 16_000  # of Clip.audio
UNREADABLE = "unreadable"
LOWER_IS_BETTER = (UNREADABLE, "yes_bias", "false_yes", "list_length")
Item = dict[str, Any]  # kind, labels, truth, wheels as in the row, and the prediction


def doc_to_visual(doc: dict[str, str]) -> list:
    """Pictures as PIL images, films as paths, sounds as {"array", "sampling_rate"}: what lmms-eval hands to its models."""
    from PIL import Image

    paths, kind = json.loads(doc["media"]), doc["media_kind"]
    if kind == "image":
        return [Image.open(path).convert("RGB") for path in paths]
    if kind == "audio":
        return [{"array": Clip(path).audio(), "sampling_rate": SAMPLE_RATE} for path in paths]
    return paths


def doc_to_text(doc: dict[str, str], lmms_eval_specific_kwargs: dict | None = None) -> str:
    """The question, between the prompts that a model may need before and behind it."""
    around = lmms_eval_specific_kwargs or {}
    return f"{around.get('pre_prompt', '')}{doc['question']}{around.get('post_prompt', '')}"


def doc_to_target(doc: dict[str, str]) -> str:
    """The truth as JSON, for the logs alone."""
    return doc["truth"]


def process_results(doc: dict[str, str], results: Sequence[str]) -> dict[str, Item]:
    """The same item under each metric of the task; aggregation scores them all at once."""
    item = {key: json.loads(doc[key]) for key in ("labels", "truth")} | {"kind": doc["kind"], "wheels": doc["wheels"]}
    task = _task(item)
    item["prediction"] = task.read(results[0])
    return dict.fromkeys((*task.export_metrics, UNREADABLE), item)


def aggregation(metric: str) -> Callable[[Sequence[Item]], float]:
    """The function that turns all items of a task into one number."""
    return partial(_aggregate, metric)


def _aggregate(metric: str, items: Sequence[Item]) -> float:
    if not items:
        return float("nan")
    if metric == UNREADABLE:
        return sum(item["prediction"] is None for item in items) / len(items)
    task = _task(items[0])
    rows = [
        SampleResult(id=str(n), group="", status="answered", truth=item["truth"], prediction=item["prediction"])
        for n, item in enumerate(items)
    ]
    values = {task.export_name(score.metric): score.value for score in task.score(rows, Protocol(resamples=0))}
    value = values.get(metric)
    return float("nan") if value is None else value


def _task(item: Item) -> EvaluationTask:
    """The rows hold all that a task needs of its suite; a label that is written in plain words has no confidence."""
    labels = item["labels"]
    suite = Suite.model_construct(kind=item["kind"], units=labels, answer="free")
    return make_task(suite, LabelMapping(tuple(labels), {}, {}), Path(item["wheels"]) if item["wheels"] else None)
