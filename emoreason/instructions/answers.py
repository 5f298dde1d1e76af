"""Scores of single answers, strict: what cannot be read is wrong and says so. The same numbers serve as metric and as reward."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from emoreason.instructions.record import ClosedLabel, Record, Sentence
from emoreason.labels.emotions import ALIASES, canonical
from emoreason.scoring import plain_answer as plain
from emoreason.scoring.answer import parse_answer
from emoreason.scoring.grammar import parse
from emoreason.scoring.plain_answer import affect_said
from emoreason.scoring.plain_answer import yes_no_said as yes_no

Score = dict[str, bool | float]

_EMOTION_WORDS = frozenset(word for words in ALIASES.values() for word in words)


class Exchange(NamedTuple):
    """`provenance`: every sentence of the answer outside its <answer> fields, in order, and where it comes from."""

    question: str
    answer: str
    provenance: tuple[Sentence, ...]


def label_of(record: Record, scheme: str) -> str | None:
    """The label's value, or the one word with the largest share; None without a label or where two words share the lead."""
    label: ClosedLabel | None = record.label(scheme)
    if label is None or label.value is not None or not label.shares:
        return label and label.value
    most = max(label.shares.values())
    first = [word for word, share in label.shares.items() if share == most]
    return first[0] if len(first) == 1 else None


def label_score(text: str, truth: str | None, candidates: Sequence[str]) -> Score:
    """Whether the answer field names the truth; an answer of "unclear" is readable and only right where the truth is None."""
    answer = parse_answer(text, tuple(candidates))
    return {"readable": answer.problem is None, "correct": answer.problem is None and answer.emotion == truth}


def set_score(said: Iterable, truth: Iterable, readable: bool = True) -> Score:
    """Precision, recall and F1 of two sets; two empty sets agree."""
    said, truth = set(said), set(truth)
    hits = len(said & truth)
    precision = hits / len(said) if said else float(not truth)
    recall = hits / len(truth) if truth else float(not said)
    f1 = 2 * hits / (len(said) + len(truth)) if said or truth else 1.0
    return {"readable": readable} | ({"precision": precision, "recall": recall, "f1": f1} if readable else
                                     {"precision": 0.0, "recall": 0.0, "f1": 0.0})  # fmt: skip


def units_said(text: str, labels: Sequence[str] = ()) -> tuple[str, ...] | None:
    """Action units an answer claims: of its `aus` field where it has answer fields, else of its sentences. None: unreadable."""
    if "<answer>" in text:
        answer = parse_answer(text, tuple(labels))
        return None if answer.problem else answer.aus
    said = plain.units_said(text)
    return None if said is None else tuple(dict.fromkeys(unit.au for unit in said))


def several_said(text: str, labels: Sequence[str]) -> set[str]:
    """All labels that a sentence asserts, by their own words or by synonyms that mean no other label."""
    words = plain.spellings(labels)
    return {words[word] for word in plain.words_said(text, words)}


def clues_said(text: str) -> set[str]:
    """What a description tells: cues that the grammar reads, with their modality, and emotions by any of their words."""
    cues = {f"{statement.modality} {statement.cue}" for statement in parse(text) if not statement.negated}
    return cues | {canonical(word) or word for word in plain.words_said(text, _EMOTION_WORDS)}


def drawn(asked: Exchange | None, task: str) -> Exchange:
    """The exchange a drawn question came from. Raises ValueError without it: the record alone does not tell what was asked."""
    if asked is None:
        raise ValueError(f"task {task}: scoring needs the exchange that was asked (score(text, record, exchange))")
    return asked


def yes_no_score(text: str, truth: bool) -> Score:
    """Whether the answer says the right one of yes and no; neither said is wrong."""
    said = yes_no(text)
    return {"readable": said is not None, "correct": said is truth}


def affect_score(text: str, valence: float, arousal: float) -> Score:
    """Absolute errors; an unreadable answer errs by the whole range. A set's concordance needs all numbers: `affect_said`."""
    said = affect_said(text)
    errors = (2.0, 2.0) if said is None else (abs(said[0] - valence), abs(said[1] - arousal))
    return {"readable": said is not None, "valence_error": errors[0], "arousal_error": errors[1]}
