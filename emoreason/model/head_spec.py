"""What a head answers, and what a verdict takes from it. Letters: K classes."""

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from scipy.special import log_softmax

UNITS_HEAD = "action_units"  # name of the head that refines what was measured

Problem = Literal["single_label", "distribution", "multi_label", "regression"]
Resolution = Literal["frame", "clip"]
_METRICS = {"single_label": "uar", "distribution": "uar", "multi_label": "mean_f1", "regression": "ccc"}


@dataclass(frozen=True)
class HeadSpec:
    """What a head answers. `labels` are names, never ids: their order is part of the saved config."""

    name: str
    part: Literal["face", "voice", "words", "utterance"]
    problem: Problem
    resolution: Resolution
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.labels)) != len(self.labels) or not self.labels:
            raise ValueError(f"head '{self.name}': labels must be distinct and at least one, got {list(self.labels)}")
        if self.problem not in _METRICS:
            raise ValueError(f"head '{self.name}': unknown problem '{self.problem}', use one of {', '.join(_METRICS)}")

    @property
    def metric(self) -> str:
        return _METRICS[self.problem]

    def to_dict(self) -> dict:
        return asdict(self) | {"labels": list(self.labels)}


@dataclass(frozen=True)
class HeadCalibration:
    """How a trained head's logits are to be read: the class shares it was trained on and its temperature."""

    spec: HeadSpec
    log_prior: np.ndarray  # [K]
    temperature: float = 1.0

    def log_evidence(self, logits: np.ndarray) -> np.ndarray:
        """[..., K] calibrated log p - log prior: what this head has to say beyond what it expected."""
        return log_softmax(logits / self.temperature, axis=-1) - self.log_prior
