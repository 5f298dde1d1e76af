"""`emoreason analyze`: a report for each file."""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from emoreason.cli.shared import (
    INPUT_FAILED,
    Language,
    Model,
    NoWords,
    Quiet,
    Runtime,
    ServedModel,
    Server,
    choices,
    make_folder,
    print_line,
    report_failure,
    runtime_of,
)
from emoreason.config import DEFAULT_MODEL
from emoreason.errors import AssetError, ConfigError, EnvironmentProblem
from emoreason.terminal import following, print_summary

FORMATS = ("json", "csv", "parquet", "vtt", "srt", "eaf", "textgrid", "html")
COLUMNS = ("pyfeat", "openface")


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
    model: Model = DEFAULT_MODEL,
    server: Server = None,
    served_model: ServedModel = None,
    runtime: Runtime = None,
    fps: Annotated[
        float | None, typer.Option(min=0.1, max=240, help="Face samples per second (never more than the file has).")
    ] = None,
    language: Language = None,
    no_words: NoWords = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Neither read nor keep measurements on disk.")] = False,
    quiet: Quiet = False,
    debug: Annotated[bool, typer.Option("--debug", help="Print the traceback of unexpected errors.")] = False,
) -> int:
    """Analyse files one after the other; one that fails costs nothing else."""
    chosen, columns = choices(formats or "json,html", FORMATS, "--formats"), choices(columns, COLUMNS, "--columns")[0]
    if formats and out is None:
        raise typer.BadParameter("--formats says what to write: say where with --out")
    if language is not None and not re.fullmatch("[a-z]{2,3}", language):
        raise typer.BadParameter(f"--language takes a code of two or three letters, such as 'en', not '{language}'")
    if served_model is not None and server is None:
        raise typer.BadParameter("--served-model names a model of a server: say which with --server")
    if out is not None:
        make_folder(out)
    asked = {"server": server, "served_model": served_model, "runtime": runtime_of(runtime, server)}
    given = {name: value for name, value in asked.items() if value is not None}
    reasoner = _reasoner(model, fps, language, words=not no_words, cache=not no_cache, **given)
    stdout, stderr = Console(markup=False, highlight=False), Console(stderr=True, markup=False, highlight=False)
    failed = 0
    for file in files:
        try:
            with following(stderr, file, show=not quiet) as shown:
                hooks = {} if shown is None else {name: getattr(shown, name) for name in ("progress", "on_segment", "on_text")}
                report = reasoner(file, **hooks)
                saved = report.save(out, formats=chosen, columns=columns) if out is not None else []
        except (AssetError, ConfigError, EnvironmentProblem):
            raise  # true of every file that follows
        except Exception as error:
            failed += 1
            report_failure(file, error, debug)
            continue
        if as_json:
            print_line(report.to_json(indent=None))
        elif not quiet:
            print_summary(stdout, report, saved)
    return INPUT_FAILED if failed else 0


def _reasoner(model: str, fps: float | None, language: str | None, words: bool, cache: bool, **given: str):
    """Here the heavy imports happen, after those libraries were tried without which they fail with an obscure error."""
    try:
        from emoreason import EmotionReasoner
        from emoreason.perception.settings import PerceptionSettings
    except (ImportError, OSError) as error:  # OSError: a shared library that does not load
        raise EnvironmentProblem(f"a package does not load ({error}): run `emoreason doctor`") from error

    chosen = {"fps": fps, "language": language}
    settings = PerceptionSettings(words=words, **{key: value for key, value in chosen.items() if value is not None})
    return EmotionReasoner.from_pretrained(model, settings=settings, cache=cache, wait=False, **given)
