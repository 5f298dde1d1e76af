"""Run: what a whole training does, from one YAML: the model, and its stages in order, each with its data and its schedule.

model: tiny
seed: 7
stages:
  face: {}                     # as configs/stages/face.yaml says
  align:
    stage: align               # based on configs/stages/align.yaml: its kind, and which parts train
    start: [face]              # stages whose trained parts it begins with
    mixture:
      faces: {data: ferplus, weight: 3, tasks: [region, action_units]}
    schedule: {steps: 600, batch: 8}
"""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import Field, InstanceOf, ValidationError, model_validator

from emoreason.config import resolve
from emoreason.errors import ConfigError
from emoreason.instructions.recipe import load_recipe
from emoreason.instructions.record import Strict
from emoreason.model.config_file import check_keys, read_mapping
from emoreason.training.settings.base import StageSettings
from emoreason.training.settings.read import explain, read_stage, set_value
from emoreason.training.settings.sft import SftSettings
from emoreason.training.settings.words import WordsSettings

OWN = "${data}"  # in a run file: the recipe that the caller names


class Run(Strict):
    """`stages` in the order they are trained.

    It begins with a new `model`, or with a checkpoint folder, `init_from`. labels: the recipe whose words verdicts shall choose
    from; without it they choose among the canonical emotions.
    """

    name: str
    model: str | None = None
    init_from: str | None = None
    labels: str | None = None
    seed: int = 0
    stages: dict[str, InstanceOf[StageSettings]] = Field(min_length=1)

    @model_validator(mode="after")
    def _begins(self) -> "Run":
        if (self.model is None) == (self.init_from is None):
            raise ValueError("it takes `model` (new) or `init_from` (a checkpoint folder), one of the two")
        if self.init_from and (trained := [name for name, stage in self.stages.items() if stage.makes_encoders]):
            raise ValueError(f"`init_from` brings trained encoders and heads: leave out the stage {trained[0]}")
        if not self.labels and (asking := [name for name, stage in self.tuning().items() if stage.label]):
            raise ValueError(f"stage {asking[0]} trains the head on own labels: say with `labels` which recipe they are of")
        if len(words := [name for name, stage in self.stages.items() if isinstance(stage, WordsSettings)]) > 1:
            raise ValueError(f"stages {' and '.join(words)} are both of kind words; a model has one head on utterances")
        return self

    def tuning(self) -> dict[str, SftSettings]:
        """The stages that learn from mixtures."""
        return {name: stage for name, stage in self.stages.items() if isinstance(stage, SftSettings)}

    @property
    def words(self) -> tuple[str, WordsSettings] | None:
        """Name and settings of the stage of that kind, if the run has one."""
        return next(((name, stage) for name, stage in self.stages.items() if isinstance(stage, WordsSettings)), None)

    def before(self, name: str) -> list[str]:
        """The stages that are trained before this one."""
        return list(self.stages)[: list(self.stages).index(name)]

    def data_sets(self) -> list[str]:
        """Recipes of the mixtures, each once."""
        return list(dict.fromkeys(name for stage in self.tuning().values() for name in stage.data_sets()))

    def digest(self) -> str:
        """Of what the mixtures depend on."""
        stages = {name: stage.model_dump(include={"mixture", "validation"}) for name, stage in self.tuning().items()}
        own = (load_recipe(self.labels).model_dump_json(),) if self.labels else ()
        return sha256(repr((self.seed, stages, *own)).encode()).hexdigest()


def load_run(name_or_path: str | Path, settings: Sequence[str] = (), data: str | None = None) -> Run:
    """A run file, or the shipped one of that name. settings: `dotted.key=value`, put over it. data: the recipe that stands where
    the file says OWN.

    Raises ConfigError naming the file, the key and the nearest one there is.
    """
    path = resolve("runs", name_or_path)
    values = _with_data(read_mapping(path), data, str(path))
    for setting in settings:
        set_value(values, setting)
    check_keys(values, ("model", "init_from", "labels", "seed", "stages"), str(path))
    stages = values.get("stages")
    if not isinstance(stages, dict) or not all(isinstance(stage, dict) for stage in stages.values()):
        raise ConfigError(f"{path}: 'stages' must be a mapping of stages, each a mapping of its keys")
    made = {name: read_stage(name, stage, f"{path}: stages.{name}") for name, stage in stages.items()}
    try:
        run = Run.model_validate({"name": path.stem, **values, "stages": made})
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error, Run)[1]}") from error
    for name, stage in run.tuning().items():
        for earlier in stage.start:
            if earlier not in run.before(name):
                raise ConfigError(f"{path}: stage '{name}' starts from '{earlier}', which is no stage before it")
    return run


def is_run(name_or_path: str | Path) -> bool:
    """Whether it names a run rather than a recipe."""
    try:
        return "stages" in read_mapping(resolve("runs", name_or_path))
    except ConfigError:
        return False


def _with_data(values: dict[str, Any], data: str | None, where: str) -> dict[str, Any]:
    """The caller's recipe in the places that are left open for it."""
    filled, places = _filled(values, data)
    if places and data is None:
        raise ConfigError(f"{where} trains on a data set of yours: say --data RECIPE.yaml (`emoreason data new` writes one)")
    if data is not None and not places:
        raise ConfigError(f"{where} names its data sets itself: leave out --data, or write {OWN} where the recipe belongs")
    return filled


def _filled(value: Any, data: str | None) -> tuple[Any, int]:
    if isinstance(value, dict):
        made = {key: _filled(inner, data) for key, inner in value.items()}
        return {key: inner for key, (inner, _) in made.items()}, sum(places for _, places in made.values())
    if isinstance(value, list):
        made = [_filled(inner, data) for inner in value]
        return [inner for inner, _ in made], sum(places for _, places in made)
    return (data, 1) if value == OWN else (value, 0)
