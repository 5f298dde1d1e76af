"""The stage kind `face`: the face encoder and its heads, from pictures with labels of emotion and action units."""

from typing import Any

from emoreason.model.config_file import load_config
from emoreason.training.data_sets import places
from emoreason.training.face import protocols
from emoreason.training.face.data import Faces, build_faces
from emoreason.training.face.model import FaceTraining
from emoreason.training.face.training import new_training, train_face
from emoreason.training.phases import places_of
from emoreason.training.settings.face import FaceSettings
from emoreason.training.stages.stage import Progress, Stage


class FaceStage(Stage[FaceSettings]):
    """OUT/STAGE/PHASE: each phase but the last; OUT/STAGE/final: the last one; OUT/STAGE/data: faces as they are read."""

    settings_type = FaceSettings

    @property
    def seed(self) -> int:
        return self.work.run.seed if self.settings.seed is None else self.settings.seed

    def check(self) -> None:
        places(self.settings.data_sets(), self.work.roots, self.work.data)

    def run(self, progress: Progress | None) -> bool:
        model, faces = self.new(), self.faces(progress)
        return train_face(model, self.settings, faces, self.seed, places_of(self.settings.phases, self.folder), progress)

    def protocol(self, name: str, progress: Progress | None = None) -> dict[str, Any]:
        """Figures that are not those of the trained weights: face.protocols."""
        return protocols.run_protocol(name, self.new(), self.settings, self.faces(progress), self.seed, self.folder, progress)

    def new(self) -> FaceTraining:
        """New weights."""
        return new_training(load_config(self.work.run.model).face_config, self.settings.phases[0].loss, self.seed)

    def faces(self, progress: Progress | None) -> dict[str, Faces]:
        """The data sets that phases take, prepared from their observations, by name."""
        found = places(self.settings.data_sets(), self.work.roots, self.work.data)
        asked = {name: self.settings.data[name] for name in self.settings.used()}
        store, folder = self.work.store, self.folder / "data"
        return {name: build_faces(name, one, found[one.recipe], store, folder, progress=progress) for name, one in asked.items()}
