"""A stage's entry in a run file -> its settings.

The entry is merged over a stage file (configs/stages/*.yaml): the one that it names with `stage`, else the shipped one of its own
name. A stage file may name another one in the same way. An entry with a `kind` and no `stage` is complete by itself.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from emoreason.config import names, resolve, shipped_file
from emoreason.errors import ConfigError
from emoreason.model.config_file import nearest, read_mapping
from emoreason.training.settings.base import StageSettings, merge
from emoreason.training.settings.face import FaceSettings
from emoreason.training.settings.sft import SftSettings
from emoreason.training.settings.voice import VoiceSettings
from emoreason.training.settings.words import WordsSettings

KINDS: Mapping[str, type[StageSettings]] = MappingProxyType(
    {"face": FaceSettings, "voice": VoiceSettings, "words": WordsSettings, "sft": SftSettings}
)


def read_stage(name: str, entry: Mapping[str, Any], where: str) -> StageSettings:
    """Settings of the stage `name`. where: the file and key that an error shall name.

    Raises ConfigError naming the file, the key and the nearest key that there is.
    """
    try:
        below, file = ({}, None) if "kind" in entry and "stage" not in entry else _stage_file(name, entry)
        kind = KINDS[_kind(entry, below, file)]
        entry = kind.current(entry)
        values = merge(below, entry)
        kind.check_effect(entry, values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        place, said = explain(error, kind, values)
        theirs = _stands(below, place) and not _stands(entry, place)
        raise ConfigError(f"{f'{file}, for {where}' if theirs else where}: {said}") from error
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def load_stage_file(name: str) -> StageSettings:
    """The settings of a stage file that is complete by itself."""
    return read_stage(name, {"stage": name}, f"stage {name}")


def explain(
    error: ValidationError, model: type[BaseModel], values: Mapping[str, Any] = MappingProxyType({})
) -> tuple[list[str], str]:
    """(its place as `values` have it, the first problem in one line); a key nobody knows comes with its nearest neighbour."""
    first = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")[0]  # a typo also makes its key "missing"
    place = [str(part) for part in first["loc"]]
    written = _as_written(place, values)
    if first["type"] == "extra_forbidden":
        return written, f"no key '{'.'.join(written)}'{nearest(place[-1], _keys_at(model, place[:-1]))}"
    said = first["msg"].removeprefix("Value error, ")
    return written, f"'{'.'.join(written)}': {said}" if written else said


def _as_written(place: list[str], values: Mapping[str, Any]) -> list[str]:
    """A phase called by its name; without the phase where it is all phases' value that is meant."""
    phase = values["phases"][int(place[1])] if len(place) > 1 and place[0] == "phases" and "phases" in values else None
    if not isinstance(phase, Mapping):
        return place
    if len(place) > 2 and place[2] not in phase and place[2] in values:
        return place[2:]
    return ["phases", str(phase.get("name", place[1])), *place[2:]]


def _stage_file(name: str, entry: Mapping[str, Any], seen: Sequence[Path] = ()) -> tuple[dict[str, Any], Path]:
    """(values, path) of the stage file below an entry, those of the file below that one included."""
    if entry.get("stage") is not None:
        path = resolve("stages", str(entry["stage"]))
    elif name in names("stages"):  # the shipped one: what lies here by that name may be anything
        path = shipped_file("stages", name)
    else:
        raise ConfigError(f"name its stage file with `stage` ({', '.join(names('stages'))}), or give its `kind`")
    if path in seen:
        raise ConfigError(f"{path}: the stage file is based on itself")
    values = read_mapping(path)
    kind = "sft" if "train" in values else None  # files of version 0.1 have no kind
    if "stage" in values:
        below, _ = _stage_file(path.stem, values, (*seen, path))
        values = merge(below, values)
    if values.get("kind", kind) is None:
        raise ConfigError(f"{path}: kind is missing; known: {', '.join(KINDS)}")
    return {"kind": kind} | values, path


def _kind(entry: Mapping[str, Any], below: Mapping[str, Any], file: Path | None) -> str:
    kind = entry.get("kind", below.get("kind"))
    if kind not in KINDS:
        raise ConfigError(f"kind is '{kind}'{nearest(str(kind), KINDS)}")
    if below.get("kind", kind) != kind:
        raise ConfigError(f"kind is '{kind}', but {file} is of kind '{below['kind']}'")
    return kind


def _stands(values: Any, place: Sequence[str]) -> bool:
    """Whether a place of the settings occurs in the values of a file; items of a list are called by number or name."""
    for key in place:
        if isinstance(values, list):
            values = {str(n): item for n, item in enumerate(values)} | {
                item["name"]: item for item in values if isinstance(item, Mapping) and "name" in item
            }
        if not isinstance(values, Mapping) or key not in values:
            return False
        values = values[key]
    return bool(place)


def _keys_at(model: type[BaseModel], place: Sequence[str]) -> list[str]:
    """Keys of the model that stands at a place in another one."""
    at: Any = model
    for key in place:
        fields = at.model_fields if isinstance(at, type) and issubclass(at, BaseModel) else None
        at = _inner(fields[key].annotation) if fields is not None and key in fields else at
    return list(at.model_fields)


def _inner(annotation: Any) -> Any:
    """The model inside an annotation such as `dict[str, X]` or `list[X] | None`; the annotation itself where there is none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [_inner(inner) for inner in get_args(annotation)]
    return next((one for one in found if isinstance(one, type) and issubclass(one, BaseModel)), annotation)


def set_value(values: dict[str, Any], setting: str) -> None:
    """Put `dotted.key=value` into the values of a run file; items of a list are called by their `name`. What a stage does not say
    itself its stage file may, so below `stages.NAME` keys need not be there yet."""
    key, equals, text = setting.partition("=")
    *path, last = key.split(".")
    if not equals or not last:
        raise ConfigError(f"--set takes key=value with dots between nested keys, not '{setting}'")
    at: Any = values
    for depth, name in enumerate(path):
        inside = {item.get("name"): item for item in at if isinstance(item, dict)} if isinstance(at, list) else at
        if not isinstance(inside.get(name), dict | list):
            if depth < 2 or path[0] != "stages" or inside is not at or inside.get(name) is not None:
                raise ConfigError(f"--set {key}: there is no '{name}' here{nearest(name, map(str, inside))}")
            inside[name] = {}
        at = inside[name]
    if not isinstance(at, dict):
        raise ConfigError(f"--set {key}: '{path[-1]}' is a list; name an item of it: {path[-1]}.NAME.{last}")
    at[last] = yaml.safe_load(text)
