"""What earlier nets say of the training pictures, mixed into their targets (Hinton et al. 2015, arXiv:1503.02531, distillation).

The teachers see each picture as it is, and in the mirror; the student sees it changed.
Letters: N pictures, E emotions.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from emoreason.errors import ConfigError
from emoreason.training.checkpoint import save_file_whole
from emoreason.training.data_sets import sha256_of
from emoreason.training.face.batches import Source
from emoreason.training.face.data import Faces
from emoreason.training.face.model import FaceTraining
from emoreason.training.face.scores import predict
from emoreason.training.parts import INDEX, load_parts
from emoreason.training.phases import WHOLE, load_whole
from emoreason.training.settings.face import FaceTeacher

PARTS = ("face.trunk", "face", "heads.emotion", "heads.action_units")


def fill(model: FaceTraining, name: str, stage: Path) -> None:
    """Give the model the weights that `name` stands for: a phase of the stage in whose folder this is, else a path; a folder that
    a phase left, a folder of parts, or a file of all that trains. Raises ConfigError where there is nothing that fits."""
    path = stage / name if (stage / name).exists() else Path(name)
    if (path / WHOLE).is_file() or path.is_file():
        load_whole(model, path / WHOLE if path.is_dir() else path)
    elif (path / INDEX).is_file():
        load_parts(model, path, PARTS)
    else:
        raise ConfigError(f"{name}: no weights here, neither of a phase in {stage} nor a folder or file of that name")


def taught(sources: Sequence[Source], model: FaceTraining, teacher: FaceTeacher | None, stage: Path, place: Path) -> list[Source]:
    """The sources with targets that are partly the teachers'; where nobody labelled an emotion, theirs alone. What they say is
    kept in `place`, for a training that is resumed."""
    if teacher is None:
        return list(sources)
    sets = {source.faces.dataset: source.faces for source in sources}
    wanted = {name: faces for name, faces in sets.items() if name in teacher.data or not teacher.data}
    said = {name: _said(faces, model, teacher, stage, place) for name, faces in wanted.items()}
    return [_with_targets(source, said.get(source.faces.dataset), teacher.share) for source in sources]


def _with_targets(source: Source, said: Tensor | None, share: float) -> Source:
    if said is None:
        return source
    emotion = source.faces["emotion"]
    emotion = torch.where(emotion.isnan(), said, (1 - share) * emotion + share * said)
    return replace(source, faces=replace(source.faces, arrays=source.faces.arrays | {"emotion": emotion}))


def _said(faces: Faces, model: FaceTraining, teacher: FaceTeacher, stage: Path, place: Path) -> Tensor:
    """[N, E] the geometric mean of what all teachers say of the pictures and of their mirror images."""
    file = place / f"teacher-{faces.dataset}-{sha256_of(*teacher.checkpoints, *faces.ids)[:16]}.safetensors"
    if file.is_file():
        return load_file(file)["said"]
    total, net = torch.zeros(len(faces), len(model.margin)), deepcopy(model)
    for name in teacher.checkpoints:
        fill(net, name, stage)
        for in_mirror in (False, True):
            total += predict(net, faces, in_mirror=in_mirror)[0].log_softmax(1)
    said = (total / (2 * len(teacher.checkpoints))).softmax(1)
    place.mkdir(parents=True, exist_ok=True)
    save_file_whole({"said": said}, file)
    return said
