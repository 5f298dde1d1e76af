"""Language and vision-language backbones behind one thin adapter: where their layers lie, and how they are loaded.

Families whose weights cannot be reached where this is tested are proven at toy size with random weights.
"""

import shutil
import tempfile
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from emoreason import assets
from emoreason.errors import ConfigError

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
_PROJECTIONS = r"(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)"


def lora_targets(config: PreTrainedConfig) -> str:
    """Full-match regex of the linear layers that adapters go on. Raises ConfigError for a family not in LAYERS."""
    if config.model_type not in LAYERS:
        raise ConfigError(
            f"backbone family '{config.model_type}' has no entry in model/backbones.py: add where its decoder layers lie, "
            f"or give lora.target_modules yourself (known: {', '.join(sorted(LAYERS))})"
        )
    return LAYERS[config.model_type].replace(".", r"\.") + r"\.\d+\." + _PROJECTIONS


def sees_pictures(config: PreTrainedConfig) -> bool:
    return config.model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES


def new_backbone(config: PreTrainedConfig) -> PreTrainedModel:
    """Random weights."""
    auto = AutoModelForImageTextToText if sees_pictures(config) else AutoModelForCausalLM
    return auto.from_config(config, attn_implementation="sdpa")


def load_backbone(source: dict[str, str], quantization: str | None = None, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Pretrained weights of {"asset": name} or {"path": folder or hub id}. Raises AssetError, ConfigError."""
    folder = backbone_folder(source)
    options: dict = {"dtype": dtype, "use_safetensors": True}
    if quantization:
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(**{f"load_in_{quantization}": True})
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder)
    auto = AutoModelForImageTextToText if sees_pictures(config) else AutoModelForCausalLM
    return auto.from_pretrained(folder, **options)


def load_tokenizer(source: dict[str, str]) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(backbone_folder(source))


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


def _without_quantization(config: PreTrainedConfig) -> dict:
    return {name: value for name, value in config.to_dict().items() if name != "quantization_config"}
