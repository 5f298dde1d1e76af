"""Heads, described by problem x resolution: loss, activation and metric follow from the pair.

K is the number of classes; a head reads features [..., D] and gives logits [..., K].
"""

from dataclasses import asdict, dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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

    def activation(self, logits: Tensor) -> Tensor:
        """Logits [..., K] -> probabilities (single_label, distribution: sum 1), independent ones (multi_label), or values."""
        if self.problem in ("single_label", "distribution"):
            return logits.softmax(-1)
        return logits.sigmoid() if self.problem == "multi_label" else logits

    def loss(self, logits: Tensor, target: Tensor, mask: Tensor | None = None, weight: Tensor | None = None) -> Tensor:
        """Mean over what `mask` [...] keeps; 0 where it keeps nothing.

        target: [...] class ids (single_label); [..., K] shares (distribution), 0/1 with NaN = not coded (multi_label),
        values (regression). `weight` [K] re-weights classes.
        """
        if self.problem == "single_label":
            target = F.one_hot(target.clamp_min(0), len(self.labels)).to(logits.dtype)  # [..., K]
        known = ~torch.isnan(target)
        target = torch.where(known, target, 0.0)
        if self.problem in ("single_label", "distribution"):
            per_class = -target * logits.log_softmax(-1)
        elif self.problem == "multi_label":
            per_class = F.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="none")
        else:
            per_class = (logits - target).square()
        per_class = per_class * known * (1.0 if weight is None else weight)  # [..., K]
        count = known.any(-1) if self.problem in ("single_label", "distribution") else known.sum(-1)  # [...]
        keep = torch.ones_like(per_class[..., 0]) if mask is None else mask.to(per_class.dtype)
        return (per_class.sum(-1) * keep).sum() / (count * keep).sum().clamp_min(1)

    def to_dict(self) -> dict:
        return asdict(self) | {"labels": list(self.labels)}


class Head(nn.Module):
    """Norm, dropout, linear. Carries its training prior (for fusion) and its temperature (set by calibration)."""

    def __init__(self, spec: HeadSpec, dim: int, dropout: float = 0.1):
        super().__init__()
        self.spec = spec
        self.norm, self.drop, self.out = nn.LayerNorm(dim), nn.Dropout(dropout), nn.Linear(dim, len(spec.labels))
        self.register_buffer("log_prior", torch.full((len(spec.labels),), -float(torch.tensor(len(spec.labels)).log())))
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, features: Tensor) -> Tensor:
        return self.out(self.drop(self.norm(features)))  # [..., K]

    def set_prior(self, shares: Tensor) -> None:
        """Class shares [K] of the training data, as the fusion will divide them out. Raises ValueError on a zero share."""
        if shares.shape != self.log_prior.shape or (shares <= 0).any():
            raise ValueError(f"head '{self.spec.name}': prior must be {len(self.log_prior)} positive shares, got {shares}")
        self.log_prior.copy_((shares / shares.sum()).log())

    def log_evidence(self, logits: Tensor) -> Tensor:
        """[..., K] calibrated log p - log prior: what this head has to say beyond what it expected."""
        return (logits / self.temperature).log_softmax(-1) - self.log_prior
