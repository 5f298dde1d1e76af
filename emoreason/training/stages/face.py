"""The stage kind `face`: the face encoder and its heads, from pictures with labels of emotion and action units."""

from typing import Any

from emoreason.model.config_file import load_config
from emoreason.training.face import protocols
from emoreason.training.face.data import Faces
from emoreason.training.face.model import FaceTraining
from emoreason.training.face.prepare import Copy, Crop, build_faces, pictures_in
from emoreason.training.face.training import new_training, train_face
from emoreason.training.phases import places_of
from emoreason.training.settings.face import FaceSettings, copy_name
from emoreason.training.stages.phased import PhasedStage
from emoreason.training.stages.stage import Progress


class FaceStage(PhasedStage[FaceSettings]):
    """As PhasedStage."""

    settings_type = FaceSettings

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
        """The data sets that phases take, prepared from their observations, by name, and the damaged copies that choose among the
        weights, by theirs."""
        found, crop = self.places(), Crop.of(load_config(self.work.run.model).face_config)
        store, folder, records = self.work.store, self.folder / "data", {}

        def built(name: str, copy: Copy | None = None) -> Faces:
            one = self.settings.data[name]
            root = found[one.recipe]
            if name not in records:  # read once: a large set takes minutes, and may have several copies
                records[name] = pictures_in(name, one, root)
            return build_faces(name, one, crop, root, store, folder, copy, records[name], progress=progress)

        out = {name: built(name) for name in self.settings.used()}
        for entry in (entry for phase in self.settings.phases for entry in phase.entries):
            for damage in entry.damaged:
                name = copy_name(entry.data, damage)
                if name not in out:
                    out[name] = built(entry.data, Copy(damage, tuple(entry.splits), entry.most))
        return out
