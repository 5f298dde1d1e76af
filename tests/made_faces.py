"""Prepared faces without pictures behind them: noise with labels, as many as a test asks for."""

import torch

from emoreason.labels.action_units import AUS
from emoreason.labels.emotions import EMOTIONS
from emoreason.training.face.data import Faces, fold_of
from emoreason.training.face.prepare import Crop

E, A = len(EMOTIONS), len(AUS)
CROP = Crop(48, 0.1)


def made_faces(dataset: str = "ferplus", count: int = 40, seed: int = 0, crop: Crop = CROP, **changed: torch.Tensor) -> Faces:
    """Emotions in turn, all with a mesh; the first half is train, then valid and test. Of CK+: two frames a sequence, first
    and last, in the edition with neutral frames; AU12 goes with happiness."""
    rng = torch.Generator().manual_seed(seed)
    majority = torch.arange(count) % E
    ids, groups = [f"p{i}" for i in range(count)], [f"g{i}" for i in range(count)]
    if dataset != "ferplus":
        ids = [f"S{i // 4:03}_{i // 2:03}_{i % 2 * 11 + 1:08}" for i in range(count)]
        groups = [name[:4] for name in ids]
    if dataset == "ckplus_neutral_peak":
        majority = torch.where(torch.arange(count) % 2 == 0, EMOTIONS.index("neutral"), (majority // 2) % 4)
    if dataset == "ckplus48":
        majority = (torch.arange(count) // 2) % 5
    coded = torch.full((count, A), torch.nan)
    if dataset != "ferplus":
        coded[:, AUS.index("AU12")] = (majority == EMOTIONS.index("happiness")).float()
        coded[:, AUS.index("AU04")] = (majority == EMOTIONS.index("anger")).float()
    fold = torch.tensor([fold_of(group) for group in groups])
    split = (torch.arange(count) * 4 // count - 1).clamp(0)
    if dataset != "ferplus":  # by subject, as in the recipes
        split = (fold - 2).clamp(0)
    arrays = {
        "crops": torch.randint(0, 256, (count, crop.canvas, crop.canvas), generator=rng, dtype=torch.uint8),
        "landmarks": torch.rand(count, 478, 3, generator=rng).half(),
        "blendshapes": torch.rand(count, 52, generator=rng).half(),
        "pose": 10 * torch.randn(count, 3, generator=rng),
        "gaze": 10 * torch.randn(count, 2, generator=rng),
        "quality": torch.rand(count, generator=rng),
        "mesh": torch.ones(count, dtype=torch.bool),
        "emotion": torch.eye(E)[majority],
        "known": torch.ones(count),
        "majority": majority.to(torch.int8),
        "doubted": torch.zeros(count, dtype=torch.bool),
        "aus": coded,
        "measured": torch.rand(count, A, generator=rng),
        "split": split.to(torch.int8),
        "fold": fold.to(torch.int8),
    }
    sequence = None if dataset == "ferplus" else r"^(.+)_\d+$"
    return Faces(dataset, tuple(ids), tuple(groups), arrays | changed, sequence, 30.0)
