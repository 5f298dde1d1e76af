"""How good the face encoder is on labelled still pictures, with bootstrap intervals over subjects or pictures.

Letters: N pictures, E emotions, A action units.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from emoreason.labels.action_units import AUS
from emoreason.labels.emotions import EMOTIONS
from emoreason.model.precision import fast_bf16
from emoreason.scoring.metrics import classification
from emoreason.scoring.metrics.action_units import AU_SETS, f1s
from emoreason.scoring.metrics.intervals import bootstrap
from emoreason.scoring.metrics.ratios import mean_defined
from emoreason.scoring.metrics.score import number_or_none
from emoreason.training.face.batches import stills
from emoreason.training.face.data import Faces
from emoreason.training.face.model import FaceTraining

CODED = AU_SETS["ckplus16"]
_AT_ONCE = 256


@torch.no_grad()
def predict(model: FaceTraining, faces: Faces, bf16: bool = False, in_mirror: bool = False) -> tuple[Tensor, Tensor]:
    """Logits of single pictures, or of their mirror images: emotion [N, E], units [N, A]."""
    model.eval()
    emotion, units = [], []
    for places in torch.arange(len(faces)).split(_AT_ONCE):
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            frames = model.face(stills(faces, places, in_mirror)).frames[:, 0, 0]
            emotion.append(model.emotion(frames).float())
            units.append(model.units(frames).float())
    return torch.cat(emotion), torch.cat(units)


def accuracy(chosen: Tensor, truth: Tensor) -> float:
    """Share that is right, of places in EMOTIONS [N]."""
    return classification.accuracy(_confusion(chosen, truth))


def uar(chosen: Tensor, truth: Tensor) -> float:
    """Unweighted average recall over the classes that occur."""
    return classification.uar(_confusion(chosen, truth))


def _confusion(chosen: Tensor, truth: Tensor) -> np.ndarray:
    return classification.confusion(truth.numpy(), chosen.numpy(), len(EMOTIONS))


def mean_f1(probabilities: Tensor, coded: Tensor) -> tuple[float, dict[str, float | None]]:
    """Over CODED: [N, A] each, NaN where a picture was not coded. Also unit by unit, None for a unit without positives."""
    columns = [AUS.index(au) for au in CODED]
    each = f1s(coded[:, columns].numpy(), (probabilities >= 0.5)[:, columns].float().numpy())
    return mean_defined(each), {au: number_or_none(value) for au, value in zip(CODED, each, strict=True)}


def decide(logits: Tensor, log_prior: Tensor, wanted: Tensor | None = None, among: Sequence[str] = EMOTIONS) -> Tensor:
    """[N] places in EMOTIONS, of those `among`: the head's prior divided out, `wanted` [E] multiplied in (None: uniform)."""
    evidence = logits - log_prior + (0.0 if wanted is None else wanted.clamp_min(1e-6).log())
    barred = torch.tensor([emotion not in among for emotion in EMOTIONS])
    return evidence.masked_fill(barred, -torch.inf).argmax(1)


def natural(faces: Faces) -> Tensor:
    """[E] mean shares of the labelled pictures."""
    labels = faces["emotion"]
    return labels[~labels.isnan().any(1)].mean(0)


def scores(model: FaceTraining, faces: Faces, wanted: Tensor | None = None, among: Sequence[str] = EMOTIONS) -> dict[str, float]:
    """Of pictures with a majority: accuracy and UAR where emotions are as frequent as `wanted` [E] (None: as in `faces`), both
    again where all are equally so, and the mean of the first two, by which weights are chosen. among: which may be chosen."""
    clear = faces.where(faces["majority"] >= 0)
    logits, _ = predict(model, clear, bf16=fast_bf16(torch.device("cpu")))
    truth, prior = clear["majority"].long(), model.emotion.log_prior
    home = decide(logits, prior, natural(clear) if wanted is None else wanted, among)
    even = decide(logits, prior, among=among)
    out = {"accuracy": accuracy(home, truth), "uar": uar(home, truth)}
    return out | {"accuracy_even": accuracy(even, truth), "uar_even": uar(even, truth), "score": sum(out.values()) / 2}


def interval(score: Callable[[np.ndarray], float], groups: Sequence[str]) -> tuple[float, float] | None:
    """95 % bootstrap interval of `score(places)` over groups: subjects, or single pictures where they are not known."""
    return bootstrap(score, (np.arange(len(groups)),), groups)
