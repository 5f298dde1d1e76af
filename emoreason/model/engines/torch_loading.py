"""From a checkpoint, an export or a model file to the engine in torch."""

from pathlib import Path
from typing import Literal

import torch

from emoreason.config import model_file
from emoreason.errors import ConfigError
from emoreason.model.checkpoint_files import PARTS, checkpoint_folder
from emoreason.model.engines.transformers import TransformersEngine
from emoreason.model.export import merged, open_export
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.precision import fast_bf16
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.untrained import quiet_libraries, untrained, untrained_processor


def torch_engine(
    source: str | Path, folder: Path, precision: Literal["auto", "fp32"] = "auto"
) -> tuple[TransformersEngine, EmoReasonProcessor]:
    """The engine and the processor of a checkpoint or an export in `folder`, else of the model file that `source` names (built,
    untrained). The adapter is merged into the language model, which with precision "auto" computes in bfloat16 on GPUs that
    multiply it; encoders and heads never do. On CPU it stays as its file has it: one token at a time half precision is no faster
    there, and rounding by the size of a batch would let a clip's company change its text.

    Raises ConfigError naming what there is; AssetError when a pinned weight was not pulled.
    """
    with quiet_libraries():
        model, processor = _checkpoint(folder) if folder.is_dir() else untrained(model_file(source))
    if torch.cuda.is_available():
        model = model.to("cuda")
    if not model.config.quantization:
        model.backbone = merged(model.backbone)
        if precision == "auto" and model.device.type == "cuda" and fast_bf16(model.device):
            model.backbone.to(torch.bfloat16)
    return TransformersEngine(model, processor.tokenizer), processor


def processor_of(source: str | Path, folder: Path) -> EmoReasonProcessor:
    """The processor alone; no weights are loaded. Raises as `torch_engine` does."""
    with quiet_libraries():
        if not folder.is_dir():
            return untrained_processor(model_file(source))
        own = folder / PARTS if (folder / PARTS).is_dir() else folder
        if not (own / "config.json").is_file():
            raise ConfigError(f"{folder} is neither an export nor a checkpoint: config.json is missing")
        return EmoReasonProcessor.from_pretrained(own)


def _checkpoint(folder: Path) -> tuple[EmoReasonForConditionalGeneration, EmoReasonProcessor]:
    """A folder that training saved, or an export of one."""
    if (folder / PARTS / "config.json").is_file():
        return open_export(folder)
    model = EmoReasonForConditionalGeneration.from_pretrained(checkpoint_folder(folder))
    return model, EmoReasonProcessor.from_pretrained(folder, model.config)
