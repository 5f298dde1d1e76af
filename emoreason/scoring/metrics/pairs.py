"""Emotion-cause pairs in conversations (ECF, SemEval-2024 task 3) and cause spans (RECCON).

One row for each dialogue. An answer of None could not be read: nothing of it counts as found.
"""

import re
from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from emoreason.scoring.metrics.checks import ScoringError, index_of, same_length
from emoreason.scoring.metrics.ratios import mean_defined, ratio
from emoreason.scoring.metrics.score import PLAIN, Protocol, Score, measure

ECF_EMOTIONS = ("anger", "disgust", "fear", "joy", "sadness", "surprise")


@dataclass(frozen=True)
class Pair:
    """Utterance `effect` shows `emotion` because of utterance `cause`; span: its tokens start..end (end excluded), if marked."""

    effect: int
    cause: int
    emotion: str | None = None
    span: tuple[int, int] | None = None


def pair_scores(
    truth: Sequence[Collection[Pair]],
    answers: Sequence[Collection[Pair] | None],
    emotions: Sequence[str] = ECF_EMOTIONS,
    protocol: Protocol = PLAIN,
) -> list[Score]:
    """F1 of (effect, cause) alone, of pairs with their emotion, and the task's weighted mean over emotions (by annotated share).

    Repeated pairs count once. Emotions outside `emotions` are an error in the truth and a false pair in an answer.
    """
    same_length(truths=truth, answers=answers)
    place = index_of(emotions)
    if foreign := {pair.emotion for row in truth for pair in row} - set(place):
        raise ScoringError(f"truth has pairs of the emotion '{foreign.pop()}', the protocol only {list(emotions)}")
    bare = np.zeros((len(truth), 3), dtype=int)  # [N, found / named / annotated]
    table = np.zeros((len(truth), len(place) + 1, 3), dtype=int)  # [N, K + 1, 3]; the last is for emotions not listed
    for row, (true, predicted) in enumerate(zip(truth, answers, strict=True)):
        bare[row] = _counts(_keys(true, False), _keys(predicted or (), False))
        for k, emotion in enumerate([*emotions, None]):
            table[row, k] = _counts(_of_emotion(true, emotion, place), _of_emotion(predicted or (), emotion, place))
    silent = sum(answer is None for answer in answers)
    summed = table.sum(0)
    parts = dict(zip(emotions, _f1s(summed)[:-1], strict=True)) | _precision_recall(summed.sum(0))
    return [
        measure("pair_f1", micro_f1, (bare,), protocol, "ratio", silent, _precision_recall(bare.sum(0))),
        measure("emotion_pair_f1", lambda t: micro_f1(t.sum(1)), (table,), protocol, "ratio", silent, parts),
        measure("emotion_pair_weighted_f1", _weighted_f1, (table,), protocol, "ratio", silent, parts),
    ]


def span_pair_scores(
    truth: Sequence[Collection[Pair]], answers: Sequence[Collection[Pair] | None], protocol: Protocol = PLAIN
) -> list[Score]:
    """Subtask 1: F1 of pairs whose span is exact (strict), and F1 of span tokens (proportional).

    Proportional: a named span counts its overlap with that true span of the same pair of which it covers the largest share.
    """
    same_length(truths=truth, answers=answers)
    if any(pair.span is None or pair.span[0] >= pair.span[1] for row in truth for pair in row):
        raise ScoringError("every true pair needs a span with at least one token; without spans use pair_scores")
    rows = [(set(true), {pair for pair in predicted or () if pair.span}) for true, predicted in zip(truth, answers, strict=True)]
    strict = np.array([_counts(true, predicted) for true, predicted in rows]).reshape(-1, 3)
    tokens = np.array([_token_counts(true, predicted) for true, predicted in rows]).reshape(-1, 3)
    silent = sum(answer is None for answer in answers)
    return [
        measure(name, micro_f1, (table,), protocol, "ratio", silent, _precision_recall(table.sum(0)))
        for name, table in (("span_strict_f1", strict), ("span_proportional_f1", tokens))
    ]


