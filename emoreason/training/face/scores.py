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
from emoreason.training.face.batches import stills
from emoreason.training.face.data import Faces
from emoreason.training.face.model import FaceTraining

CODED = tuple(f"AU{n:02d}" for n in (1, 2, 4, 5, 6, 7, 9, 12, 14, 15, 17, 20, 23, 24, 25, 27))  # often enough in CK+
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
    """Share that is right."""
    return float((chosen == truth).float().mean())


def uar(chosen: Tensor, truth: Tensor) -> float:
    """Unweighted average recall over the classes that occur."""
    return float(torch.stack([(chosen[truth == k] == k).float().mean() for k in truth.unique()]).mean())


def mean_f1(probabilities: Tensor, coded: Tensor, threshold: float | Tensor = 0.5) -> tuple[float, dict[str, float]]:
    """Over CODED, pictures that were not coded left out: [N, A] each. Also unit by unit."""
    chosen, each = probabilities >= threshold, {}
    for au in CODED:
        column = AUS.index(au)
        known = ~coded[:, column].isnan()
        truth, said = coded[known, column] == 1, chosen[known, column]
        each[au] = float(2 * (truth & said).sum() / (truth.sum() + said.sum()).clamp_min(1))
    return sum(each.values()) / len(each), each


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


def interval(score: Callable[[np.ndarray], float], groups: Sequence[str], draws: int = 500, seed: int = 0) -> list[float]:
    """95 % percentile bootstrap: `score(places)` over groups (subjects; single pictures where nobody knows) drawn with return."""
    rng, members = np.random.default_rng(seed), {}
    for place, group in enumerate(groups):
        members.setdefault(group, []).append(place)
    pools = [np.array(places) for places in members.values()]
    scores = [score(np.concatenate([pools[i] for i in rng.integers(0, len(pools), len(pools))])) for _ in range(draws)]
    return [float(np.percentile(scores, q)) for q in (2.5, 97.5)]
