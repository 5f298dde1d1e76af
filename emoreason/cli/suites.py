"""What all that runs over suites has in common: which, on what data, and what one of them that fails costs the others."""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console

from emoreason.cli.shared import INPUT_FAILED, USAGE, make_folder, print_line, report_failure
from emoreason.config import DEFAULT_MODEL
from emoreason.errors import AssetError, EmoReasonError, EnvironmentProblem
from emoreason.terminal import Hook, progress, safe

if TYPE_CHECKING:  # evaluation takes seconds to import
    from emoreason.evaluation.samples import Folders
    from emoreason.evaluation.suite import Suite
    from emoreason.inference.judges import Judge


class Done(Protocol):
    """What came out of one suite. failed: how many of its samples or rows could not be used."""

    failed: int

    def to_dict(self) -> dict[str, Any]: ...


EVERY_S = 30.0  # between two lines of progress where there is no terminal to draw a bar in

Job = tuple[str, Callable[[Any], Done]]  # name, what is done with a progress hook


@dataclass(frozen=True)
class Asked:
    """The options that evaluations, audits and exports share."""

    suites: Sequence[str]
    roots: dict[str, Path]
    out: Path
    limit: int | None = None
    store: Path | None = None
    model: str = DEFAULT_MODEL
    without: str | None = None
    as_json: bool = False
    quiet: bool = False
    debug: bool = False

    def loaded(self) -> list[tuple["Suite", Path]]:
        """All of them, and the folder of --out made: a mistake in any suite file is found before one is run."""
        from emoreason.evaluation.suite_file import load_suite

        found = [load_suite(name) for name in self.suites]
        make_folder(self.out)
        return found

    def folders(self) -> "Folders":
        from emoreason.evaluation.samples import Folders

        return Folders(self.roots, os.environ.get("EMOREASON_DATA"))

    def judge(self) -> "Judge":
        from emoreason.inference.judges import load_judge

        judge = load_judge(self.model)
        return judge if self.without is None else judge.without(self.without)

    def measurements(self) -> Path:
        from emoreason.instructions.observe_all import default_store

        return self.store or default_store()


def run_each(asked: Asked, jobs: Sequence[Job], tell: Callable[[Any], None]) -> int:
    """The exit code of all. `tell` prints what came out of one for people; one that cannot be run costs the others nothing."""
    lost, incomplete = 0, False
    for name, job in jobs:
        try:
            console = Console(stderr=True)
            with progress(console, "", show=not asked.quiet) as bars:
                done = job(bars if asked.quiet or console.is_terminal else progress_lines())
        except (AssetError, EnvironmentProblem):
            raise  # true of all that follow
        except EmoReasonError as error:
            lost += 1
            report_failure(name, error, asked.debug)
            continue
        incomplete |= bool(done.failed)
        if asked.as_json:
            print_line(json.dumps(done.to_dict(), ensure_ascii=False, allow_nan=False))
        elif not asked.quiet:
            tell(done)
    return USAGE if lost == len(jobs) else INPUT_FAILED if lost or incomplete else 0


def progress_lines(every_s: float = EVERY_S) -> Hook:
    """A hook that writes a line to stderr from time to time, for a log: stage, how much is done, and the time that is left."""
    started: dict[str, tuple[float, float]] = {}
    last = time.monotonic()

    def hook(stage: str, done: float, total: float | None) -> None:
        nonlocal last
        now = time.monotonic()
        since, before = started.setdefault(stage, (now, done))  # what an earlier run has done says nothing about the speed
        if now - last < every_s:
            return
        last, line = now, f"{stage}: {done:.0f}" + (f" of {total:.0f}" if total else "")
        if total and done > before:
            line += f", {(now - since) / (done - before) * (total - done) / 60:.1f} min left"
        print(safe(line), file=sys.stderr, flush=True)

    return hook
