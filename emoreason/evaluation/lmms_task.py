"""What an exported lmms-eval task runs: its `utils.py` imports these functions, its rows are those of `export_tasks.row`.

Answers are read strictly (`scoring.plain_answer`) and scored by the metrics of `emoreason evaluate`. An answer that cannot be
read is wrong, and the share of such answers is a metric of its own. A value that is not defined is NaN.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from emoreason.media import Clip
from emoreason.scoring import plain_answer as plain
from emoreason.scoring.metrics.action_units import au_scores, present
from emoreason.scoring.metrics.affect import affect_scores
from emoreason.scoring.metrics.classification import classification_scores
from emoreason.scoring.metrics.hallucination import hallucination_scores
from emoreason.scoring.metrics.open_vocabulary import set_scores
from emoreason.scoring.metrics.pairs import Pair, pair_scores
from emoreason.scoring.metrics.score import Protocol, Score
from emoreason.scoring.metrics.wheels import listed, read_tables, small_tables

SAMPLE_RATE = 16_000  # of Clip.audio
_CLOSED = ("war", "uar", "macro_f1", "weighted_f1")
METRICS: dict[str, tuple[str, ...]] = {
    "emotion": _CLOSED,
    "sentiment": _CLOSED,
    "hallucination": ("hallucination_overall", "yes_bias", "false_yes"),
    "open_vocabulary": ("ew_set_f", "ew_set_f_with_neutral", "set_precision", "list_length"),
    "action_units": ("au_mean_f1", "au_sample_f1"),
    "valence_arousal": ("mean_ccc", "valence_ccc", "arousal_ccc"),
    "causes": ("pair_f1", "emotion_pair_f1", "emotion_pair_weighted_f1"),
}
UNREADABLE = "unreadable"
LOWER_IS_BETTER = (UNREADABLE, "yes_bias", "false_yes", "list_length")
_PLAIN = Protocol(resamples=0)
Item = dict[str, Any]  # kind, labels, truth, wheels as in the row, and `said`


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
    item["said"] = _READ[doc["kind"]](results[0], item["labels"])
    return dict.fromkeys((*METRICS[doc["kind"]], UNREADABLE), item)


def aggregation(metric: str) -> Callable[[Sequence[Item]], float]:
    """The function that turns all items of a task into one number."""
    return partial(_aggregate, metric)


def _aggregate(metric: str, items: Sequence[Item]) -> float:
    if metric == UNREADABLE:
        return sum(item["said"] is None for item in items) / len(items) if items else float("nan")
    found = {score.metric: score.value for score in _SCORES[items[0]["kind"]](items)} if items else {}
    value = found.get(metric)
    return float("nan") if value is None else value


# --- reading: text and labels -> something that JSON can hold, None where it cannot be read -------------------------------


def _label(text: str, labels: Sequence[str]) -> str | None:
    return plain.label_said(text, plain.spellings(labels))


def _yes(text: str, labels: Sequence[str]) -> bool | None:
    return plain.yes_no_said(text)


def _words(text: str, labels: Sequence[str]) -> list[str] | None:
    """The question asks for a list and nothing else, so it is read as one, line breaks and full stops being commas."""
    return [word.strip(" *-") for word in listed(text.replace(".", ","))] or None


def _units(text: str, labels: Sequence[str]) -> list[str] | None:
    said = plain.units_said(text)
    return None if said is None else [unit.au for unit in said]


def _affect(text: str, labels: Sequence[str]) -> list[float] | None:
    said = plain.affect_said(text)
    return said and list(said)


def _causes(text: str, labels: Sequence[str]) -> list[list] | None:
    said = plain.causes_said(text, [label.lower() for label in labels])
    return said and [list(pair) for pair in said]


_READ: dict[str, Callable[[str, Sequence[str]], Any]] = {
    "emotion": _label, "sentiment": _label, "hallucination": _yes, "open_vocabulary": _words, "action_units": _units,
    "valence_arousal": _affect, "causes": _causes,
}  # fmt: skip


# --- scoring: items -> scores ---------------------------------------------------------------------------------------------


def _of_labels(items: Sequence[Item]) -> list[Score]:
    """Samples without a label (a sentiment given only as a number) are left out."""
    items = [item for item in items if item["truth"]["label"]]
    labels = items[0]["labels"] if items else ["none"]
    return classification_scores([item["truth"]["label"] for item in items], [item["said"] for item in items], labels, _PLAIN)


def _of_pairs_of_questions(items: Sequence[Item]) -> list[Score]:
    """A pair of which one question is missing (a limited run) is left out."""
    asked: dict[str, dict[str, bool | None]] = {}
    for item in items:
        asked.setdefault(item["truth"]["pair"], {})[item["truth"]["answer"]] = item["said"]
    whole = [said for said in asked.values() if len(said) == 2]
    return hallucination_scores([said["yes"] for said in whole], [said["no"] for said in whole], _PLAIN)


def _of_words(items: Sequence[Item]) -> list[Score]:
    """Under names without the tables, which are the same for a whole task."""
    folder = items[0]["wheels"]
    tables = read_tables(Path(folder)) if folder else small_tables()
    scores = set_scores([item["truth"]["words"] for item in items], [item["said"] for item in items], tables, "inner", _PLAIN)
    return [Score(score.metric.replace(f"_{tables.name}_inner", ""), score.value, score.n) for score in scores]


def _of_units(items: Sequence[Item]) -> list[Score]:
    aus, coded = items[0]["labels"], [item["truth"]["units"] for item in items]
    truth = present([{au for au, on in units.items() if on} for units in coded], aus, coded)
    return au_scores(truth, present([item["said"] for item in items], aus), aus, protocol=_PLAIN)


def _of_affect(items: Sequence[Item]) -> list[Score]:
    names = ("valence", "arousal")
    truth = {name: [item["truth"][name] for item in items] for name in names}
    said = {name: [item["said"] and item["said"][k] for item in items] for k, name in enumerate(names)}
    return affect_scores(truth, said, _PLAIN)


def _of_causes(items: Sequence[Item]) -> list[Score]:
    truth = [[Pair(*pair) for pair in item["truth"]["pairs"]] for item in items]
    spelled = {label.lower(): label for label in items[0]["labels"]}
    said = [
        None if item["said"] is None else [Pair(effect, cause, spelled.get(emotion)) for effect, cause, emotion in item["said"]]
        for item in items
    ]
    return pair_scores(truth, said, items[0]["labels"], _PLAIN)


_SCORES: dict[str, Callable[[Sequence[Item]], list[Score]]] = {
    "emotion": _of_labels, "sentiment": _of_labels, "hallucination": _of_pairs_of_questions, "open_vocabulary": _of_words,
    "action_units": _of_units, "valence_arousal": _of_affect, "causes": _of_causes,
}  # fmt: skip
