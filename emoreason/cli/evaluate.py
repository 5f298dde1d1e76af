"""`emoreason evaluate`: suites through a judge to result folders; results compared, listed, or suites written for other tools."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from emoreason.cli.shared import Model, Quiet, choices, print_line, print_paths, roots
from emoreason.cli.suites import Asked, run_each
from emoreason.config import DEFAULT_MODEL
from emoreason.terminal import safe

JUDGED = "judge"  # folder below --out with what was asked of a language model as a judge

Suites = Annotated[list[str] | None, typer.Argument(metavar="[SUITE]...", help="Names or files (.yaml).", show_default=False)]


def evaluate(
    suites: Suites = None,
    model: Model = DEFAULT_MODEL,
    root: Annotated[
        list[str] | None, typer.Option("--root", metavar="NAME=DIR", help="Where a set lies; else its folder in $EMOREASON_DATA.")
    ] = None,
    out: Annotated[Path, typer.Option(help="A folder per suite goes below this one.")] = Path("evaluation"),
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many records of each suite, evenly spread: a try.")] = None,
    store: Annotated[Path | None, typer.Option(help="Where measurements are kept; else in the cache.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Drop what the folder holds of an earlier run.")] = False,
    without: Annotated[
        str | None, typer.Option(metavar="PART", help="Never show a model this part of its prompt: evidence, face or voice.")
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(metavar="URL", help="An OpenAI-compatible server; its model compares explanations with human ones."),
    ] = None,
    judge_model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which model of --judge; needed if it has several.")
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None, typer.Option(metavar="A B", help="Hold two result folders of one suite against each other.")
    ] = None,
    table: Annotated[
        bool, typer.Option("--table", help="Print the figures of finished results; name their folders instead of suites.")
    ] = False,
    export: Annotated[
        str | None, typer.Option(metavar="TOOL", help="Write the suites for lmms-eval, vlmevalkit (comma separated) instead.")
    ] = None,
    audit: Annotated[
        str | None, typer.Option(help="Instead: modality, ablation, degradation, subgroups, injection (comma separated).")
    ] = None,
    groups: Annotated[
        Path | None, typer.Option(help="For --audit subgroups: a table with an id and its groups, which are never guessed.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per suite.")] = False,
    quiet: Quiet = False,
    debug: Annotated[bool, typer.Option("--debug", help="Print the traceback of unexpected errors.")] = False,
) -> int:
    """Evaluate a model on suites; an interrupted run resumes where it stopped."""
    if compare is not None:
        if suites:
            raise typer.BadParameter("--compare takes two result folders and no suite")
        return _compare(*compare, as_json)
    if not suites:
        from emoreason.config import names

        raise typer.BadParameter(f"name a suite or a suite file; shipped: {', '.join(names('suites'))}")
    if table:
        return _table(suites, as_json)
    asked = Asked(suites, roots(root), out, limit, store, model, without, as_json, quiet, debug)
    if export is not None:
        return _export(asked, export)
    if audit is not None:
        from emoreason.cli.audit import run_audits

        return run_audits(asked, audit, groups)
    return _evaluate(asked, restart, judge, judge_model)


def _evaluate(asked: Asked, restart: bool, judge: str | None, judge_model: str | None) -> int:
    from emoreason.evaluation.evaluate import evaluate as run
    from emoreason.evaluation.grader import grader_at

    loaded = asked.loaded()
    folders, store, grader = asked.folders(), asked.measurements(), judge and grader_at(judge, judge_model, asked.out / JUDGED)
    tested = asked.judge()

    def job(suite, path):
        return lambda hook: run(suite, path, tested, folders, asked.out, store, asked.limit, restart, hook, grader)

    return run_each(asked, [(suite.name, job(suite, path)) for suite, path in loaded], _print)


@dataclass(frozen=True)
class Exported:
    """Where a suite was written for another tool."""

    suite: str
    path: Path
    failed: int

    def to_dict(self) -> dict:
        return {"suite": self.suite, "path": str(self.path), "failed": self.failed}


def _export(asked: Asked, tool: str) -> int:
    from emoreason.evaluation.export_tasks import FORMS, export
    from emoreason.evaluation.samples import load_samples

    forms, folders = choices(tool, FORMS, "--export"), asked.folders()

    def job(suite, path, form):
        def written(hook) -> Exported:
            samples = load_samples(suite, path, folders, asked.limit, hook)
            return Exported(suite.name, export(samples, form, asked.out), len(samples.unread))

        return written

    jobs = [(suite.name, job(suite, path, form)) for suite, path in asked.loaded() for form in forms]
    return run_each(asked, jobs, lambda done: print_paths([done.path]))


def _table(folders: list[str], as_json: bool) -> int:
    from emoreason.evaluation.table import lines, markdown, results_below

    found = lines(results_below([Path(folder) for folder in folders]))
    if as_json:
        for line in found:
            print_line(json.dumps(asdict(line), ensure_ascii=False, allow_nan=False))
        return 0
    for row in markdown(found).splitlines():
        print(safe(row))
    return 0


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
