"""Heads as modules: loss and activation follow from what a head answers (`HeadSpec`).

K is the number of classes; a head reads features [..., D] and gives logits [..., K].
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emoreason.model.head_spec import HeadCalibration, HeadSpec


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

    def activation(self, logits: Tensor) -> Tensor:
        """Logits [..., K] -> probabilities (single_label, distribution: sum 1), independent ones (multi_label), or values."""
        if self.spec.problem in ("single_label", "distribution"):
            return logits.softmax(-1)
        return logits.sigmoid() if self.spec.problem == "multi_label" else logits

    def loss(self, logits: Tensor, target: Tensor, mask: Tensor | None = None, weight: Tensor | None = None) -> Tensor:
        """Mean over what `mask` [...] keeps; 0 where it keeps nothing.

        target: [...] class ids (single_label); [..., K] shares (distribution), 0/1 with NaN = not coded (multi_label),
        values (regression). `weight` [K] re-weights classes.
        """
        if self.spec.problem == "single_label":
            target = F.one_hot(target.clamp_min(0), len(self.spec.labels)).to(logits.dtype)  # [..., K]
        known = ~torch.isnan(target)
        target = torch.where(known, target, 0.0)
        if self.spec.problem in ("single_label", "distribution"):
            per_class = -target * logits.log_softmax(-1)
        elif self.spec.problem == "multi_label":
            per_class = F.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="none")
        else:
            per_class = (logits - target).square()
        per_class = per_class * known * (1.0 if weight is None else weight)  # [..., K]
        count = known.any(-1) if self.spec.problem in ("single_label", "distribution") else known.sum(-1)  # [...]
        keep = torch.ones_like(per_class[..., 0]) if mask is None else mask.to(per_class.dtype)
        return (per_class.sum(-1) * keep).sum() / (count * keep).sum().clamp_min(1)

    def set_prior(self, shares: Tensor) -> None:
        """Class shares [K] of the training data, as the fusion will divide them out. Raises ValueError on a zero share."""
        if shares.shape != self.log_prior.shape or (shares <= 0).any():
            raise ValueError(f"head '{self.spec.name}': prior must be {len(self.log_prior)} positive shares, got {shares}")
        self.log_prior.copy_((shares / shares.sum()).log())

    def log_evidence(self, logits: Tensor) -> Tensor:
        """[..., K] calibrated log p - log prior: what this head has to say beyond what it expected."""
        return (logits / self.temperature).log_softmax(-1) - self.log_prior

    def calibration(self) -> HeadCalibration:
        """Its prior and temperature, without its weights."""
        return HeadCalibration(self.spec, self.log_prior.float().cpu().numpy(), float(self.temperature))
