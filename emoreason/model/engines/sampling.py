"""Sampling: answers drawn with a seed, and the model's own log-probabilities of what was written.

Letters: N rows, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax


@dataclass(frozen=True)
class Sampling:
    """How answers are drawn. temperature 0 is greedy; `top_p` keeps the likeliest tokens whose probabilities reach that sum.

    An answer depends on its prompt, the seed and its number among the `answers` to that prompt, never on the rest of a batch.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0
    answers: int = 1

    def __post_init__(self) -> None:
        """Raises ValueError for a value out of range."""
        if self.temperature < 0:
            raise ValueError(f"temperature must be at least 0, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must lie in (0, 1], got {self.top_p}")
        if self.answers < 1 or self.seed < 0:
            raise ValueError(f"answers must be at least 1 and seed at least 0, got {self.answers} and {self.seed}")


@dataclass(frozen=True)
class Written:
    """One answer. `tokens` include the one that ended it, if it ended; `log_probs`: the model's log p of each given those before,
    as a teacher-forced pass gives them: over the whole vocabulary, at temperature 1."""

    text: str
    tokens: tuple[int, ...]
    log_probs: tuple[float, ...]


class Sampler:
    """Chooses the next token of every row. Row r answers prompt r // answers; each has a random stream of its own."""

    def __init__(self, sampling: Sampling, prompts: int, banned: Sequence[int]):
        self.sampling, self.banned = sampling, list(banned)
        numbers = [number for _ in range(prompts) for number in range(sampling.answers)]
        self.streams = [np.random.default_rng((sampling.seed, number)) for number in numbers]

    def choose(self, logits: np.ndarray, rows: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Tokens [N] after logits [N, V] of those rows, and their log-probabilities [N]."""
        log_p = log_softmax(logits, axis=-1)
        allowed = log_p.copy()
        allowed[:, self.banned] = -np.inf
        if self.sampling.temperature == 0:
            tokens = allowed.argmax(-1)
        else:
            tokens = np.array([self._draw(one, self.streams[row]) for one, row in zip(allowed, rows, strict=True)])
        return tokens, np.take_along_axis(log_p, tokens[:, None], -1)[:, 0]

    def _draw(self, log_p: np.ndarray, stream: np.random.Generator) -> int:
        """By the inverse of the cumulated probabilities: one random number per token."""
        p = np.exp((log_p - log_p.max()).astype(np.float64) / self.sampling.temperature)  # [V]
        if self.sampling.top_p < 1:
            order = np.argsort(-p, kind="stable")
            kept = np.searchsorted(np.cumsum(p[order]), self.sampling.top_p * p.sum()) + 1
            p[order[kept:]] = 0
        cumulated = np.cumsum(p)
        drawn = np.searchsorted(cumulated, stream.random() * cumulated[-1], side="right")
        return int(min(drawn, np.flatnonzero(p)[-1]))  # the product may round up to the whole sum
