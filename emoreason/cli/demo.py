"""`emoreason demo`: the page in a browser."""

import importlib
import importlib.util
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from emoreason.cli.shared import say
from emoreason.config import DEFAULT_MODEL, shipped
from emoreason.errors import ConfigError, EnvironmentProblem

NAME = "emoreason_demo"


def demo(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where the page is; 0 = any port that is free.")] = 7860,
    host: Annotated[str, typer.Option(help="Address to listen at; the default is reached from this machine only.")] = "127.0.0.1",
    model: Annotated[
        list[str] | None, typer.Option(help="Offered before tiny and composer: a checkpoint folder, a model file; repeatable.")
    ] = None,
    max_mib: Annotated[int, typer.Option(min=1, help="Largest file that may be uploaded.")] = 500,
    max_minutes: Annotated[float, typer.Option(min=0.1, help="Longest clip.")] = 10.0,
) -> int:
    """Open the demo: look at a clip, see who shows what and when, ask why. Everything stays on this machine."""
    server = load("server")
    if host not in ("127.0.0.1", "localhost", "::1"):
        say(f"warning: the page listens at {host}; whoever reaches this machine can use it")
    settings = server.Settings(_models(model or []), host, port, max_mib, 60 * max_minutes)
    try:
        blocks, address = server.launch(settings)
    except OSError as error:
        raise EnvironmentProblem(f"port {port} cannot be used ({error}); choose another with --port") from error
    print(address, flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that uploads are deleted, as after Ctrl-C
    blocks.block_thread()
    return 0


def load(module: str):
    """A module of the demo, which is shipped beside the package. Raises EnvironmentProblem without the extra `demo`."""
    if importlib.util.find_spec("gradio") is None:
        raise EnvironmentProblem("the demo needs Gradio: pip install 'emoreason[demo]'")
    if NAME not in sys.modules:
        folder = shipped() / "demo"
        spec = importlib.util.spec_from_file_location(NAME, folder / "__init__.py", submodule_search_locations=[str(folder)])
        package = importlib.util.module_from_spec(spec)
        sys.modules[NAME] = package
        spec.loader.exec_module(package)
    return importlib.import_module(f"{NAME}.{module}")


def _models(given: list[str]) -> dict[str, str]:
    """Name shown -> model; those asked for first, then the shipped one and the composer, which are always there."""
    models = {}
    for model in given:
        path = Path(model).expanduser()
        if path.is_dir() and not any(path.iterdir()):
            raise ConfigError(f"{model}: is an empty folder; name the folder that training saved")
        models[path.name if path.is_dir() else model] = model
    return {**models, **{name: name for name in (DEFAULT_MODEL, "composer") if name not in models}}
