"""The action units of one face over time, as data: whoever computed them.

Letters in shapes: T frames of one person, A action units.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from emoreason.labels.action_units import AUS, Reliability, Side


class Track(Protocol):
    """What is measured of one face over T frames, as far as action units need it. An `observation.Person` is one."""

    @property
    def times_s(self) -> np.ndarray: ...  # [T]

    @property
    def blendshapes(self) -> np.ndarray: ...  # [T, 52]

    @property
    def geometry(self) -> np.ndarray: ...  # [T, G]

    @property
    def pose(self) -> np.ndarray: ...  # [T, 3] degrees

    @property
    def gaze(self) -> np.ndarray: ...  # [T, 2] degrees

    @property
    def quality(self) -> np.ndarray: ...  # [T, 4]


@dataclass(frozen=True)
class AuEvent:
    """One activation: intensity rises above ACTIVE at onset, peaks at apex, falls below at offset. Seconds; peak 0..1."""

    onset_s: float
    apex_s: float
    offset_s: float
    peak: float
    side: Side


@dataclass(frozen=True)
class AuSeries:
    """The fused action-unit series of one person: what evidence, checker and frame table all use.

    intensity [T, A, 2] in 0..1, smoothed, baseline removed; last axis = subject's left, right (equal for units without side).
    NaN where a unit cannot be measured (no landmarks; AU45 below 20 fps). Axis A follows `aus`.
    """

    times_s: np.ndarray  # [T]
    intensity: np.ndarray  # [T, A, 2]
    events: dict[str, list[AuEvent]]  # only units with at least one event
    source: dict[str, Literal["blendshape", "geometry", "model", "fused"]]
    reliability: dict[str, Reliability]
    aus: tuple[str, ...] = AUS

    def of(self, au: str, side: Side = "both") -> np.ndarray:
        """[T]: the stronger side for `both`, else that side."""
        pair = self.intensity[:, self.aus.index(au)]
        return pair.max(axis=1) if side == "both" else pair[:, 0 if side == "left" else 1]
