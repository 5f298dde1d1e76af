"""REGE (FABA-Bench, Li et al. 2024): recognition plus generation, 100 points each.

Recognition is the accuracy of the emotion or the mean F1 of action units; generation is ROUGE-L of the description. ROUGE-L
rewards wording, not truth: read it beside the checks of claims, never alone.
"""

import re
from collections.abc import Sequence

import numpy as np

from emoreason.scoring.metrics.action_units import mean_f1
from emoreason.scoring.metrics.checks import same_length
from emoreason.scoring.metrics.score import PLAIN, Protocol, Score, measure
from emoreason.scoring.metrics.sequence import lcs_length

_WORD = re.compile(r"[a-z0-9]+")


def rouge_l(reference: str, candidate: str) -> float:
    """F1 of the longest common subsequence of words (Lin 2004, beta = 1; lower case, no stemming). 0 where one text is empty."""
    a, b = _WORD.findall(reference.lower()), _WORD.findall(candidate.lower())
    return 2 * lcs_length(a, b) / (len(a) + len(b)) if a and b else 0.0


def rege_emotion_scores(
    truth: Sequence[str],
    answers: Sequence[str | None],
    references: Sequence[str],
    texts: Sequence[str | None],
    protocol: Protocol = PLAIN,
) -> list[Score]:
    """Emotion track: 100 x accuracy + 100 x mean ROUGE-L, in points of 200. A missing text has ROUGE-L 0."""
    same_length(truths=truth, answers=answers, references=references, texts=texts)
    right = np.array([true == predicted for true, predicted in zip(truth, answers, strict=True)], dtype=float)
    rouge = _rouge(references, texts)
    parts = {"recognition": 100 * right.mean(), "generation": 100 * rouge.mean()} if len(right) else {}
    silent = sum(answer is None for answer in answers)

    def points(right: np.ndarray, rouge: np.ndarray) -> float:
        return 100 * float(right.mean() + rouge.mean())

    return [measure("rege_emotion", points, (right, rouge), protocol, "points", silent, parts)]


def rege_au_scores(
    truth: np.ndarray,
    predicted: np.ndarray,
    references: Sequence[str],
    texts: Sequence[str | None],
    protocol: Protocol = PLAIN,
) -> list[Score]:
    """Action-unit track: 100 x mean F1 of `action_units.present` tables [N, A] + 100 x mean ROUGE-L."""
    same_length(truths=truth, answers=predicted, references=references, texts=texts)
    rouge = _rouge(references, texts)
    parts = {"recognition": 100 * mean_f1(truth, predicted), "generation": 100 * rouge.mean()} if len(rouge) else {}
    silent = int(np.isnan(predicted).any(1).sum())

    def points(truth: np.ndarray, predicted: np.ndarray, rouge: np.ndarray) -> float:
        return 100 * (mean_f1(truth, predicted) + float(rouge.mean()))

    return [measure("rege_au", points, (truth, predicted, rouge), protocol, "points", silent, parts)]


def _rouge(references: Sequence[str], texts: Sequence[str | None]) -> np.ndarray:
    return np.array([rouge_l(reference, text or "") for reference, text in zip(references, texts, strict=True)], dtype=float)
