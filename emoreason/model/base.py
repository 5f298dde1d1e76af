"""The base of a fine-tuned checkpoint: named and hashed in its configuration, so that its folder holds only what was changed.

A base is a checkpoint folder itself, or the name of trained weights in the package; it may have a base of its own.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from emoreason import config as config_files
from emoreason.errors import ConfigError
from emoreason.model.checkpoint_files import checkpoint_folder, sha256, weight_files
from emoreason.model.config import EmoReasonConfig


def named(checkpoint: str | Path) -> dict[str, str]:
    """What a configuration says of its base: the package's name or the whole path, and the sha256 of its weights."""
    folder = checkpoint_folder(checkpoint)
    shipped = folder.parent == config_files.SHIPPED_WEIGHTS
    return {"path": folder.name if shipped else str(folder.resolve()), "sha256": sha256(folder)}


def all_weights(folder: Path, config: EmoReasonConfig) -> dict[str, Tensor]:
    """The weights of a checkpoint over those of its base. Raises ConfigError where the base has gone or is another one."""
    found = base_weights(config)
    for file in weight_files(folder):
        found |= load_file(file)
    return found


def base_weights(config: EmoReasonConfig) -> dict[str, Tensor]:
    """Of the configuration's base, if it has one. Raises ConfigError where it has gone or is another one."""
    if config.base is None:
        return {}
    name, wanted = config.base["path"], config.base["sha256"]
    try:
        folder = checkpoint_folder(name)
    except ConfigError as error:
        raise ConfigError(f"this checkpoint was fine-tuned from '{name}' and needs it: {error}") from error
    if (found := sha256(folder)) != wanted:
        raise ConfigError(
            f"this checkpoint was fine-tuned from another version of '{name}' (sha256 {wanted[:12]}, there is {found[:12]} at "
            f"{folder}): put that version there, or fine-tune again"
        )
    return all_weights(folder, EmoReasonConfig.from_pretrained(folder))


def changed(state: dict[str, Tensor], base: dict[str, Tensor]) -> dict[str, Tensor]:
    """What is not in the base, or not as it is there."""
    return {name: value for name, value in state.items() if name not in base or not _same(value.cpu(), base[name])}


def _same(value: Tensor, other: Tensor) -> bool:
    return value.shape == other.shape and torch.equal(value, other.to(value.dtype))
