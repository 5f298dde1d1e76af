"""Language and vision-language backbones behind one thin adapter: where their layers lie, and how they are loaded.

Families whose weights cannot be reached where this is tested are proven at toy size with random weights.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    ProcessorMixin,
    modeling_gguf_pytorch_utils,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from emoreason import assets
from emoreason.errors import ConfigError, EnvironmentProblem

# model_type -> where the decoder layers of the language model lie. The regex of the adapters starts there, so that the vision
# tower, whose layers often carry the same names, is never hit.
LAYERS = {
    "llama": "model.layers",
    "qwen2": "model.layers",
    "qwen3": "model.layers",
    "gemma3_text": "model.layers",
    "qwen2_5_vl": "model.language_model.layers",
    "qwen3_vl": "model.language_model.layers",
    "idefics3": "model.text_model.layers",
    "smolvlm": "model.text_model.layers",
    "internvl": "model.language_model.layers",
    "llava_onevision": "model.language_model.layers",
    "gemma3": "model.language_model.layers",
}
PROJECTIONS = re.compile(r"(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)")  # of a layer, that adapters go on


def lora_targets(config: PreTrainedConfig) -> str:
    """Full-match regex of the linear layers that adapters go on. Raises ConfigError for a family not in LAYERS."""
    if config.model_type not in LAYERS:
        raise ConfigError(
            f"backbone family '{config.model_type}' has no entry in model/backbones.py: add where its decoder layers lie, "
            f"or give lora.target_modules yourself (known: {', '.join(sorted(LAYERS))})"
        )
    return LAYERS[config.model_type].replace(".", r"\.") + r"\.\d+\." + PROJECTIONS.pattern


def decoder_of(backbone: PreTrainedModel) -> nn.Module | None:
    """The module of the language model that holds its `layers`, with or without adapters; None for a family not in LAYERS."""
    base = backbone.get_base_model() if hasattr(backbone, "get_base_model") else backbone
    path = LAYERS.get(base.config.model_type)
    return base.get_submodule(path.rpartition(".")[0]) if path else None


def sees_pictures(config: PreTrainedConfig) -> bool:
    """Whether the family has a vision tower of its own."""
    return config.model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES


def picture_processor(config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase, image_processor: Any) -> ProcessorMixin:
    """The family's own processor, which knows how many of its image tokens stand for a picture, in which layout.

    Its video half is left out: video processors need torchvision. Raises ConfigError for a family not in PROCESSORS.
    """
    if config.model_type not in PROCESSORS:
        known = ", ".join(sorted(PROCESSORS))
        raise ConfigError(
            f"backbone family '{config.model_type}' has no entry in PROCESSORS of model/backbones.py (known: {known})"
        )
    name, arguments = PROCESSORS[config.model_type]
    family = getattr(transformers, name)
    parts = family.get_attributes()
    without_video = {"get_attributes": classmethod(lambda _: parts)}  # transformers reads them off __init__
    cls = type(name, (_WithoutVideo, family), without_video)
    video = {"video_processor": None} if "video_processor" in parts else {}
    return cls(image_processor=image_processor, tokenizer=tokenizer, **video, **arguments(config))


class _WithoutVideo:
    """Lets None stand for the video processor (transformers 5.23 refuses it)."""

    def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
        if argument_name != "video_processor":
            return super().check_argument_for_proper_class(argument_name, argument)


def _patches(config: PreTrainedConfig) -> int:
    """Patch tokens of one picture of the vision tower."""
    return (config.vision_config.image_size // config.vision_config.patch_size) ** 2


# model_type -> the processor class, and those of its settings that follow from the model's configuration.
# SmolVLM lays out pictures as Idefics3 does; its own processor asks for num2words, which only its videos need.
_IDEFICS3 = ("Idefics3Processor", lambda config: {"image_seq_len": _patches(config) // config.scale_factor**2})
PROCESSORS: dict[str, tuple[str, Callable[[PreTrainedConfig], dict[str, Any]]]] = {
    "qwen2_5_vl": ("Qwen2_5_VLProcessor", lambda config: {}),
    "qwen3_vl": ("Qwen3VLProcessor", lambda config: {}),
    "idefics3": _IDEFICS3,
    "smolvlm": _IDEFICS3,
    "internvl": ("InternVLProcessor", lambda config: {"image_seq_length": config.image_seq_length}),
    "gemma3": ("Gemma3Processor", lambda config: {"image_seq_length": config.mm_tokens_per_image}),
    "llava_onevision": (
        "LlavaOnevisionProcessor",
        lambda config: {
            "num_image_tokens": _patches(config),
            "vision_feature_select_strategy": config.vision_feature_select_strategy,
            "vision_aspect_ratio": config.vision_aspect_ratio,
        },
    ),
}


def new_backbone(config: PreTrainedConfig) -> PreTrainedModel:
    """Random weights."""
    auto = AutoModelForImageTextToText if sees_pictures(config) else AutoModelForCausalLM
    return auto.from_config(config, attn_implementation="sdpa")


def load_backbone(source: dict[str, str], quantization: str | None = None, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Pretrained weights of {"asset": name} or {"path": folder or hub id}. Raises AssetError, ConfigError, EnvironmentProblem."""
    options: dict[str, Any] = {"dtype": dtype, "use_safetensors": True}
    if quantization:
        options["quantization_config"] = _quantized(quantization)
    folder = backbone_folder(source)
    config = AutoConfig.from_pretrained(folder)
    auto = AutoModelForImageTextToText if sees_pictures(config) else AutoModelForCausalLM
    return auto.from_pretrained(folder, **options)


