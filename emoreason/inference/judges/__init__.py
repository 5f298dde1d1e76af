"""Judges: what says which emotion an Observation shows, and why. One protocol (judge.py); the composer, a model here, a model on
a server."""

from pathlib import Path
from typing import Literal

from emoreason.errors import ConfigError
from emoreason.inference.judges.composer import ComposerJudge
from emoreason.inference.judges.judge import Judge


def load_judge(
    model: str | Path,
    path: Literal["soft", "text"] = "soft",
    server: str | None = None,
    served_model: str | None = None,
    runtime: Literal["onnx", "torch"] | None = None,
    build: bool = False,
) -> Judge:
    """The judge of that name: "composer", the name of shipped weights, a checkpoint folder, an export, a model file or its name.

    server: address of a server that runs the exported backbone, under the name `served_model`. runtime, build: of the language
    model, as `loading.load_model`. Raises ConfigError for an unknown model and for a runtime that it cannot be run by, AssetError
    when weights that are needed were not pulled, EnvironmentProblem when the server does not answer.
    """
    if server is not None and runtime is not None:
        raise ConfigError(f"a server runs the language model its own way: leave out the runtime '{runtime}'")
    if str(model) == ComposerJudge.name:
        if server is not None:
            raise ConfigError(f"'{model}' needs no server: name the export whose backbone the server runs")
        return ComposerJudge()
    # each where it is needed: their libraries take seconds to import
    if server is not None:
        from emoreason.inference.judges.served import ServedJudge

        return ServedJudge(model, server, served_model)
    from emoreason.inference.judges.loading import load_model

    return load_model(model, path, runtime=runtime, build=build)


__all__ = ["Judge", "load_judge"]
