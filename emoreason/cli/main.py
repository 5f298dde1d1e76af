"""The `emoreason` command. Results go to stdout, everything else to stderr; heavy imports happen after the options are read.

Exit codes: 0 all good; 1 usage or environment; 2 finished, but at least one input failed (the rest is done).
"""

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from emoreason import __version__
from emoreason.cli import assets, data
from emoreason.cli.analyze import analyze
from emoreason.cli.batch import batch, merge, status
from emoreason.cli.demo import demo
from emoreason.cli.evaluate import evaluate
from emoreason.cli.shared import INTERRUPTED, USAGE, print_line, print_paths, say, unforeseen
from emoreason.cli.train import train
from emoreason.errors import EmoReasonError
from emoreason.terminal import safe

# Batches of ever other lengths fill torch's cache of CPU kernels (1,024 by default): a training of prompts grew by some 100 MB a
# step, to 20 GB, and with 64 of them stayed at 9 GB, no slower.
KERNELS = "64"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
app.command()(analyze)
for command in (batch, status, merge, demo, evaluate, train):
    app.command()(command)
app.add_typer(assets.app, name="assets")
app.add_typer(data.app, name="data")


def main() -> None:
    """Entry point: turns every expected error into one line and the right exit code."""
    for cache in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(cache, KERNELS)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name or a mark that the terminal cannot show must not end the run
            stream.reconfigure(errors="replace")
    try:
        return app(arguments, prog_name="emoreason", standalone_mode=False) or 0
    except typer.TyperException as error:
        say(f"{error.format_message()} (see `emoreason --help`)")
        return USAGE
    except EmoReasonError as error:
        say(str(error))
        return USAGE
    except (KeyboardInterrupt, typer.Abort):
        say("interrupted")
        return INTERRUPTED
    except Exception as error:
        debug = "--debug" in arguments
        say(unforeseen(error, debug))
        if debug:
            traceback.print_exception(error)
        return USAGE


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


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="Folder of a trained model.", show_default=False)],
    out: Annotated[Path, typer.Option(help="New folder: backbone/ for any server, emoreason/ for the other parts.")],
    graph: Annotated[bool, typer.Option(help="Also build onnx/, by which emoreason runs the language model faster.")] = True,
) -> int:
    """Merge the adapter into a stock language model that other software can load and serve, and build its graph."""
    from emoreason.model.export import export as write

    exported = write(checkpoint, out)
    if graph:
        _add_graph(exported)
    print_paths([exported])
    return 0


def _add_graph(exported: Path) -> None:
    from emoreason.model.engines.graph import INSIDE, build_graph
    from emoreason.model.engines.layout import GraphProblem

    try:
        build_graph(exported, exported / INSIDE)
    except GraphProblem as problem:
        say(f"warning: no graph for onnxruntime ({problem}); emoreason runs the model in torch")


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
        print_line(json.dumps({"ok": good, "version": __version__, "checks": [check.to_dict() for check in found]}))
    return 0 if good else USAGE
