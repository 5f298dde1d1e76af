"""Parts of a model as files of their own: what one stage trained, for the next, and what a checkpoint ships."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from emoreason.errors import ConfigError
from emoreason.model.config_file import check_keys
from emoreason.model.stages import PARTS, WORDS_ADAPTER
from emoreason.training.checkpoint import save_file_whole

FINAL, INDEX = "final", "parts.json"  # OUT/STAGE/final/parts.json is there once the stage is finished
FORMAT = "emoreason/parts/1"


def save_parts(
    model: nn.Module, parts: Iterable[str], folder: str | Path, half: bool = False, info: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """One safetensors file per part (of model/stages, or one head as "heads.NAME") and parts.json with their sha256, the
    model's configuration and `info`. half=True stores float16, for shipping. Returns what parts.json says.

    `model` may be any module that calls its parts as the whole model does (`face`, `voice`, `heads`, ...). Parts saved
    earlier into the folder stay. Raises ConfigError for a part that the model has nothing of.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    index = read_index(folder) if (folder / INDEX).is_file() else {"format": FORMAT, "parts": {}, "info": {}}
    for part in parts:
        tensors = {name: _stored(value, half) for name, value in part_state(model, part).items()}
        file = folder / f"{part}.safetensors"
        save_file_whole(tensors, file)
        index["parts"][part] = {"file": file.name, "sha256": _sha256(file), "tensors": len(tensors), "half": half}
    index["info"] |= dict(info or {})
    if hasattr(model, "config"):
        index["config"] = json.loads(model.config.to_json_string(use_diff=True))
    (folder / INDEX).write_text(json.dumps(index, indent=1, sort_keys=True), encoding="utf-8")
    return index


def load_parts(model: nn.Module, folder: str | Path, parts: Iterable[str] | None = None) -> dict[str, Any]:
    """Fill the parts of `model` that the folder holds (or only `parts` of them) in the model's own precision; returns parts.json.

    Raises ConfigError for a part that is not there, a damaged file, and weights that do not fit, naming the first.
    """
    folder, index = Path(folder), read_index(folder)
    for part in index["parts"] if parts is None else parts:
        if part not in index["parts"]:
            raise ConfigError(f"{folder}: part '{part}' is not there; it holds {', '.join(index['parts']) or 'nothing'}")
        file = folder / index["parts"][part]["file"]
        if not file.is_file() or _sha256(file) != index["parts"][part]["sha256"]:
            raise ConfigError(f"{file} is missing or not what parts.json says; save the part again")
        saved = load_file(file)
        if part == "voice":
            _adapt(model, saved)
        _fill(part_state(model, part), saved, file)
    return index


def _adapt(model: nn.Module, saved: Mapping[str, Tensor]) -> None:
    """Whether the voice encoder has an adapter, and of which size, is told by its weights: a later stage need not know."""
    sizes = model.voice.take_adapter({name.removeprefix("voice."): value for name, value in saved.items()})
    if hasattr(model, "config"):
        model.config.voice_config.adapter = sizes


def figures(info: Mapping[str, Any]) -> dict[str, float]:
    """The numbers that a stage told about its parts, by name: those of an inner mapping as OUTER.INNER."""
    found: dict[str, float] = {}
    for name, value in info.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": number for inner, number in figures(value).items()}
        elif isinstance(value, int | float):
            found[name] = value
    return found


def part_state(model: nn.Module, part: str) -> dict[str, Tensor]:
    """Parameters and saved buffers of one part: views, so writing to them changes the model."""
    check_keys([part.split(".")[0] if part.startswith("heads.") else part], (*PARTS, WORDS_ADAPTER), "parts")
    state = {name: value.detach() for name, value in model.state_dict().items() if _belongs(name, part)}
    if not state:
        raise ConfigError(f"the model has nothing of part '{part}'")
    return state


def read_index(folder: Path) -> dict[str, Any]:
    """parts.json of a folder that `save_parts` wrote; ConfigError where there is none."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder}: no parts here ({error}); name the folder that a stage saved") from error
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise ConfigError(f"{folder / INDEX}: not of format {FORMAT}")
    return index


def _belongs(name: str, part: str) -> bool:
    if name.startswith("backbone."):
        adapter, rows = "lora_" in name, "trainable_tokens_" in name
        return {"language": adapter, "tokens": rows}.get(part, False)
    if part in ("face", "voice"):
        inner = {"face": "face.trunk.", "voice": "voice.encoder."}[part]
        return name.startswith(f"{part}.") and not name.startswith(inner)
    if part == "connectors":
        return name.startswith(("face_connector.", "voice_connector."))
    return name.startswith(f"{part}.")


@torch.no_grad()
def _fill(here: Mapping[str, Tensor], saved: Mapping[str, Tensor], file: Path) -> None:
    if differing := sorted(here.keys() ^ saved.keys()):
        raise ConfigError(f"{file}: does not fit the model (first difference: {differing[0]})")
    for name, value in saved.items():
        if here[name].shape != value.shape:
            raise ConfigError(f"{file}: {name} is {list(value.shape)}, the model's {list(here[name].shape)}")
        here[name].copy_(value)


def _stored(value: Tensor, half: bool) -> Tensor:
    return value.half() if half and value.is_floating_point() else value.clone()


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
