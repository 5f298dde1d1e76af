"""The files of a checkpoint: where they lie, which hold its weights, and their hash."""

import hashlib
import json
from pathlib import Path

from emoreason import config as config_files
from emoreason.errors import ConfigError

CONFIG = "config.json"
BACKBONE, PARTS = "backbone", "emoreason"  # the two halves of an export
WEIGHTS = "model.safetensors"
SHARDS = f"{WEIGHTS}.index.json"  # Transformers' list of which file holds which tensor, where there are several


def checkpoint_folder(name: str | Path) -> Path:
    """A folder that training saved, else the weights of that name in the package. Raises ConfigError where there is neither."""
    folder = config_files.checkpoint_of(name)
    if missing := [file for file in (CONFIG, WEIGHTS) if not (folder / file).is_file()]:
        raise ConfigError(f"{folder} is no checkpoint: {missing[0]} is missing; name the folder that training saved")
    return folder


def weight_files(folder: Path) -> list[Path]:
    """The files of a checkpoint's own weights: one, or those of its index. Raises ConfigError where that names another place."""
    if not (folder / SHARDS).is_file():
        return [folder / WEIGHTS]
    names = sorted(set(json.loads((folder / SHARDS).read_text(encoding="utf-8"))["weight_map"].values()))
    if wrong := [name for name in names if Path(name).name != name or not (folder / name).is_file()]:
        raise ConfigError(f"{folder / SHARDS}: '{wrong[0]}' is no file beside it")
    return [folder / name for name in names]


def sha256(folder: Path) -> str:
    """Of the weights of a checkpoint: of its file, or of the sums of its files."""
    sums = []
    for path in weight_files(folder):
        with path.open("rb") as file:
            sums.append(hashlib.file_digest(file, "sha256").hexdigest())
    return sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()
