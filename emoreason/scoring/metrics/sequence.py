"""Order of events: how much of a reference timeline a timeline tells in the right order.

The offline form of temporal event matching: events are names (an action unit, an emotion, "AU12 p1") with an onset, taken from
structured timelines, so that the longest common subsequence is exact and needs no judge.
"""

from collections.abc import Hashable, Sequence

import numpy as np

from emoreason.scoring.metrics.checks import same_length
from emoreason.scoring.metrics.pairs import micro_f1
from emoreason.scoring.metrics.ratios import ratio
from emoreason.scoring.metrics.score import PLAIN, Protocol, Score, measure

Event = tuple[str, float]  # name, onset in seconds


def lcs_length(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for x in a:
        diagonal = 0
        for j, y in enumerate(b, start=1):
            diagonal, row[j] = row[j], diagonal + 1 if x == y else max(row[j], row[j - 1])
    return row[-1]


def ordered(events: Sequence[Event], tolerance_s: float = 0.0) -> list[str]:
    """Names by onset; events that begin within `tolerance_s` of the first of their group are simultaneous and go by name."""
    names: list[str] = []
    group: list[Event] = []
    for event in sorted(events, key=lambda event: (event[1], event[0])):
        if group and event[1] - group[0][1] > tolerance_s:
            names += sorted(name for name, _ in group)
            group = []
        group.append(event)
    return names + sorted(name for name, _ in group)


def event_order_scores(
    truth: Sequence[Sequence[Event]],
    answers: Sequence[Sequence[Event] | None],
    tolerance_s: float = 0.0,
    protocol: Protocol = PLAIN,
) -> list[Score]:
    """F1 of the longest common subsequence, over all timelines: 2 LCS / (predicted + true). `parts`: precision and recall.

    A timeline that could not be read tells nothing. None where there are no events at all.
    """
    same_length(truths=truth, answers=answers)
    table = np.zeros((len(truth), 3), dtype=int)  # common, predicted, true
    for row, (true, predicted) in enumerate(zip(truth, answers, strict=True)):
        names = ordered(true, tolerance_s), ordered(predicted or (), tolerance_s)
        table[row] = lcs_length(*names), len(names[1]), len(names[0])
    common, predicted, true = table.sum(0)
    parts = {"precision": ratio(common, predicted).item(), "recall": ratio(common, true).item()}
    silent = sum(answer is None for answer in answers)
    return [measure("event_order_f1", micro_f1, (table,), protocol, "ratio", silent, parts)]
