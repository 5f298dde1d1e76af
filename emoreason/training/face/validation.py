"""What chooses among the weights of a phase: pictures of one or several data sets, as they are or damaged.

Letters: N pictures, E emotions.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from emoreason.errors import ConfigError
from emoreason.labels.emotions import EMOTIONS
from emoreason.training.face.data import Faces, together
from emoreason.training.face.model import FaceTraining
from emoreason.training.face.scores import scores
from emoreason.training.settings.face import FacePhaseSettings, FaceValidation


@dataclass(frozen=True)
class Validation:
    """pictures: of each entry, by the names that figures get; calibrates: whose labels set the emotion head's temperature."""

    pictures: Mapping[str, tuple[FaceValidation, Faces]]
    calibrates: Faces

    def scores(self, model: FaceTraining) -> dict[str, float]:
        """Figures of every entry, and as "score" the mean over the entries. Names of data sets alone are one entry."""
        out: dict[str, list[float]] = {}
        figures = {}
        for name, (entry, faces) in self.pictures.items():
            told = scores(model, faces, among=entry.among)
            value = sum(told[metric] for metric in entry.metric) / len(entry.metric)
            out.setdefault(f"{entry.data} {bool(entry.damaged)}", []).append(value)
            figures |= {f"{name}_score": value} if len(self.pictures) > 1 else told
        means = [sum(values) / len(values) for values in out.values()]
        return figures | {"score": sum(means) / len(means)}


def validation_of(phase: FacePhaseSettings, faces: Mapping[str, Faces]) -> Validation:
    """faces: by the names under `data`, damaged copies by `copy_name`. Raises ConfigError where no picture of an entry shows a
    clear emotion."""
    if not phase.entries:
        valid = together([faces[name].split("valid") for name in phase.validation])
        names = ", ".join(phase.validation)
        entry = FaceValidation(data=names)
        return Validation({names: (entry, _clear(entry, valid, phase))}, valid)
    pictures = {}
    for entry in phase.entries:
        for name in entry.sets:
            pictures[name] = entry, _clear(entry, faces[name].split(*entry.splits), phase)
    home = faces[phase.prior].split("valid")
    return Validation(pictures, home if (home["majority"] >= 0).any() else next(iter(pictures.values()))[1])


def _clear(entry: FaceValidation, faces: Faces, phase: FacePhaseSettings) -> Faces:
    """The pictures that show one of the entry's emotions."""
    counted = torch.tensor([EMOTIONS.index(emotion) for emotion in entry.emotions])
    clear = faces.where(torch.isin(faces["majority"].long(), counted))
    if not len(clear):
        raise ConfigError(
            f"phase '{phase.name}': no picture in the split {', '.join(entry.splits)} of {entry.data} is labelled with an emotion"
        )
    return clear
