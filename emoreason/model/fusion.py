"""One verdict out of several heads: prior-corrected log-linear fusion.

    log p(c) = sum_m w_m (log p_m(c) - log pi_m(c)) + log pi_0(c) + const,   pi_0 uniform

Each head's class prior pi_m is divided out (Saerens, Latinne & Decaestecker 2002), so a head trained on mostly neutral faces
does not vote neutral by habit. A missing modality adds 0. A head that lacks a class has no evidence on it: its share is 0
there, and its shares on the classes it knows are kept centred, so that knowing fewer classes favours none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax


@dataclass(frozen=True)
class Source:
    """Evidence of one head: log_evidence [..., K] = log p - log prior, over `labels` of length K. `weight` is its fusion weight.

    `present` bool [...] is False where the modality is missing for that sample.
    """

    labels: Sequence[str]
    log_evidence: np.ndarray
    weight: float = 1.0
    present: np.ndarray | None = None


def fuse(sources: Sequence[Source], labels: Sequence[str]) -> np.ndarray:
    """log-probabilities [..., len(labels)]; uniform when no source is present. Raises ValueError without any source."""
    if not sources:
        raise ValueError("fusion needs at least one source, present or not, to know the batch's shape")
    return log_softmax(sum(_aligned(source, labels) for source in sources), axis=-1)


def _aligned(source: Source, labels: Sequence[str]) -> np.ndarray:
    """[..., len(labels)] weighted evidence in the order of `labels`, 0 for the classes the head lacks."""
    known = [(labels.index(name), k) for k, name in enumerate(source.labels) if name in labels]
    evidence = source.log_evidence[..., [k for _, k in known]]
    if 0 < len(known) < len(labels):
        # Without all classes only differences between the known ones mean something; the absent ones sit at their mean.
        evidence = evidence - evidence.mean(-1, keepdims=True)
    out = np.zeros((*evidence.shape[:-1], len(labels)), evidence.dtype)
    out[..., [index for index, _ in known]] = evidence
    if source.present is not None:
        out = np.where(np.asarray(source.present)[..., None], out, 0)
    return source.weight * out


def clip_evidence(frame_logits: np.ndarray, quality: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """[..., K]: quality-weighted mean over frames of logits [..., T, K] with quality and mask [..., T]; 0 where none is valid."""
    weight = (quality * mask)[..., None]  # [..., T, 1]
    return (np.where(mask[..., None], frame_logits, 0) * weight).sum(-2) / np.maximum(weight.sum(-2), 1e-6)
