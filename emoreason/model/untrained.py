"""A model and its processor from a model file: named sources loaded, every other part new."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers.utils import logging

from emoreason.errors import ConfigError
from emoreason.model.backbones import load_image_processor, load_tokenizer, sees_pictures
from emoreason.model.config_file import load_config
from emoreason.model.modeling import EmoReasonForConditionalGeneration, build
from emoreason.model.processing import EmoReasonProcessor

SEED = 0  # of parts without trained weights: an untrained model must at least repeat itself


def untrained(name_or_path: str | Path) -> tuple[EmoReasonForConditionalGeneration, EmoReasonProcessor]:
    """Raises ConfigError, and AssetError when a pinned weight was not pulled."""
    processor = untrained_processor(name_or_path)  # first: it numbers the special tokens
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        return build(processor.config).eval(), processor


def untrained_processor(name_or_path: str | Path) -> EmoReasonProcessor:
    """Raises as `untrained` does."""
    config = load_config(name_or_path)
    if config.backbone is None:
        raise ConfigError(f"{name_or_path}: a model file must name its backbone")
    images = load_image_processor(config.backbone) if sees_pictures(config.language_config) else None
    return EmoReasonProcessor(config, load_tokenizer(config.backbone), images)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """No progress bars, which are the caller's to draw, and no warning of peft's that its reader can do nothing about."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # peft 0.21 asks for a property that transformers 5.23 has renamed; can go with a peft that asks for the new one
            warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
            yield
    finally:
        if shown:
            logging.enable_progress_bar()
