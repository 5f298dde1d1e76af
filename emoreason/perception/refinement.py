"""Refinement: what a trained head says about the action units of each face, and the series that it makes with what was measured.

Letters: T frames of a track, N of them judged by the head, K units of the head.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from emoreason.labels.action_units import ACTIVE, AUS, GAZE_AUS
from emoreason.perception.action_units import all_events, intensity, smooth
from emoreason.perception.au_series import AuSeries, Track
from emoreason.perception.interpolation import interpolated

TIMED = ("AU43", "AU45", *GAZE_AUS)  # told apart by how long the eyes stay closed or turned, which a frame cannot show
MEASURED_SHARE = 0.5  # of the measurement in the joint logit; the head has the rest


@dataclass(frozen=True)
class HeadUnits:
    """The head's logits [N, K] of the units `aus` of one face, at `times_s` [N] in ascending order."""

    aus: tuple[str, ...]
    times_s: np.ndarray
    logits: np.ndarray


@dataclass(frozen=True)
class Refinement:
    """by: sha256 of the weights that judged; None for weights that are in no file. people: by their names."""

    by: str | None
    people: Mapping[str, HeadUnits]


def refined_series(measured: AuSeries, track: Track, head: HeadUnits) -> AuSeries:
    """The measured series with the head's opinion in it: the mean of both logits, of which 0 means active in either.

    Where a unit cannot be measured it stays NaN, and where the head did not judge the measurement stays as it is. Both sides move
    alike: their difference only the measurement knows. Units that are told apart by their duration stay measured.
    """
    logits, known = interpolated(track.times_s, head.times_s, head.logits)  # [T, K], [T]
    logits = smooth(logits, track.times_s, np.clip(np.nan_to_num(track.quality[:, 3]), 0.05, 1) * known)
    shown, source = measured.intensity.astype(float), dict(measured.source)
    for column, au in enumerate(head.aus):
        if au not in TIMED:
            place = AUS.index(au)
            own = _logit(shown[known, place])  # [t, 2]
            shown[known, place] = intensity(MEASURED_SHARE * own + (1 - MEASURED_SHARE) * logits[known, column, None])
            source[au] = "model"
    return replace(measured, intensity=shown.astype(np.float32), events=all_events(shown, track.times_s), source=source)


def _logit(shown: np.ndarray) -> np.ndarray:
    """Inverse of `action_units.intensity`; NaN stays NaN."""
    p = np.clip(shown, 1e-4, 1 - 1e-4)
    return np.log(p / (1 - p)) + np.log(1 / ACTIVE - 1)
