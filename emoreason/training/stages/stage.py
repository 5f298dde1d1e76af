"""The interface of all stages, and the folder of a run in which they work."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from emoreason.errors import ConfigError
from emoreason.instructions.observe_all import default_store
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.training import checkpoint
from emoreason.training.dry_run import DryRun
from emoreason.training.page import Sample, write_page
from emoreason.training.parts import FINAL, INDEX, figures, load_parts, read_index
from emoreason.training.processes import joined
from emoreason.training.run import Run
from emoreason.training.settings.base import StageSettings

Progress = Callable[[str, float, float | None], None]
Settings = TypeVar("Settings", bound=StageSettings)


@dataclass(frozen=True)
class Workspace:
    """A run and its folder `out`, which holds a folder per stage (OUT/STAGE/final: the parts it trained).

    roots: data set -> folder; data: where all others lie; store: of the observations.
    """

    run: Run
    out: Path
    roots: Mapping[str, Path] = field(default_factory=dict)
    data: str | None = None
    store: Path = field(default_factory=default_store)

    def final(self, stage: str) -> Path:
        return self.out / stage / FINAL

    def finished(self, stage: str) -> bool:
        return (self.final(stage) / INDEX).is_file()

    def begun(self, stage: str) -> bool:
        """Whether the stage has a checkpoint but is not finished."""
        folders = [self.out / stage, *(folder for folder in (self.out / stage).glob("*") if folder.is_dir())]
        return not self.finished(stage) and any(checkpoint.latest(folder) for folder in folders)


class Stage(ABC, Generic[Settings]):
    """One stage of a run. Making one reads nothing; `check` looks whether it can train, `train` does, and goes on where it was
    stopped."""

    settings_type: ClassVar[type[StageSettings]]
    one_process: ClassVar[bool] = True  # whether it cannot be divided over the processes of a launcher

    def __init__(self, work: Workspace, name: str):
        self.work, self.name = work, name
        self.settings: Settings = work.run.stages[name]
        self.folder, self.final = work.out / name, work.final(name)

    def begins_with(self) -> Sequence[str]:
        """Stages whose parts this one takes, which must be finished before."""
        return ()

    @abstractmethod
    def check(self) -> None:
        """Raises ConfigError naming all that is missing, before anything trains."""

    @abstractmethod
    def run(self, progress: Progress | None) -> bool:
        """Train and save the parts in `final`. Returns whether it is finished: SIGTERM leaves a checkpoint to resume from."""

    def dry_run(self) -> DryRun | None:
        """What the stage would do, where it can tell; trains nothing."""
        return None

    def outline(self) -> list[str]:
        """Lines about the data of a stage that has no dry run."""
        return []

    def load(self, model: EmoReasonForConditionalGeneration) -> dict[str, Any]:
        """Fill the model with the parts of the finished stage; returns parts.json."""
        return load_parts(model, self.final)

    def train(self, progress: Progress | None = None) -> bool:
        """`run`, and once it is finished the page of the stage."""
        if self.one_process and joined().num_processes > 1:
            raise ConfigError(f"stage '{self.name}' trains in one process: run it without a launcher, by --stage {self.name}")
        finished = self.run(progress)
        if finished and joined().is_main_process:
            write_page(self.folder, f"{self.work.run.name}: {self.name}", self.figures(), self.samples())
        return finished

    def figures(self) -> dict[str, float]:
        """What the finished stage measured, by name."""
        return figures(read_index(self.final)["info"])

    def samples(self) -> Sequence[Sample]:
        """What the model says before and after the stage, where it says anything."""
        return ()
