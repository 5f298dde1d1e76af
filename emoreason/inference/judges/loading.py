"""From what the caller names, a checkpoint folder or a model file, to a judge."""

from pathlib import Path
from typing import Literal

from emoreason.config import checkpoint_of
from emoreason.errors import ConfigError
from emoreason.inference.judges.model import EvidencePath, ModelJudge
from emoreason.machine import has_gpu
from emoreason.model.checkpoint_files import PARTS, sha256
from emoreason.model.engines.layout import GraphProblem


def load_model(
    source: str | Path,
    path: EvidencePath = "soft",
    precision: Literal["auto", "fp32"] = "auto",
    runtime: Literal["onnx", "torch"] | None = None,
    build: bool = False,
) -> ModelJudge:
    """`source`: a folder that `save_pretrained` wrote, the name of weights in the package, else a model file or the name of a
    shipped one (built, untrained).

    runtime: "onnx" runs the model as graphs on the CPU and builds those first where there are none, "torch" runs it as it is
    (`precision`: as `torch_engine` has it). When not given, graphs are run if there are any, or if `build` says so and they can
    be built.

    Raises ConfigError naming what there is, or why there cannot be a graph; AssetError when a pinned weight was not pulled.
    """
    folder = checkpoint_of(source)
    if runtime == "onnx" and not folder.is_dir():
        raise ConfigError(f"'{source}' is a model file without weights: only a checkpoint has a graph for onnxruntime")
    if runtime == "onnx" or (runtime is None and folder.is_dir() and not has_gpu()):
        from emoreason.model.engines.onnx_loading import onnx_engine

        try:
            engine, processor = onnx_engine(folder, build or runtime == "onnx")
            return ModelJudge(processor, engine, folder.stem, path, weights_sha256(folder))
        except GraphProblem as problem:
            if runtime == "onnx":
                raise ConfigError(f"'{folder.stem}' cannot be run by onnxruntime: {problem}") from problem
    from emoreason.model.engines.torch_loading import torch_engine  # seconds of imports

    engine, processor = torch_engine(source, folder, precision)
    return ModelJudge(processor, engine, folder.stem, path, weights_sha256(folder) if folder.is_dir() else None)


def weights_sha256(folder: Path) -> str:
    """Of a checkpoint, or of the half of an export that holds our parts."""
    return sha256(folder / PARTS if (folder / PARTS).is_dir() else folder)
