"""What several commands need: exit codes, options, lines on stdout and stderr, the two ways a failure is told."""

import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from emoreason.errors import EmoReasonError, EnvironmentProblem
from emoreason.terminal import safe

USAGE, INPUT_FAILED, INTERRUPTED = 1, 2, 130

Model = Annotated[
    str, typer.Option(help="What judges: tiny (shipped), composer (rules), a checkpoint folder or a model file (.yaml).")
]
Server = Annotated[
    str | None, typer.Option(metavar="URL", help="OpenAI-compatible server of that model's exported backbone, up to /v1.")
]
ServedModel = Annotated[
    str | None, typer.Option(metavar="NAME", help="The model's name on --server; not needed where it has only one.")
]
Runtime = Annotated[
    str | None,
    typer.Option(metavar="onnx|torch", help="What computes the language model; onnx where its graph was built if not given."),
]
Language = Annotated[str | None, typer.Option(help="Spoken language, such as 'en'; detected when not given.")]
NoWords = Annotated[bool, typer.Option("--no-words", help="Do not transcribe speech.")]
Roots = Annotated[
    list[str] | None, typer.Option("--root", metavar="NAME=DIR", help="Where a set lies; else its folder in $EMOREASON_DATA.")
]
Store = Annotated[Path | None, typer.Option(help="Where measurements are kept; else in the cache.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary; errors and --json remain.")]


def say(message: str) -> None:
    """One line on stderr."""
    print(safe(message), file=sys.stderr)


def print_line(line: str) -> None:
    """UTF-8 whatever the locale: the line is for programs."""
    sys.stdout.flush()
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:
        print(line)
    else:
        binary.write(line.encode() + b"\n")
        binary.flush()


def print_paths(folders: Iterable[Path]) -> None:
    """A line on stdout for each."""
    for folder in folders:
        print(safe(str(folder)))


def make_folder(out: Path) -> None:
    """The folder of --out. Raises EnvironmentProblem where it cannot be made."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentProblem(f"--out {out}: {error.strerror}; name a folder that can be written to") from error


def report_failure(file: str, error: Exception, debug: bool) -> None:
    """One line per failed input; what nobody foresaw says so, and shows its traceback on request."""
    expected = isinstance(error, EmoReasonError | OSError)
    message = (str(error) or type(error).__name__) if expected else unforeseen(error, debug)
    named = message.startswith((file, str(Path(file))))
    say(message if named else f"{file}: {message}")
    if debug:
        traceback.print_exception(error)


def unforeseen(error: Exception, debug: bool) -> str:
    """What to say of an error that nobody raised on purpose."""
    hint = "" if debug else "; run again with --debug and report it with the output of `emoreason doctor`"
    return f"unexpected {type(error).__name__}: {error}{hint}"


def runtime_of(given: str | None, server: str | None) -> str | None:
    """--runtime, checked. Raises typer.BadParameter."""
    if given is not None and server is not None:
        raise typer.BadParameter("--runtime chooses what runs the language model here: with --server, leave it out")
    if given not in (None, "onnx", "torch"):
        raise typer.BadParameter(f"--runtime takes onnx or torch, not '{given}'")
    return given


def choices(value: str, allowed: tuple[str, ...], option: str) -> list[str]:
    """Items of a comma-separated option, each of them known."""
    chosen = [item.strip() for item in value.split(",") if item.strip()]
    unknown = [item for item in chosen if item not in allowed]
    if unknown or not chosen:
        raise typer.BadParameter(f"{option} takes {', '.join(allowed)}, not '{', '.join(unknown)}'")
    return chosen


def roots(given: list[str] | None) -> dict[str, Path]:
    """Data roots of `--root NAME=DIR` options. Raises typer.BadParameter for one of another form."""
    found = {}
    for item in given or ():
        name, equals, folder = item.partition("=")
        if not (name and equals and folder):
            raise typer.BadParameter(f"--root takes NAME=DIR, not '{item}'")
        found[name] = Path(folder)
    return found
