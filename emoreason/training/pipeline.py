"""Pipeline: the stages of a run in their folders, one after the other; what it began with and what it makes."""

from collections.abc import Callable, Mapping
from pathlib import Path

from emoreason.errors import ConfigError
from emoreason.instructions.observe_all import default_store
from emoreason.model.base import named
from emoreason.model.checkpoint_files import WEIGHTS
from emoreason.training import division
from emoreason.training.dry_run import DryRun
from emoreason.training.finetune import keep_base
from emoreason.training.outcome import Questions, outcome
from emoreason.training.outcome_page import PAGE, write_outcome
from emoreason.training.own_checks import check_own
from emoreason.training.processes import joined
from emoreason.training.run import Run
from emoreason.training.ship import ship
from emoreason.training.stages.kinds import stage_of
from emoreason.training.stages.stage import Stage, Workspace

Progress = Callable[[str, float, float | None], None]


class Pipeline:
    """A run in its folder `out`, as stages.stage.Workspace."""

    def __init__(self, run: Run, out: Path, roots: Mapping[str, Path], data: str | None, store: Path | None = None):
        self.run, self.out = run, out
        self.work = Workspace(run, out, roots, data, store or default_store())

    def stage(self, name: str) -> Stage:
        return stage_of(self.work, name)

    def waiting(self) -> list[str]:
        """Stages that are not finished, in order."""
        return [name for name in self.run.stages if not self.work.finished(name)]

    def begun(self, name: str) -> bool:
        """Whether the stage has a checkpoint but is not finished."""
        return self.work.begun(name)

    def check(self, stages: list[str], dry: bool = False) -> list[str]:
        """Before anything trains: every data set is there and one's own is sound, the base is the one that OUT was begun with,
        and the stages that a single one starts from are finished (a dry run needs none). Returns notes on one's own data.

        Raises ConfigError naming all that is missing, and under a launcher whose division is not supported.
        """
        division.is_wanted()
        problems = []
        for stage in map(self.stage, stages):
            problems += _said(stage.check)
            for earlier in () if dry else stage.begins_with():
                if earlier not in stages and not self.work.finished(earlier):
                    problems.append(f"stage '{stage.name}' starts from '{earlier}', which is not finished in {self.out}")
        if problems:
            raise ConfigError("; ".join(dict.fromkeys(problems)))
        if not dry and stages:
            keep_base(self.run, self.out)
        return check_own(self.run, self.work.roots, self.work.data, open_media=dry) if stages else []

    def dry_run(self, name: str) -> DryRun | None:
        """None for a stage that cannot tell what it would do."""
        return self.stage(name).dry_run()

    def train(self, name: str, progress: Progress | None = None) -> bool:
        """Whether the stage is finished: SIGTERM stops it with its state saved."""
        return self.stage(name).train(progress)

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
        work = self.work
        told = outcome(self.run, self.out, Questions(self.run, self.out, work.roots, work.data, work.store), progress)
        base = named(self.run.init_from)
        facts = {
            "base": f"{base['path']}, sha256 {base['sha256']}",
            "changed weights stored here": f"{(self.out / WEIGHTS).stat().st_size / 1e6:.1f} MB",
            "trained": ", ".join(f"{name} {stage.steps} steps" for name, stage in self.run.stages.items()),
        }
        return write_outcome(self.out, f"Fine-tuned: {self.out.name}", told, facts, list(self.run.stages))


def _said(act: Callable[[], object]) -> list[str]:
    try:
        act()
    except ConfigError as error:
        return [str(error)]
    return []
