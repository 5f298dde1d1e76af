"""Pipeline: the stages of a run in their folders, each trained by the code of its kind; what it began with and what it makes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from emoreason.errors import ConfigError, EnvironmentProblem
from emoreason.instructions.observe_all import data_store, default_store
from emoreason.model.base import WEIGHTS, named
from emoreason.training import checkpoint, division, mixtures, parts
from emoreason.training.dry_run import DryRun, dry_run
from emoreason.training.finetune import keep_base
from emoreason.training.outcome import Questions, outcome
from emoreason.training.outcome_page import PAGE, write_outcome
from emoreason.training.own_checks import check_own
from emoreason.training.page import write_page
from emoreason.training.perception import check_places, train_face, train_voice
from emoreason.training.processes import joined, main_first
from emoreason.training.run import CODED, WORDS, Run
from emoreason.training.samples import Samples
from emoreason.training.sft import FINAL, MIXTURES, Stage, tune
from emoreason.training.ship import ship
from emoreason.training.words_stage import places_of, train_words

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

    def check(self, stages: list[str], dry: bool = False) -> list[str]:
        """Before anything trains: every data set is there and one's own is sound, the base is the one that OUT was begun with,
        and the stages that a single one starts from are finished (a dry run needs none). Returns notes on one's own data.

        Raises ConfigError naming all that is missing, and under a launcher whose division is not supported.
        """
        division.is_wanted()
        problems = []
        if any(name not in CODED for name in stages):
            problems += _said(lambda: mixtures.locate(self.run, self.roots, self.data))
        for name in stages:
            if name == WORDS:
                problems += _said(lambda: places_of(self.run.words, self.roots, self.data))
            elif name in CODED:
                problems += _said(lambda name=name: check_places(name, self.roots, self.data))
            for earlier in () if dry else self._begins_with(name):
                if earlier not in stages and not self._finished(earlier):
                    problems.append(f"stage '{name}' starts from '{earlier}', which is not finished in {self.out}")
        if problems:
            raise ConfigError("; ".join(dict.fromkeys(problems)))
        if not dry and stages:
            keep_base(self.run, self.out)
        return check_own(self.run, self.roots, self.data, open_media=dry) if stages else []

    def _begins_with(self, name: str) -> list[str]:
        """Stages whose parts the stage takes: those that it names, or of the stage words all before it."""
        if name == WORDS:
            return self.run.before(name)
        return [] if name in CODED else list(self.run.tuning()[name].start)

    def dry_run(self, name: str) -> DryRun | None:
        """None for a stage with code of its own."""
        if name in CODED:
            return None
        self._mixtures()
        with memory_told(name):
            return dry_run(self._stage(name, untrained=True))

    def train(self, name: str, progress: Progress | None = None) -> bool:
        """Whether the stage is finished: SIGTERM stops it with its state saved."""
        if name in CODED:
            if joined().num_processes > 1:
                raise ConfigError(f"stage '{name}' trains in one process: run it without a launcher, by --stage {name}")
            return self._train_coded(name, progress)
        with main_first():
            self._mixtures(progress)
        stage = self._stage(name)
        samples = Samples(stage)
        with memory_told(name):
            with main_first():
                samples.write("before")
            fitted = tune(stage, progress)
        if fitted.finished and joined().is_main_process:
            if division.is_wanted():  # what trained lies in shares and cannot answer in one process
                samples = Samples(self._stage(name, trained=True))
            write_page(self.out / name, f"{self.run.name}: {name}", fitted.best, samples.write("after"))
        return fitted.finished

    def _train_coded(self, name: str, progress: Progress | None) -> bool:
        if name == WORDS:
            finished = train_words(self.run, self.out, self.roots, self.data, progress)
        else:
            train = train_face if name == "face" else train_voice
            finished = train(self.run, self.out, self.roots, self.data, self.store, progress)
        if finished:
            told = parts.read_index(self.out / name / FINAL)["info"]
            write_page(self.out / name, f"{self.run.name}: {name}", parts.figures(told))
        return finished

    def pages(self, name: str) -> list[Path]:
        return [page for page in [self.out / name / "page.html"] if page.is_file()]

    def finish(self, fresh: bool, progress: Progress | None = None) -> Path | None:
        """Of a run that began with a checkpoint: OUT as a checkpoint itself, and the page of what changed; None for others, and
        while stages wait. fresh: a stage was trained just now, so neither is there yet, or it is of before."""
        if self.run.init_from is None or self.waiting() or not joined().is_main_process:
            return None
        if not fresh and (self.out / WEIGHTS).is_file() and (self.out / PAGE).is_file():
            return self.out / PAGE
        (self.out / PAGE).unlink(missing_ok=True)
        ship(self.run, self.out, self.out, most_mb=None)
        told = outcome(self.run, self.out, Questions(self.run, self.out, self.roots, self.data, self.store), progress)
        base = named(self.run.init_from)
        facts = {
            "base": f"{base['path']}, sha256 {base['sha256']}",
            "changed weights stored here": f"{(self.out / WEIGHTS).stat().st_size / 1e6:.1f} MB",
            "trained": ", ".join(f"{name} {self.run.tuning()[name].schedule['steps']} steps" for name in self.run.tuning()),
        }
        return write_outcome(self.out, f"Fine-tuned: {self.out.name}", told, facts, list(self.run.stages))

    def _mixtures(self, progress: Progress | None = None) -> None:
        """One's own clips may have changed since a look at them: their mixture is made anew until training has begun."""
        if self.run.labels is not None and not any(self.begun(stage) or self._finished(stage) for stage in self.run.stages):
            (self.out / MIXTURES / mixtures.FILE).unlink(missing_ok=True)
        mixtures.build(self.run, self.roots, self.data, self.out / MIXTURES, progress)

    def _stage(self, name: str, untrained: bool = False, trained: bool = False) -> Stage:
        """untrained: for a dry run, whose earlier stages need not be there; trained: with what it made."""
        stage = Stage(self.run, name, self.out, self.roots, self.data, data_store(self.store), skip_missing=untrained)
        if trained:
            parts.load_parts(stage.model, self.out / name / FINAL)
        return stage

    def _finished(self, name: str) -> bool:
        return (self.out / name / FINAL / parts.INDEX).is_file()


@contextmanager
def memory_told(stage: str) -> Iterator[None]:
    """Raises EnvironmentProblem, saying what to lower, where memory did not suffice."""
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one; on CPU the allocator tells it in words
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        raise EnvironmentProblem(
            f"stage '{stage}' does not fit into memory: lower stages.{stage}.schedule.batch and raise accumulate by as much, or "
            f"say --set stages.{stage}.checkpointing=true"
        ) from error


def _said(act: Callable[[], object]) -> list[str]:
    try:
        act()
    except ConfigError as error:
        return [str(error)]
    return []
