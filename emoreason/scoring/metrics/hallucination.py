"""Paired yes/no questions (EmotionHallucer, Xing et al. 2025): each fact is asked as it is, and once with something made up.

A model that always says yes gets every basic question right and no pair.
"""

from collections.abc import Sequence

import numpy as np

from emoreason.scoring.metrics.checks import same_length
from emoreason.scoring.metrics.ratios import mean_defined, ratio
from emoreason.scoring.metrics.score import PLAIN, Protocol, Score, measure

_YES, _NO, _NEITHER = 1, 0, -1


def hallucination_scores(
    basic: Sequence[bool | None],
    made_up: Sequence[bool | None],
    protocol: Protocol = PLAIN,
) -> list[Score]:
    """`basic`, `made_up`: for each pair whether the answer was yes; right are yes and no. None: neither, wrong.

    overall: both right. yes_bias ("Pct-Diff"): share of yes minus the true share, over the answered questions; 0.5 where every
    answer is yes. false_yes: share of the wrong yes/no answers that are a false yes. None where nothing was wrong.
    """
    same_length(basic=basic, made_up=made_up)
    columns = [np.array([_NEITHER if yes is None else int(yes) for yes in side], dtype=int) for side in (basic, made_up)]
    silent = int(((columns[0] == _NEITHER) | (columns[1] == _NEITHER)).sum())
    parts = {"basic": mean_defined(columns[0] == _YES), "made_up": mean_defined(columns[1] == _NO)} if basic else {}
    return [
        measure("hallucination_overall", _overall, columns, protocol, "ratio", silent, parts),
        measure("yes_bias", _yes_bias, columns, protocol, "1", silent),
        measure("false_yes", _false_yes, columns, protocol, "ratio", silent),
    ]


def _overall(basic: np.ndarray, made_up: np.ndarray) -> float:
    return float(((basic == _YES) & (made_up == _NO)).mean())


def _yes_bias(basic: np.ndarray, made_up: np.ndarray) -> float:
    predicted = np.concatenate([basic, made_up])
    true = np.repeat([_YES, _NO], len(basic))
    answered = predicted != _NEITHER
    return ratio((predicted[answered] - true[answered]).sum(), answered.sum()).item()


def _false_yes(basic: np.ndarray, made_up: np.ndarray) -> float:
    false_yes, false_no = (made_up == _YES).sum(), (basic == _NO).sum()
    return ratio(false_yes, false_yes + false_no).item()
