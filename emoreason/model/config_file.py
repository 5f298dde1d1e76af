"""Model files: configs/models/*.yaml -> EmoReasonConfig. A file names sources; their own configurations say the sizes.

family: llama                       # model_type of the backbone
backbone: {asset: smollm2-135m}     # or {path: folder or hub id}
face: {dim: 192, dynamics: 4}       # fields of FaceConfig; trunk: {path: ..., family: ...} for a pretrained vision model
voice: {asset: whisper-base, tokens: 4}
lora: {r: 16, lora_alpha: 32}       # fields of peft.LoraConfig
dtype: bfloat16                     # of the loaded language model; float32 when not given
verified: pinned weights            # or: structure only
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from emoreason import assets
from emoreason.config import resolve
from emoreason.errors import ConfigError
from emoreason.model.backbones import LAYERS, backbone_folder
from emoreason.model.config import EmoReasonConfig, FaceConfig, VoiceConfig
from emoreason.model.whisper import load_whisper_encoder

KEYS = ("verified", "family", "backbone", "face", "voice", "lora", "quantization", "dtype", "labels")
VERIFIED = ("structure only", "pinned weights")
_FACE_KEYS = tuple(
    "image_size trunk trunk_dim trunk_mean trunk_std dim heads layers dynamics dropout margin max_frames max_persons".split()
)


@dataclass(frozen=True)
class ModelFile:
    """What a model file says, checked; no source has been opened yet."""

    path: Path
    verified: str
    family: str
    backbone: dict[str, str]
    face: dict[str, Any]
    voice: dict[str, Any]
    lora: dict[str, Any] | None = None
    quantization: str | None = None
    dtype: str | None = None
    labels: list[str] | None = None

    def __post_init__(self) -> None:
        where = str(self.path)
        _one_of(self.verified, VERIFIED, where, "verified")
        _one_of(self.family, LAYERS, where, "family")
        _one_of(self.quantization, (None, "4bit", "8bit"), where, "quantization")
        _source(self.backbone, where, "backbone")
        _one_of(self.dtype, (None, "float32", "bfloat16"), where, "dtype")
        check_keys(self.voice, ("asset", "path", "tokens"), where, "voice")
        _source({key: value for key, value in self.voice.items() if key != "tokens"}, where, "voice")
        check_keys(self.face, _FACE_KEYS, where, "face")
        if self.trunk is not None:
            check_keys(self.trunk, ("path", "family"), where, "face.trunk")
            if set(self.trunk) != {"path", "family"} or "image_size" in self.face or "trunk_dim" in self.face:
                raise ConfigError(f"{where}: face.trunk needs path and family; image_size and trunk_dim are then the trunk's own")
            _one_of(self.trunk["family"], CONFIG_MAPPING_NAMES, where, "face.trunk.family")
        if self.lora is not None:
            from peft import LoraConfig

            check_keys(self.lora, [field.name for field in fields(LoraConfig)], where, "lora")
        self.compose(AutoConfig.for_model("llama"), AutoConfig.for_model("whisper"), None)  # types of the fields

    @property
    def trunk(self) -> dict[str, str] | None:
        return self.face.get("trunk")

    def compose(self, language: PreTrainedConfig, whisper: PreTrainedConfig, trunk: PreTrainedConfig | None) -> EmoReasonConfig:
        """With the configurations of the sources. Raises ConfigError for a value of the wrong type."""
        face = {key: value for key, value in self.face.items() if key != "trunk"}
        if trunk is not None:
            face |= {"trunk_config": trunk, "image_size": trunk.image_size}
        source = {key: value for key, value in self.voice.items() if key != "tokens"}
        tokens = {key: value for key, value in self.voice.items() if key == "tokens"}
        try:
            return EmoReasonConfig(
                face_config=FaceConfig(**face),
                voice_config=VoiceConfig(whisper_config=whisper, **tokens),
                language_config=language,
                backbone=self.backbone,
                voice=source,
                face=self.trunk and {"path": self.trunk["path"]},
                lora=self.lora,
                quantization=self.quantization,
                dtype=self.dtype,
                labels=self.labels,
            )
        except (StrictDataclassError, TypeError, ValueError) as error:
            raise ConfigError(f"{self.path}: {' '.join(str(error).split())}") from error


def read_model_file(name_or_path: str | Path) -> ModelFile:
    """Raises ConfigError naming the file, the key and the nearest valid key."""
    path = resolve("models", name_or_path)
    values = read_mapping(path)
    check_keys(values, KEYS, str(path))
    missing = [key for key in ("verified", "family", "backbone", "face", "voice") if key not in values]
    if missing:
        raise ConfigError(f"{path}: {', '.join(missing)} missing")
    for key in ("backbone", "face", "voice", "lora"):
        if not isinstance(values.get(key, {}), dict):
            raise ConfigError(f"{path}: {key} must be a mapping, got {values[key]!r}")
    return ModelFile(path, **values)


def load_config(name_or_path: str | Path) -> EmoReasonConfig:
    """The configuration to build, with the sizes that its sources state; hub ids are asked for theirs.

    Raises ConfigError (file, source of another family, source not reachable) and AssetError (asset not pulled).
    """
    file = read_model_file(name_or_path)
    language = _of_source(file, "backbone", backbone_folder(file.backbone))
    if language.model_type != file.family:
        raise ConfigError(f"{file.path}: family is '{file.family}', but {file.backbone} is of family '{language.model_type}'")
    if "asset" in file.voice:
        name = file.voice["asset"]
        encoder = load_whisper_encoder(assets.path(name) / "model.bin", assets.home() / "converted" / f"{name}-encoder")
        whisper = encoder.config
    else:
        whisper = _of_source(file, "voice", file.voice["path"])
    trunk = None
    if file.trunk is not None:
        trunk = _of_source(file, "face.trunk", file.trunk["path"])
        trunk = getattr(trunk, "vision_config", trunk)
        if trunk.model_type != file.trunk["family"]:
            raise ConfigError(f"{file.path}: face.trunk.family is '{file.trunk['family']}', the source's '{trunk.model_type}'")
    return file.compose(language, whisper, trunk)


def read_mapping(path: Path) -> dict[str, Any]:
    """Raises ConfigError when the file is not one YAML mapping."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold one mapping (key: value), got {type(values).__name__}")
    return values


