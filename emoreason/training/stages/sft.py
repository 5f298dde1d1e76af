"""The stage kind `sft`: the language model on a mixture of conversations, the encoders frozen."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from emoreason.errors import EnvironmentProblem
from emoreason.instructions.observe_all import data_store
from emoreason.training import division, mixtures
from emoreason.training.dry_run import DryRun, dry_run
from emoreason.training.fit import Fitted
from emoreason.training.page import Sample
from emoreason.training.parts import load_parts
from emoreason.training.processes import main_first
from emoreason.training.samples import Samples
from emoreason.training.settings.sft import SftSettings
from emoreason.training.sft import MIXTURES, TuningSetup, tune
from emoreason.training.stages.stage import Progress, Stage


class SftStage(Stage[SftSettings]):
    """OUT/STAGE: checkpoints, log, page and samples; OUT/mixtures and OUT/features: what all stages of the kind read."""

    settings_type = SftSettings
    one_process = False
    _setup: TuningSetup | None = None  # of this training, until its page is written
    _fitted: Fitted | None = None

    def begins_with(self) -> Sequence[str]:
        return self.settings.start

    def check(self) -> None:
        mixtures.locate(self.work.run, self.work.roots, self.work.data)

    def dry_run(self) -> DryRun:
        self.build_mixtures()
        with memory_told(self.name):
            return dry_run(self.setup(untrained=True))

    def run(self, progress: Progress | None) -> bool:
        with main_first():
            self.build_mixtures(progress)
        self._setup = self.setup()
        with memory_told(self.name):
            with main_first():
                Samples(self._setup).write("before")
            self._fitted = tune(self._setup, progress)
        return self._fitted.finished

    def figures(self) -> dict[str, float]:
        return super().figures() if self._fitted is None else self._fitted.best

    def samples(self) -> Sequence[Sample]:
        setup = self._setup
        if setup is None or division.is_wanted():  # what trained lies in shares and cannot answer in one process
            setup = self.setup(trained=True)
        return Samples(setup).write("after")

    def setup(self, untrained: bool = False, trained: bool = False) -> TuningSetup:
        """untrained: for a dry run, whose earlier stages need not be there; trained: with what it made."""
        work = self.work
        made = TuningSetup(
            work.run, self.name, work.out, work.roots, work.data, data_store(work.store), skip_missing=untrained
        )
        if trained:
            load_parts(made.model, self.final)
        return made

    def build_mixtures(self, progress: Progress | None = None) -> None:
        """One's own clips may have changed since a look at them: their mixture is made anew until training has begun."""
        work, folder = self.work, self.work.out / MIXTURES
        if work.run.labels is not None and not any(work.begun(stage) or work.finished(stage) for stage in work.run.stages):
            (folder / mixtures.FILE).unlink(missing_ok=True)
        mixtures.build(work.run, work.roots, work.data, folder, progress)


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
