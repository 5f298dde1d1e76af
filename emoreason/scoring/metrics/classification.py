"""Closed labels: accuracy (WAR), recall per class (UAR), F1, confusion; micro-expression and compound sets.

Everything follows from one confusion matrix [K, K + 1] of truth by answer, whose last column holds answers that are no label:
missing, unparsable, or a word of another set. They are wrong, and no class gets them. (scikit-learn has the same numbers, and the
tests compare; an integer matrix is what makes a thousand resamples quick.)
"""

from collections.abc import Callable, Sequence

import numpy as np

from emoreason.scoring.metrics.checks import ScoringError, index_of, same_length
from emoreason.scoring.metrics.ratios import mean_defined, ratio
from emoreason.scoring.metrics.score import PLAIN, Protocol, Score, measure

CLOSED = ("war", "uar", "macro_f1", "weighted_f1")
# MEGC 2019 (See et al., "The second facial micro-expressions grand challenge"): SMIC, CASME II and SAMM in three classes.
MICRO_EXPRESSIONS = ("negative", "positive", "surprise")
_NEGATIVE = ("anger", "contempt", "disgust", "fear", "sadness", "repression", "negative")
MICRO_EXPRESSION_OF = {
    **dict.fromkeys(_NEGATIVE, "negative"),
    **dict.fromkeys(("happiness", "positive"), "positive"),
    "surprise": "surprise",
}
# C-EXPR-DB (Kollias 2023, "Multi-label compound expression recognition"), scored in ABAW by the mean F1 of these seven.
COMPOUND_7 = (
    "fearfully surprised",
    "happily surprised",
    "sadly surprised",
    "disgustedly surprised",
    "angrily surprised",
    "sadly fearful",
    "sadly angry",
)


def encode(truth: Sequence[str], answers: Sequence[str | None], labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Truth and answers [N] as places in `labels`; K stands for an answer that is none of them.

    Raises ScoringError for a truth outside `labels`: the data set and the label list do not belong together.
    """
    same_length(truths=truth, answers=answers)
    place = index_of(labels)
    unknown = next((label for label in truth if label not in place), None)
    if unknown is not None:
        raise ScoringError(f"truth '{unknown}' is not among the labels {list(labels)}; score with the data set's own labels")
    predicted = np.array([len(labels) if answer is None else place.get(answer, len(labels)) for answer in answers], dtype=int)
    return np.array([place[label] for label in truth], dtype=int), predicted


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """[K, K + 1] counts of encoded truth by encoded answer."""
    return np.bincount(truth * (classes + 1) + predicted, minlength=classes * (classes + 1)).reshape(classes, classes + 1)


def on_rows(value: Callable[[np.ndarray], float], classes: int) -> Callable[..., float]:
    """A figure of the confusion matrix as a statistic of encoded truth and answers [N] each, which can be resampled."""
    return lambda truth, answers: value(confusion(truth, answers, classes))


def accuracy(matrix: np.ndarray) -> float:
    """Share of right answers, which the field calls WAR: recall weighted by class. NaN without samples."""
    return ratio(np.trace(matrix), matrix.sum()).item()


def recalls(matrix: np.ndarray) -> np.ndarray:
    """[K] share of each class that was named; NaN for a class without samples."""
    return ratio(np.diag(matrix), matrix.sum(1))


def uar(matrix: np.ndarray) -> float:
    """Unweighted average recall: mean over the classes that have samples (Schuller et al. 2009, INTERSPEECH challenge)."""
    return mean_defined(recalls(matrix))


def f1s(matrix: np.ndarray) -> np.ndarray:
    """[K] F1 = 2TP / (2TP + FP + FN); 0 for a class that is only answered, NaN for one that neither occurs nor is answered."""
    return ratio(2 * np.diag(matrix), matrix.sum(1) + matrix[:, :-1].sum(0))


def macro_f1(matrix: np.ndarray) -> float:
    """Mean F1 of the classes that occur or are answered (scikit-learn's default). Pooled over folds it is UF1 of MEGC 2019."""
    return mean_defined(f1s(matrix))


def weighted_f1(matrix: np.ndarray) -> float:
    """F1 weighted by the share of each class in the truth."""
    return ratio(np.nan_to_num(f1s(matrix)) @ matrix.sum(1), matrix.sum()).item()


def classification_scores(
    truth: Sequence[str],
    answers: Sequence[str | None],
    labels: Sequence[str],
    protocol: Protocol = PLAIN,
) -> list[Score]:
    """WAR, UAR, macro and weighted F1. A fold-wise protocol (DFEW, MAFW) averages the values of its folds."""
    return _scores(truth, answers, labels, protocol, CLOSED)


def classification_statistics(classes: int) -> dict[str, Callable[..., float]]:
    """The same metrics as statistics of encoded truth and answers, for a paired comparison."""
    return {name: on_rows(_MEASURES[name][0], classes) for name in CLOSED}


def micro_expression_scores(truth: Sequence[str], answers: Sequence[str | None], protocol: Protocol = PLAIN) -> list[Score]:
    """UF1 and UAR of MEGC 2019 over {negative, positive, surprise}; pool all leave-one-subject-out folds first.

    Emotions of CASME II and SAMM are merged; "others" and unclear ones are no part of the challenge and raise ScoringError.
    """
    left_out = next((label for label in truth if label not in MICRO_EXPRESSION_OF), None)
    if left_out is not None:
        raise ScoringError(f"'{left_out}' is in none of the three classes of MEGC 2019; leave such samples out")
    merged = [MICRO_EXPRESSION_OF[label] for label in truth]
    predicted = [None if answer is None else MICRO_EXPRESSION_OF.get(answer) for answer in answers]
    return _scores(merged, predicted, MICRO_EXPRESSIONS, protocol, ("uf1", "uar"))


def compound_scores(
    truth: Sequence[str],
    answers: Sequence[str | None],
    labels: Sequence[str] = COMPOUND_7,
    protocol: Protocol = PLAIN,
) -> list[Score]:
    """Macro F1 over compound expressions."""
    return _scores(truth, answers, labels, protocol, ("compound_macro_f1",))


# Name -> (value, its parts by class), both of a confusion matrix.
_MEASURES: dict[str, tuple[Callable[[np.ndarray], float], Callable[[np.ndarray], np.ndarray]]] = {
    "war": (accuracy, recalls),
    "uar": (uar, recalls),
    "macro_f1": (macro_f1, f1s),
    "weighted_f1": (weighted_f1, f1s),
    "uf1": (macro_f1, f1s),
    "compound_macro_f1": (macro_f1, f1s),
}


def _scores(
    truth: Sequence[str], answers: Sequence[str | None], labels: Sequence[str], protocol: Protocol, names: Sequence[str]
) -> list[Score]:
    columns, classes = encode(truth, answers, labels), len(labels)
    matrix = confusion(*columns, classes)
    unanswered = int(matrix[:, -1].sum())
    scores = []
    for name in names:
        value, by_class = _MEASURES[name]
        parts = dict(zip(labels, by_class(matrix), strict=True))
        scores.append(measure(name, on_rows(value, classes), columns, protocol, unanswered=unanswered, parts=parts))
    return scores