def _quantized(bits: str) -> BitsAndBytesConfig:
    """`bits` is "4bit" or "8bit". Raises EnvironmentProblem where these weights cannot be used."""
    if not torch.cuda.is_available():
        raise EnvironmentProblem(f"quantization '{bits}' needs a CUDA GPU and none is visible; set quantization to null")
    if find_spec("bitsandbytes") is None:
        raise EnvironmentProblem(f"quantization '{bits}' needs bitsandbytes: pip install bitsandbytes, or set it to null")
    return BitsAndBytesConfig(**{f"load_in_{bits}": True})


def load_tokenizer(source: dict[str, str]) -> PreTrainedTokenizerBase:
    """With the chat template of the folder, wherever the family keeps it (older ones only beside their processor)."""
    folder = backbone_folder(source)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.chat_template is None:
        tokenizer.chat_template = ProcessorMixin.get_processor_dict(folder)[0].get("chat_template")
    return tokenizer


def load_image_processor(source: dict[str, str]) -> Any:
    """The backbone's own, computing with PIL and numpy: the same pixels whether torchvision is installed or not."""
    return AutoImageProcessor.from_pretrained(backbone_folder(source), backend="pil")


def backbone_folder(source: dict[str, str]) -> str:
    """A folder or hub id that from_pretrained takes; a pinned GGUF asset is converted once to safetensors."""
    if set(source) == {"path"}:
        return source["path"]
    if set(source) != {"asset"}:
        raise ConfigError(f"backbone must be {{'asset': name}} or {{'path': folder or hub id}}, got {source}")
    asset = assets.path(source["asset"])
    converted = assets.home() / "converted" / source["asset"]
    if not converted.is_dir():
        _convert_gguf(next(asset.glob("*.gguf")), converted)
    return str(converted)


def _convert_gguf(file: Path, target: Path) -> None:
    """De-quantised to float16, under a temporary name first: a killed conversion never counts as done."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch = Path(tempfile.mkdtemp(prefix=".part-", dir=target.parent))
    try:
        with _no_bar():
            loaded = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
        # transformers refuses to save what came from a GGUF, so its weights go into a plain model of the same shape.
        plain = AutoModelForCausalLM.from_config(type(loaded.config).from_dict(_without_quantization(loaded.config)))
        plain.load_state_dict(loaded.state_dict())
        plain.generation_config = loaded.generation_config
        plain.to(torch.float16).save_pretrained(scratch)
        AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(scratch)
        if not target.is_dir():  # another process may have been faster
            scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _no_bar() -> Iterator[None]:
    """transformers 5.23 draws a bar over a GGUF's tensors even where its bars are switched off; can go when it asks first."""
    drawn = modeling_gguf_pytorch_utils.tqdm
    modeling_gguf_pytorch_utils.tqdm = partial(drawn, disable=True)
    try:
        yield
    finally:
        modeling_gguf_pytorch_utils.tqdm = drawn


def _without_quantization(config: PreTrainedConfig) -> dict:
    return {name: value for name, value in config.to_dict().items() if name != "quantization_config"}
