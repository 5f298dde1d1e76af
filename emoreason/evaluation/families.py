"""Metrics of certain sets and benchmarks, which a suite asks for under `metrics` beside those of its kind.

mosi               CMU-MOSI and MOSEI: Acc-2/5/7, F1, MAE, correlation, on their scale of -3..3
polarity           MER-UniBench, sentiment: positive against the rest, zeros left out
micro_expressions  MEGC 2019: UF1 and UAR over negative, positive, surprise; other emotions are left out
intensity          graded action units (DISFA, BP4D): ICC(3,1) and MAE
hit                MER-UniBench, closed sets answered in free words: hit rate, with list length and precision beside it
rege               FABA-Bench: recognition plus ROUGE-L of the human text, where a set has both; a check of wording, not of truth
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from emoreason.errors import ConfigError
from emoreason.evaluation.results import Row
from emoreason.scoring.metrics.action_units import intensity_scores
from emoreason.scoring.metrics.classification import MICRO_EXPRESSION_OF, micro_expression_scores
from emoreason.scoring.metrics.open_vocabulary import hit_scores
from emoreason.scoring.metrics.rege import rege_emotion_scores
from emoreason.scoring.metrics.score import Protocol, Score
from emoreason.scoring.metrics.sentiment import mosi_scores, polarity_scores
from emoreason.scoring.metrics.wheels import WheelTables

MOSI_SCALE = 3.0  # of the published numbers; records hold -1..1
FACS_SCALE = 5.0  # letters A to E; records hold 0..1


def of_family(
    name: str, rows: Sequence[Row], protocol: Protocol, labels: Sequence[str], tables: WheelTables, units: Sequence[str]
) -> list[Score]:
    """Raises ConfigError where no row has what the family needs."""
    has, scores = _FAMILIES[name]
    counted = [row for row in rows if has(row)]
    if not counted:
        raise ConfigError(f"metrics '{name}': no sample of this suite has what they are made of")
    groups = None if protocol.groups is None else [row.group for row in counted]
    return scores(counted, replace(protocol, groups=groups), labels, tables, units)


def _said(row: Row, key: str):
    return row.prediction[key] if row.prediction else None


def _mosi(rows, protocol, labels, tables, units) -> list[Score]:
    said = [_said(row, "score") for row in rows]
    scaled = [None if value is None else MOSI_SCALE * value for value in said]
    found = mosi_scores([MOSI_SCALE * row.truth["score"] for row in rows], scaled, protocol)
    return [replace(score, metric=f"mosi_{score.metric}") for score in found]


def _polarity(rows, protocol, labels, tables, units) -> list[Score]:
    return polarity_scores([row.truth["score"] for row in rows], [_said(row, "label") for row in rows], protocol)


def _micro(rows, protocol, labels, tables, units) -> list[Score]:
    found = micro_expression_scores([row.truth["label"] for row in rows], [_said(row, "label") for row in rows], protocol)
    return [replace(score, metric=f"megc_{score.metric}") for score in found]


def _intensity(rows, protocol, labels, tables, units) -> list[Score]:
    truth = [[row.truth["intensities"].get(au, np.nan) for au in units] for row in rows]  # [N, A]
    found = [_said(row, "units") or {} for row in rows]
    said = [[np.nan if one.get(au) is None else one[au] for au in units] for one in found]
    return intensity_scores(FACS_SCALE * np.array(truth), FACS_SCALE * np.array(said, dtype=float), units, FACS_SCALE, protocol)


def _hit(rows, protocol, labels, tables, units) -> list[Score]:
    truth = [row.truth["words"][0] for row in rows]
    return hit_scores(truth, [_said(row, "words") for row in rows], labels, tables, protocol)


def _rege(rows, protocol, labels, tables, units) -> list[Score]:
    truth, references = [row.truth["label"] for row in rows], [row.truth["reference"] for row in rows]
    return rege_emotion_scores(truth, [_said(row, "label") for row in rows], references, [row.text for row in rows], protocol)


def _graded(row: Row) -> bool:
    return row.truth["score"] is not None


_FAMILIES: dict[str, tuple[Callable[[Row], bool], Callable[..., list[Score]]]] = {
    "mosi": (_graded, _mosi),
    "polarity": (_graded, _polarity),
    "micro_expressions": (lambda row: row.truth["label"] in MICRO_EXPRESSION_OF, _micro),
    "intensity": (lambda row: bool(row.truth.get("intensities")), _intensity),
    "hit": (lambda row: len(row.truth["words"]) == 1, _hit),
    "rege": (lambda row: bool(row.truth["label"] and row.truth["reference"]), _rege),
}
