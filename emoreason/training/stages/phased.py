"""What the stages that train encoders in phases have in common: their seed, where their data sets lie, a look at these."""

from pathlib import Path
from typing import TypeVar

from emoreason.training.data_sets import outline, places
from emoreason.training.settings.base import PhasedSettings
from emoreason.training.stages.stage import Stage

Phased = TypeVar("Phased", bound=PhasedSettings)


class PhasedStage(Stage[Phased]):
    """OUT/STAGE/PHASE: each phase but the last; OUT/STAGE/final: the last one; OUT/STAGE/data: data sets as they are read."""

    @property
    def seed(self) -> int:
        return self.work.run.seed if self.settings.seed is None else self.settings.seed

    def check(self) -> None:
        self.places()

    def outline(self) -> list[str]:
        found, store = self.places(), self.work.store
        recipes = {name: self.settings.data[name].recipe for name in self.settings.used()}
        return [line for name, recipe in recipes.items() for line in outline(name, recipe, found[recipe], store)]

    def places(self) -> dict[str, Path]:
        """Where the data sets of all phases lie, by recipe. Raises ConfigError naming every one that is not there."""
        return places(self.settings.data_sets(), self.work.roots, self.work.data)