def check_keys(values: Mapping[str, Any], known: Iterable[str], where: str, inside: str = "") -> None:
    """Raises ConfigError for the first key that is not known, with the nearest one that is."""
    known = list(known)
    for key in values:
        if key not in known:
            name = f"{inside}.{key}" if inside else key
            raise ConfigError(f"{where}: unknown key '{name}'{nearest(str(key), known)}")


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint naming the known word nearest to a mistyped one; empty where none is near."""
    known = list(known)
    near = get_close_matches(word, known, 1)
    return f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(known) or 'none'}"


def _one_of(value: Any, known: Iterable[Any], where: str, key: str) -> None:
    if value not in known:
        raise ConfigError(f"{where}: {key} is '{value}'{nearest(str(value), [str(name) for name in known])}")


def _source(source: dict[str, Any], where: str, key: str) -> None:
    check_keys(source, ("asset", "path"), where, key)
    if len(source) != 1 or not isinstance(next(iter(source.values())), str):
        raise ConfigError(f"{where}: {key} must name one source, asset: name or path: folder or hub id, got {source}")
    if "asset" in source:
        _one_of(source["asset"], assets.ASSETS, where, f"{key}.asset")


def _of_source(file: ModelFile, key: str, source: str) -> PreTrainedConfig:
    try:
        return AutoConfig.from_pretrained(source)
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())
        message = f"{file.path}: {key}: the configuration of '{source}' cannot be had ({why}); give a local folder"
        raise ConfigError(message) from error
