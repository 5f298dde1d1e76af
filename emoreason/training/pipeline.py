"""Pipeline: the stages of a run in their folders, each trained by the code of its kind."""

from collections.abc import Callable, Mapping
from pathlib import Path

from emoreason.errors import ConfigError
from emoreason.instructions.observe_all import data_store, default_store
from emoreason.training import checkpoint, mixtures, parts
from emoreason.training.dry_run import DryRun, dry_run
from emoreason.training.page import write_page
from emoreason.training.perception import check_places, train_face, train_voice
from emoreason.training.processes import joined, main_first
from emoreason.training.run import PERCEPTION, Run
from emoreason.training.samples import Samples
from emoreason.training.sft import FINAL, MIXTURES, Stage, tune

Progress = Callable[[str, float, float | None], None]


class Pipeline:
    """`out` holds a folder per stage (OUT/STAGE/final: the parts it trained), OUT/mixtures and OUT/features.

    roots: data set -> folder; data: where all others lie. store: of the observations.
    """

    def __init__(self, run: Run, out: Path, roots: Mapping[str, Path], data: str | None, store: Path | None = None):
        self.run, self.out, self.roots, self.data = run, out, roots, data
        self.store = store or default_store()

    def waiting(self) -> list[str]:
        """Stages that are not finished, in order."""
        return [name for name in self.run.stages if not self._finished(name)]

    def begun(self, name: str) -> bool:
        """Whether the stage has a checkpoint but is not finished."""
        folders = [self.out / name, *(folder for folder in (self.out / name).glob("*") if folder.is_dir())]
        return not self._finished(name) and any(checkpoint.latest(folder) for folder in folders)

    def check(self, stages: list[str]) -> None:
        """Before anything trains: every data set is there, and so are the stages that a single one starts from.

        Raises ConfigError naming all that is missing.
        """
        problems = []
        if any(name not in PERCEPTION for name in stages):
            problems += _said(lambda: mixtures.locate(self.run, self.roots, self.data))
        for name in stages:
            if name in PERCEPTION:
                problems += _said(lambda name=name: check_places(name, self.roots, self.data))
                continue
            for earlier in self.run.tuning()[name].start:
                if earlier not in stages and not self._finished(earlier):
                    problems.append(f"stage '{name}' starts from '{earlier}', which is not finished in {self.out}")
        if problems:
            raise ConfigError("; ".join(dict.fromkeys(problems)))

    def dry_run(self, name: str) -> DryRun | None:
        """None for a stage of perception."""
        if name in PERCEPTION:
            return None
        mixtures.build(self.run, self.roots, self.data, self.out / MIXTURES)
        return dry_run(self._stage(name, untrained=True))

    def train(self, name: str, progress: Progress | None = None) -> bool:
        """Whether the stage is finished: SIGTERM stops it with its state saved."""
        if name in PERCEPTION:
            if joined().num_processes > 1:
                raise ConfigError(f"stage '{name}' trains in one process: run it first, without a launcher, by --stage {name}")
            train = train_face if name == "face" else train_voice
            return train(self.run, self.out, self.roots, self.data, self.store, progress)
        with main_first():
            mixtures.build(self.run, self.roots, self.data, self.out / MIXTURES, progress)
        stage = self._stage(name)
        samples = Samples(stage)
        with main_first():
            samples.write("before")
        fitted = tune(stage, progress)
        if fitted.finished and joined().is_main_process:
            write_page(self.out / name, f"{self.run.name}: {name}", fitted.best, samples.write("after"))
        return fitted.finished

    def pages(self, name: str) -> list[Path]:
        return [page for page in [self.out / name / "page.html"] if page.is_file()]

    def _stage(self, name: str, untrained: bool = False) -> Stage:
        """untrained: for a dry run, whose earlier stages need not be there."""
        return Stage(self.run, name, self.out, self.roots, self.data, data_store(self.store), skip_missing=untrained)

    def _finished(self, name: str) -> bool:
        return (self.out / name / FINAL / parts.INDEX).is_file()


def _said(act: Callable[[], object]) -> list[str]:
    try:
        act()
    except ConfigError as error:
        return [str(error)]
    return []
