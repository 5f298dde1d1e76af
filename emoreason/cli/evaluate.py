"""`emoreason evaluate`: suites through a judge to result folders, and two results held against each other."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from emoreason.cli.shared import INPUT_FAILED, USAGE, make_folder, print_line, report_failure, roots
from emoreason.errors import AssetError, EmoReasonError, EnvironmentProblem
from emoreason.terminal import progress, safe

Suites = Annotated[list[str] | None, typer.Argument(metavar="[SUITE]...", help="Names or files (.yaml).", show_default=False)]


def evaluate(
    suites: Suites = None,
    model: Annotated[
        str, typer.Option(help="What judges: composer, a checkpoint folder, a model file (.yaml) or its name.")
    ] = "composer",
    root: Annotated[
        list[str] | None, typer.Option("--root", metavar="NAME=DIR", help="Where a set lies; else its folder in $EMOREASON_DATA.")
    ] = None,
    out: Annotated[Path, typer.Option(help="A folder per suite goes below this one.")] = Path("evaluation"),
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many records of each suite, evenly spread: a try.")] = None,
    store: Annotated[Path | None, typer.Option(help="Where measurements are kept; else in the cache.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Drop what the folder holds of an earlier run.")] = False,
    compare: Annotated[
        tuple[Path, Path] | None, typer.Option(metavar="A B", help="Hold two result folders of one suite against each other.")
    ] = None,
    audit: Annotated[
        str | None, typer.Option(help="Instead of scores: modality, degradation, subgroups, injection (comma separated).")
    ] = None,
    groups: Annotated[
        Path | None, typer.Option(help="For --audit subgroups: a table with an id and its groups, which are never guessed.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per suite.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary; errors and --json remain.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Print the traceback of unexpected errors.")] = False,
) -> int:
    """Measure a judge on suites; an interrupted run goes on where it was."""
    if compare is not None:
        if suites:
            raise typer.BadParameter("--compare takes two result folders and no suite")
        return _compare(*compare, as_json)
    if not suites:
        from emoreason.config import names

        raise typer.BadParameter(f"name a suite or a suite file; shipped: {', '.join(names('suites'))}")
    if audit is not None:
        from emoreason.cli.audit import run_audits

        return run_audits(audit, suites, model, roots(root), out, limit, store, groups, as_json, quiet, debug)
    return _evaluate(suites, model, roots(root), out, limit, store, restart, as_json, quiet, debug)


def _evaluate(suites, model, given, out, limit, store, restart, as_json, quiet, debug) -> int:
    """A suite that cannot be run costs the others nothing; a mistake in a suite file is found before any is run."""
    from emoreason.evaluation.evaluate import evaluate as run
    from emoreason.evaluation.predictors import load_predictor
    from emoreason.evaluation.samples import Folders
    from emoreason.evaluation.suite import load_suite
    from emoreason.instructions.observe_all import default_store

    loaded = [load_suite(name) for name in suites]
    make_folder(out)
    judge, folders = load_predictor(model), Folders(given, os.environ.get("EMOREASON_DATA"))
    lost, incomplete = 0, False
    for suite, path in loaded:
        try:
            with progress(Console(stderr=True), "", show=not quiet) as hook:
                done = run(suite, path, judge, folders, out, store or default_store(), limit, restart, hook)
        except (AssetError, EnvironmentProblem):
            raise  # true of every suite that follows
        except EmoReasonError as error:
            lost += 1
            report_failure(suite.name, error, debug)
            continue
        incomplete |= bool(done.failed)
        if as_json:
            print_line(json.dumps(_line(done), ensure_ascii=False, allow_nan=False))
        elif not quiet:
            _print(done)
    return USAGE if lost == len(loaded) else INPUT_FAILED if lost or incomplete else 0


def _line(done) -> dict:
    return {"suite": done.suite.name, "folder": str(done.folder), "status": done.status, "failed": done.failed,
            "scores": [score.to_dict() for score in done.scores]}  # fmt: skip


def _print(done) -> None:
    score = done.primary
    value = "no value" if score.value is None else f"{score.value:.3f}"
    interval = f" [{score.interval[0]:.3f}, {score.interval[1]:.3f}]" if score.interval else ""
    counts = ", ".join(f"{count} {name}" for name, count in sorted(done.status.items()))
    print(safe(f"{done.suite.name}: {score.metric} {value}{interval}  n {score.n}  ({counts})  {done.folder / 'report.html'}"))


def _compare(a: Path, b: Path, as_json: bool) -> int:
    from emoreason.evaluation.compare import compare

    found = compare(a, b)
    if as_json:
        print_line(json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False))
        return 0
    print(safe(f"{found.suite}: {found.n} samples, {found.a} minus {found.b}"))
    for metric, difference in found.differences.items():
        if difference.value is None:
            print(safe(f"  {metric:28} no value"))
            continue
        interval = f" [{difference.interval[0]:+.3f}, {difference.interval[1]:+.3f}]" if difference.interval else ""
        print(safe(f"  {metric:28} {difference.value:+.3f}{interval}"))
    for note in found.notes:
        print(safe(f"  note: {note}"))
    return 0