def cause_span_scores(truth: Sequence[str], answers: Sequence[str | None], protocol: Protocol = PLAIN) -> list[Score]:
    """RECCON, span extraction: one question each, truth "" where the evidence utterance holds no cause.

    Exact match and token F1 (SQuAD) over the positives, F1 of saying "none" over all, token F1 over all.
    """
    same_length(truths=truth, answers=answers)
    true, predicted = [_words(text) for text in truth], [None if text is None else _words(text) for text in answers]
    f1 = np.array([token_f1(t, s) for t, s in zip(true, predicted, strict=True)], dtype=float)
    exact = np.array([t == s for t, s in zip(true, predicted, strict=True)], dtype=float)
    positive = np.array([bool(t) for t in true], dtype=bool)
    none = np.array([[not t and s == [], s == [], not t] for t, s in zip(true, predicted, strict=True)], dtype=int).reshape(-1, 3)
    silent = np.array([s is None for s in predicted], dtype=bool)
    lost = int(silent[positive].sum())
    return [
        measure("span_exact_match", mean_defined, (exact,), protocol, "ratio", lost, None, positive),
        measure("span_token_f1", mean_defined, (f1,), protocol, "ratio", lost, None, positive),
        measure("no_cause_f1", micro_f1, (none,), protocol, "ratio", int(silent.sum()), _precision_recall(none.sum(0))),
        measure("span_token_f1_all", mean_defined, (f1,), protocol, "ratio", int(silent.sum())),
    ]


def token_f1(true: Sequence[str], predicted: Sequence[str] | None) -> float:
    """SQuAD's F1 of two bags of words; 1 where both are empty, 0 where one is or nothing could be read."""
    if predicted is None or not true or not predicted:
        return float(predicted is not None and not true and not predicted)
    return 2 * sum((Counter(true) & Counter(predicted)).values()) / (len(true) + len(predicted))


def _words(text: str) -> list[str]:
    """SQuAD's normalisation: lower case, no punctuation, no articles."""
    return [word for word in re.sub(r"[^\w\s]|_", "", text.lower()).split() if word not in ("a", "an", "the")]


def _keys(pairs: Collection[Pair], with_emotion: bool) -> set[tuple]:
    return {(pair.effect, pair.cause, pair.emotion if with_emotion else None) for pair in pairs}


def _of_emotion(pairs: Collection[Pair], emotion: str | None, place: dict[str, int]) -> set[tuple]:
    """Pairs of one emotion; None: those of no listed emotion."""
    return _keys([pair for pair in pairs if (pair.emotion if pair.emotion in place else None) == emotion], True)


def _counts(true: Collection[Hashable], predicted: Collection[Hashable]) -> tuple[int, int, int]:
    return len(set(true) & set(predicted)), len(predicted), len(true)


def _token_counts(true: Collection[Pair], predicted: Collection[Pair]) -> tuple[int, int, int]:
    overlaps = 0
    for pair in predicted:
        rivals = [t.span for t in true if (t.effect, t.cause, t.emotion) == (pair.effect, pair.cause, pair.emotion)]
        shared = [(max(0, min(pair.span[1], t[1]) - max(pair.span[0], t[0])), t) for t in rivals]
        overlaps += max(shared, key=lambda found: found[0] / (found[1][1] - found[1][0]), default=(0, None))[0]
    length = [sum(pair.span[1] - pair.span[0] for pair in pairs) for pairs in (predicted, true)]
    return overlaps, length[0], length[1]


def _f1s(table: np.ndarray) -> np.ndarray:
    """F1 of rows [..., 3] found, named, annotated; NaN where nothing is annotated or named."""
    return ratio(2 * table[..., 0], table[..., 1] + table[..., 2])


def micro_f1(table: np.ndarray) -> float:
    """F1 of [N, 3] found, named, annotated, summed over rows; NaN where nothing is annotated or named."""
    return _f1s(table.sum(0)).item()


def _weighted_f1(table: np.ndarray) -> float:
    summed = table.sum(0)[:-1]  # [K, 3]
    return ratio(np.nan_to_num(_f1s(summed)) @ summed[:, 2], summed[:, 2].sum()).item()


def _precision_recall(summed: np.ndarray) -> dict[str, float]:
    return {"precision": ratio(summed[0], summed[1]).item(), "recall": ratio(summed[0], summed[2]).item()}
