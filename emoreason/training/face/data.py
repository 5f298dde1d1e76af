"""Faces as the stage `face` reads them: crops, meshes, signals and labels of every picture of a data set.

Letters: N pictures, S side of a canvas, E emotions, A action units.

Canvases are a little larger than the crop that the encoder sees, at the same scale: the middle of a canvas is exactly the crop
that `model.segment_input` cuts, and the rest is there for augmentation to move in. face/prepare.py makes them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import torch
from torch import Tensor

from emoreason.labels.emotions import EMOTIONS
from emoreason.training.settings.face import FaceDataSettings

FOLDS = 5  # of subjects, by the hash of their names
SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Faces:
    """`arrays` share their first axis N:

    crops uint8 [N, S, S] luma, canvases; landmarks float16 [N, 478, 3] in units of the encoder's crop;
    blendshapes float16 [N, 52]; pose [N, 3], gaze [N, 2] degrees; quality [N]; mesh bool [N]: it has landmarks;
    emotion [N, E] shares, NaN where no emotion is labelled; known [N]: share of the votes that went to an emotion;
    majority int8 [N]: place in EMOTIONS, -1 without one; doubted bool [N]: a second opinion contradicts that label;
    aus [N, A] coded by people: 0 or 1, NaN where not coded; measured [N, A] intensities of the package's own series, NaN without;
    split int8 [N]: place in train, valid, test; fold int8 [N] of the subject.

    dataset: name under `data` in the settings; sequence, frame_rate: as there.
    """

    dataset: str
    ids: tuple[str, ...]
    groups: tuple[str, ...]
    arrays: dict[str, Tensor]
    sequence: str | None = None
    frame_rate: float | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, name: str) -> Tensor:
        return self.arrays[name]

    @property
    def side(self) -> int:
        """Pixels of the encoder's crop, the middle of a canvas."""
        return 2 * self["crops"].shape[-1] // 3

    def where(self, mask: Tensor) -> "Faces":
        """The pictures for which `mask` [N] is True."""
        keep = mask.nonzero().flatten()
        ids, groups = ([values[i] for i in keep.tolist()] for values in (self.ids, self.groups))
        arrays = {name: values[keep] for name, values in self.arrays.items()}
        return replace(self, ids=tuple(ids), groups=tuple(groups), arrays=arrays)

    def split(self, *names: str) -> "Faces":
        return self.where(torch.isin(self["split"], torch.tensor([SPLITS.index(name) for name in names])))

    @property
    def sequences(self) -> list[str]:
        """[N] which film each picture is a frame of; one that the pattern does not fit is a film of its own."""
        found = [re.search(self.sequence, name) if self.sequence else None for name in self.ids]
        return [match.group(1) if match else name for match, name in zip(found, self.ids, strict=True)]


def together(some: Sequence[Faces]) -> Faces:
    """Pictures of several data sets as one."""
    if len(some) == 1:
        return some[0]
    arrays = {name: torch.cat([faces[name] for faces in some]) for name in some[0].arrays}
    ids, groups = (tuple(name for faces in some for name in getattr(faces, kind)) for kind in ("ids", "groups"))
    return Faces("+".join(faces.dataset for faces in some), ids, groups, arrays)


def softened(faces: Faces, settings: FaceDataSettings) -> Faces:
    """With targets for labels that are often wrong: doubted ones shared among the emotions in doubt, all of them smoothed."""
    if not (settings.smooth or settings.doubt):
        return faces
    emotion = (1 - settings.smooth) * faces["emotion"] + settings.smooth / len(EMOTIONS)  # [N, E]
    if settings.doubt is not None:
        shares = torch.tensor([float(name in settings.doubt.where) for name in EMOTIONS])
        emotion = torch.where(faces["doubted"][:, None], shares / shares.sum(), emotion)
    return replace(faces, arrays=faces.arrays | {"emotion": emotion})


def fold_of(group: str, folds: int = FOLDS) -> int:
    """The fold of a subject, whoever the others are: as in the recipes."""
    return int(sha256(group.encode()).hexdigest(), 16) % folds
