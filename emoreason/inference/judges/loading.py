"""From what the caller names, a checkpoint folder or a model file, to a judge."""

from pathlib import Path
from typing import Literal

import torch

from emoreason.config import checkpoint_of, names, resolve
from emoreason.errors import ConfigError
from emoreason.inference.judges.model import EvidencePath, ModelJudge
from emoreason.model.base import checkpoint_folder, sha256
from emoreason.model.engines.build import GraphProblem
from emoreason.model.engines.loading import onnx_engine
from emoreason.model.engines.transformers import TransformersEngine
from emoreason.model.export import PARTS, merged, open_export
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.precision import fast_bf16
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.untrained import quiet_libraries, untrained, untrained_processor


def load_model(
    source: str | Path,
    path: EvidencePath = "soft",
    precision: Literal["auto", "fp32"] = "auto",
    runtime: Literal["onnx", "torch"] | None = None,
    build: bool = False,
) -> ModelJudge:
    """`source`: a folder that `save_pretrained` wrote, the name of weights in the package, else a model file or the name of a
    shipped one (built, untrained). The adapter is merged into the language model, which with precision "auto" computes in
    bfloat16 on GPUs that multiply it; encoders and heads never do. On CPU it stays as its file has it: one token at a time half
    precision is no faster there, and rounding by the size of a batch would let a clip's company change its text.

    runtime: "onnx" runs the language model as a graph on the CPU and builds that first where there is none, "torch" runs it as it
    is. When not given, a graph is run if there is one, or if `build` says so and it can be built.

    Raises ConfigError naming what there is, or why there cannot be a graph; AssetError when a pinned weight was not pulled.
    """
    folder = checkpoint_of(source)
    if runtime == "onnx" and not folder.is_dir():
        raise ConfigError(f"'{source}' is a model file without weights: only a checkpoint has a graph for onnxruntime")
    if runtime == "onnx" or (runtime is None and folder.is_dir() and not torch.cuda.is_available()):
        try:
            with quiet_libraries():
                engine, processor = onnx_engine(folder, build or runtime == "onnx")
            return ModelJudge(processor, engine, folder.stem, path, _sha256(folder))
        except GraphProblem as problem:
            if runtime == "onnx":
                raise ConfigError(f"'{folder.stem}' cannot be run by onnxruntime: {problem}") from problem
    with quiet_libraries():
        model, processor, weights = _checkpoint(folder) if folder.is_dir() else (*untrained(_model_file(source)), None)
    if torch.cuda.is_available():
        model = model.to("cuda")
    if not model.config.quantization:
        model.backbone = merged(model.backbone)
        if precision == "auto" and model.device.type == "cuda" and fast_bf16(model.device):
            model.backbone.to(torch.bfloat16)
    return ModelJudge(processor, TransformersEngine(model, processor.tokenizer), folder.stem, path, weights)


def load_processor(source: str | Path) -> tuple[EmoReasonProcessor, str]:
    """The processor alone of what `load_model` takes, and its name; no weights are loaded. Raises as `load_model` does."""
    folder = checkpoint_of(source)
    with quiet_libraries():
        if not folder.is_dir():
            return untrained_processor(_model_file(source)), folder.stem
        own = folder / PARTS if (folder / PARTS).is_dir() else folder
        if not (own / "config.json").is_file():
            raise ConfigError(f"{folder} is neither an export nor a checkpoint: config.json is missing")
        return EmoReasonProcessor.from_pretrained(own), folder.stem


def _sha256(folder: Path) -> str:
    return sha256(folder / PARTS if (folder / PARTS).is_dir() else folder)


def _checkpoint(folder: Path) -> tuple[EmoReasonForConditionalGeneration, EmoReasonProcessor, str]:
    """A folder that training saved, or an export of one."""
    if (folder / PARTS / "config.json").is_file():
        return *open_export(folder), _sha256(folder)
    model = EmoReasonForConditionalGeneration.from_pretrained(checkpoint_folder(folder))
    return model, EmoReasonProcessor.from_pretrained(folder, model.config), _sha256(folder)


def _model_file(source: str | Path) -> Path:
    try:
        return resolve("models", source)
    except ConfigError as error:
        known = ", ".join(["composer", *names("models")])
        raise ConfigError(f"unknown model '{source}': known are {known}, a checkpoint folder, or a model file (.yaml)") from error
