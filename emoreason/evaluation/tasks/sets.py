"""What kinds whose answers are sets have in common."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from emoreason.evaluation.results import SampleResult
from emoreason.evaluation.tasks.task import Paired
from emoreason.scoring.metrics.pairs import micro_f1
from emoreason.scoring.metrics.score import Score


def pair_sets(rows: Sequence[SampleResult], key: str, item: Callable) -> Paired:
    """F1 of the sets under `key`, compared as `item` makes them: no wheel."""
    table = np.zeros((len(rows), 3))  # found, named, true
    for place, row in enumerate(rows):
        truth, answers = ({item(one) for one in (content or {}).get(key, ())} for content in (row.truth, row.prediction))
        table[place] = len(truth & answers), len(answers), len(truth)
    return Paired((), table, {f"{key}_f1": micro_f1})


def defined_parts(scores: Sequence[Score]) -> dict[str, Any]:
    """What the primary metric is made of."""
    return {"parts": [(name, value) for name, value in scores[0].parts.items() if value is not None]}
