"""Stages: which parts of the model train, and how fast. One frozen dataclass, one idempotent function that applies it.

A stage file of kind sft names the parts that train; every other part is frozen:

    kind: sft
    train: {connectors: full, language: lora}
    lr: {connectors: 1.0e-3, language: 5.0e-4}
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from torch import nn

from emoreason.config import resolve
from emoreason.errors import ConfigError
from emoreason.model.backbones import LAYERS
from emoreason.model.config_file import check_keys, nearest, read_mapping

FROZEN, LORA, FULL = "frozen", "lora", "full"
PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "face.trunk": (FROZEN, FULL),  # the vision model that sees the crops
        "face": (FROZEN, FULL),  # regions, geometry, temporal encoder, tokens
        "voice.encoder": (FROZEN, FULL),  # Whisper's layers
        "voice": (FROZEN, FULL),  # layer mix, pooling, prosody
        "connectors": (FROZEN, FULL),
        "heads": (FROZEN, FULL),
        "language": (FROZEN, LORA, FULL),  # decoder layers of the backbone
        "tokens": (FROZEN, FULL),  # embedding rows of our special tokens
    }
)
WORDS_ADAPTER = "words_adapter"  # how utterances are read: trained by a stage with code of its own, and so part of the rest here
REST = "rest"  # never trains: vocabulary, output layer and the backbone's own vision tower


@dataclass(frozen=True)
class StageSpec:
    """`train` maps parts to lora or full (absent = frozen), `lr` gives each of them its learning rate.

    Raises ConfigError for an unknown part or mode, and for a learning rate that is absent, unused or not above 0.
    """

    name: str
    train: Mapping[str, str]
    lr: Mapping[str, float]

    def __post_init__(self) -> None:
        where = f"stage '{self.name}'"
        check_keys(self.train, PARTS, where, "train")
        for part, mode in self.train.items():
            if mode not in PARTS[part]:
                hint = nearest(str(mode), PARTS[part])
                raise ConfigError(f"{where}: train.{part} is '{mode}', but takes {', '.join(PARTS[part])}{hint}")
        train = {part: self.train[part] for part in PARTS if self.train.get(part, FROZEN) != FROZEN}
        check_keys(self.lr, train, where, "lr")
        for part in train:
            if part not in self.lr:
                raise ConfigError(f"{where}: lr.{part} is missing; the part trains, so say how fast")
        rates = {part: _rate(self.lr[part], f"{where}: lr.{part}") for part in train}
        object.__setattr__(self, "train", MappingProxyType(train))
        object.__setattr__(self, "lr", MappingProxyType(rates))

    def mode(self, part: str) -> str:
        return self.train.get(part, FROZEN)


@dataclass(frozen=True)
class PartRow:
    """One line of the table: parameters that train, of how many; lr None where nothing trains."""

    part: str
    mode: str
    trainable: int
    total: int
    lr: float | None


def load_stage(name_or_path: str | Path) -> StageSpec:
    """From a YAML file or the name of a shipped one. Raises ConfigError naming file, key and the nearest valid key."""
    path = resolve("stages", name_or_path)
    values = read_mapping(path)
    kind = values.pop("kind", None)
    if kind not in (None, "sft"):
        raise ConfigError(f"{path} is of kind '{kind}'; only stages of kind sft say which parts of the model train")
    if kind is None:  # a file of version 0.1, which holds no other settings of the stage
        check_keys(values, ("train", "lr"), str(path))
    for key in ("train", "lr"):
        if not isinstance(values.get(key), dict):
            raise ConfigError(f"{path}: {key} must be a mapping of parts, got {values.get(key)!r}")
    try:
        return StageSpec(path.stem, values["train"], values["lr"])
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def apply_stage(model: nn.Module, stage: StageSpec) -> list[PartRow]:
    """Make exactly the stage's parameters trainable; applying it again changes nothing.

    A part that trains in full differs from its source from then on: the configuration no longer names the source, so that
    `save_pretrained` keeps the weights. Raises ConfigError when the model has nothing of a part that should train.
    """
    rows = {part: [0, 0] for part in (*PARTS, REST)}
    _check_possible(model, stage)
    for name, parameter in model.named_parameters():
        part, modes = part_of(name, model.config.language_config.model_type)
        trains = stage.mode(part) in modes
        parameter.requires_grad_(trains)
        rows[part][0] += parameter.numel() if trains else 0
        rows[part][1] += parameter.numel()
    for part, (trainable, _) in rows.items():
        if stage.mode(part) != FROZEN and not trainable:
            nothing = f"this model has nothing to train in '{part}' as {stage.mode(part)}"
            raise ConfigError(f"stage '{stage.name}': {nothing}{_WHY[part]}")
    if stage.mode("language") == FULL:
        model.config.backbone = None
    if stage.mode("voice.encoder") == FULL:
        model.config.voice = None
    if stage.mode("face.trunk") == FULL:
        model.config.face = None
    return [PartRow(part, stage.mode(part), *counts, stage.lr.get(part)) for part, counts in rows.items()]


def parameter_groups(model: nn.Module, stage: StageSpec) -> list[dict]:
    """One optimiser group per trained part, with its name and learning rate. Apply the stage first."""
    groups: dict[str, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.setdefault(part_of(name, model.config.language_config.model_type)[0], []).append(parameter)
    if set(groups) != set(stage.train):
        differ = f"stage '{stage.name}' trains {sorted(stage.train)}, the model {sorted(groups)}"
        raise ConfigError(f"{differ}: call apply_stage first")
    return [{"name": part, "params": groups[part], "lr": stage.lr[part]} for part in stage.train]


def part_of(name: str, family: str) -> tuple[str, tuple[str, ...]]:
    """Part of a parameter, and the modes under which it trains. `family` is the backbone's model_type."""
    if name.startswith("backbone."):
        if "lora_" in name:
            return "language", (LORA,)
        if "trainable_tokens_" in name:
            return "tokens", (FULL,)
        inside = family in LAYERS and f".{LAYERS[family]}." in name
        return ("language", (FULL,)) if inside else (REST, ())
    if name.startswith("voice.encoder."):  # Whisper's positions are fixed sines
        return "voice.encoder", () if "embed_positions" in name else (FULL,)
    if name.startswith("face.trunk."):
        return "face.trunk", (FULL,)
    top = name.split(".")[0]
    if top == WORDS_ADAPTER:
        return REST, ()
    return {"face_connector": "connectors", "voice_connector": "connectors"}.get(top, top), (FULL,)


_WHY = dict.fromkeys((*PARTS, REST), "") | {
    "language": "; lora needs `lora` in the model's configuration, full needs its family in model/backbones.py",
    "tokens": "; their rows come with the adapter: set `lora` and prepare the tokenizer (special_token_ids)",
}


def _check_possible(model: nn.Module, stage: StageSpec) -> None:
    if stage.mode("language") == FULL and model.config.quantization:
        raise ConfigError(f"stage '{stage.name}': a backbone in {model.config.quantization} cannot train in full; use lora")


def _rate(value: object, where: str) -> float:
    try:
        rate = float(value)  # YAML 1.1 reads 1e-3 as text
    except (TypeError, ValueError):
        rate = math.nan
    if not rate > 0 or math.isinf(rate):
        raise ConfigError(f"{where} must be a number above 0, got {value!r}")
    return rate
