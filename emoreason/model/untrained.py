"""A model and its processor from a model file: named sources loaded, every other part new."""

from pathlib import Path

import torch

from emoreason.errors import ConfigError
from emoreason.model.backbones import load_image_processor, load_tokenizer, sees_pictures
from emoreason.model.config_file import load_config
from emoreason.model.modeling import EmoReasonForConditionalGeneration, build
from emoreason.model.processing import EmoReasonProcessor

SEED = 0  # of parts without trained weights: an untrained model must at least repeat itself


def untrained(name_or_path: str | Path) -> tuple[EmoReasonForConditionalGeneration, EmoReasonProcessor]:
    """Raises ConfigError, and AssetError when a pinned weight was not pulled."""
    config = load_config(name_or_path)
    if config.backbone is None:
        raise ConfigError(f"{name_or_path}: a model file must name its backbone")
    images = load_image_processor(config.backbone) if sees_pictures(config.language_config) else None
    processor = EmoReasonProcessor(config, load_tokenizer(config.backbone), images)  # first: it numbers the special tokens
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        return build(config).eval(), processor
