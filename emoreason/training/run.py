"""Run: what a whole training does, from one YAML: the model, and its stages in order, each with its data and its schedule.

model: tiny
seed: 7
stages:
  face: {...}                  # stage 0: keys of training/face_stage.py
  voice: {...}                 #          and of training/voice_stage.py
  align:
    stage: align               # which parts train: configs/stages/align.yaml
    start: [face, voice]       # stages whose trained parts it begins with
    mixture:
      faces: {data: ferplus, weight: 3, tasks: [region, action_units]}
    schedule: {steps: 600, batch: 8}
"""

from collections.abc import Sequence
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from emoreason.config import resolve
from emoreason.errors import ConfigError
from emoreason.instructions.pairing import Input
from emoreason.instructions.recipe import load_recipe
from emoreason.instructions.record import Strict
from emoreason.instructions.tasks import tasks_for
from emoreason.model.config_file import check_keys, nearest, read_mapping
from emoreason.training.fit import Schedule

Names = Annotated[list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]
WORDS = "words"
CODED = ("face", "voice", WORDS)  # stages with code, and keys, of their own
TASKS = tuple(tasks_for("", ()))
OWN = "${data}"  # in a run file: the recipe that the caller names


class PartSpec(Strict):
    """One part of a mixture. `data`: recipes; pairs and conflicts put a face of them to a voice of `voices`; mixup and cutmix
    merge two of their faces into one picture, sequences make films from neutral to peak: these are observed once they are built.

    limit: at most so many records, of each class equally many with `balance`. labels: the data set's own words or the
    canonical emotions. context: utterances kept before the one that is asked about (a dialogue's length is what costs).
    questions: the most in a conversation.
    """

    data: Names
    kind: Literal["records", "pairs", "conflicts", "mixup", "cutmix", "sequences"] = "records"
    voices: Names = []
    weight: float = Field(1.0, gt=0)
    limit: int | None = Field(None, ge=1)
    balance: bool = False
    tasks: Names
    labels: Literal["native", "canonical"] = "native"
    context: int | None = Field(None, ge=0)
    questions: int = Field(3, ge=1)

    @model_validator(mode="after")
    def _whole(self) -> "PartSpec":
        if (self.kind in ("pairs", "conflicts")) != bool(self.voices):
            raise ValueError("`voices` are for pairs and conflicts, and those need them")
        for task in self.tasks:
            if task not in TASKS:
                raise ValueError(f"no task '{task}'{nearest(task, TASKS)}")
        return self


class Scheduled(Strict):
    """Something with a `schedule`: fields of training.fit.Schedule."""

    schedule: dict[str, Any]

    @model_validator(mode="after")
    def _schedule(self) -> "Scheduled":
        self.plan(0)
        return self

    def plan(self, seed: int) -> Schedule:
        """Raises ConfigError for a key or value that a schedule cannot have."""
        check_keys(self.schedule, [field.name for field in fields(Schedule)], "schedule")
        try:
            return Schedule(**{"seed": seed} | self.schedule)
        except TypeError as error:
            raise ConfigError(f"schedule: {error}") from error


class TuningStage(Scheduled):
    """A stage of the language model. dropout: chance that a sample goes without an input; a task that cites what is gone is not
    asked then. validation: so many conversations of each part. sentiment: weight of the loss of the head on words; label: of
    the head on the run's own labels. emphasis: weight of an answer field's tokens, the text before it having 1: a label is a few
    tokens among a hundred.
    checkpointing: activations of the language model's layers are computed twice rather than kept, for memory."""

    stage: str
    start: Names = []
    mixture: dict[str, PartSpec] = Field(min_length=1)
    dropout: dict[Input, Annotated[float, Field(ge=0, le=1)]] = {}
    validation: int = Field(40, ge=1)
    sentiment: float = Field(0.0, ge=0)
    label: float = Field(0.0, ge=0)
    emphasis: float | None = Field(None, gt=0)
    checkpointing: bool = False


class WordsTuning(Scheduled):
    """How the reading of utterances is tuned along with the head: a change of `rank` in the last `layers` of those that read
    (`EmoReasonConfig.words`), at learning rate `lr`. weights: how often a data set is drawn beside one of weight 1."""

    rank: int = Field(ge=1)
    layers: int = Field(ge=1)
    lr: float = Field(gt=0)
    weights: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}


class WordsStage(Strict):
    """The stage of training.words_stage. data: recipes to learn from; apart: further ones, whose test splits are kept out of
    these. layer, languages: as `EmoReasonConfig.words`. limit, validation: utterances of each set at most to learn from and to
    choose by. adapter: without it the language model reads as it is. weight: in the verdict, where calibration shall not find
    it."""

    data: Names = Field(min_length=1)
    apart: Names = []
    layer: int = Field(ge=1)
    languages: Names = Field(min_length=1)
    limit: int | None = Field(None, ge=1)
    validation: int | None = Field(None, ge=1)
    adapter: WordsTuning | None = None
    weight: float | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _weighed(self) -> "WordsStage":
        if self.adapter is not None:
            check_keys(self.adapter.weights, self.data, "adapter.weights")
        return self

    @property
    def reads(self) -> dict[str, Any]:
        """As `EmoReasonConfig.words`."""
        adapter = None if self.adapter is None else self.adapter.model_dump(include={"rank", "layers"})
        return self.model_dump(include={"layer", "languages"}) | ({} if adapter is None else {"adapter": adapter})


class Run(Strict):
    """`stages` in the order they are trained; those of perception are mappings that their own code checks.

    It begins with a new `model`, or with a checkpoint folder, `init_from`. labels: the recipe whose words verdicts shall choose
    from; without it they choose among the canonical emotions.
    """

    name: str
    model: str | None = None
    init_from: str | None = None
    labels: str | None = None
    seed: int = 0
    stages: dict[str, TuningStage | WordsStage | dict[str, Any]] = Field(min_length=1)

    @model_validator(mode="after")
    def _begins(self) -> "Run":
        if (self.model is None) == (self.init_from is None):
            raise ValueError("it takes `model` (new) or `init_from` (a checkpoint folder), one of the two")
        if self.init_from and (trained := [name for name in self.stages if name in CODED]):
            raise ValueError(f"`init_from` brings trained encoders and heads: leave out the stage {trained[0]}")
        if not self.labels and (asking := [name for name, stage in self.tuning().items() if stage.label]):
            raise ValueError(f"stage {asking[0]} trains the head on own labels: say with `labels` which recipe they are of")
        return self

    def tuning(self) -> dict[str, TuningStage]:
        return {name: stage for name, stage in self.stages.items() if isinstance(stage, TuningStage)}

    @property
    def words(self) -> WordsStage | None:
        """The settings of that stage, if the run has it."""
        return self.stages.get(WORDS)

    def before(self, name: str) -> list[str]:
        """The stages that are trained before this one."""
        return list(self.stages)[: list(self.stages).index(name)]

    def data_sets(self) -> list[str]:
        """Recipes of the mixtures, each once."""
        parts = [part for stage in self.tuning().values() for part in stage.mixture.values()]
        return list(dict.fromkeys(name for part in parts for name in (*part.data, *part.voices)))

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
        _set(values, setting)
    check_keys(values, ("model", "init_from", "labels", "seed", "stages"), str(path))
    stages = values.get("stages")
    if not isinstance(stages, dict) or not all(isinstance(stage, dict) for stage in stages.values()):
        raise ConfigError(f"{path}: 'stages' must be a mapping of stages, each a mapping of its keys")
    made = {name: _stage(name, stage, f"{path}: stages.{name}") for name, stage in stages.items()}
    try:
        run = Run.model_validate({"name": path.stem, **values, "stages": made})
    except ValidationError as error:
        raise ConfigError(f"{path}: {_explain(error)}") from error
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


def _set(values: dict[str, Any], setting: str) -> None:
    key, equals, text = setting.partition("=")
    *path, last = key.split(".")
    if not equals or not last:
        raise ConfigError(f"--set takes key=value with dots between nested keys, not '{setting}'")
    at = values
    for name in path:
        if not isinstance(at.get(name), dict):
            raise ConfigError(f"--set {key}: there is no '{name}' here{nearest(name, map(str, at))}")
        at = at[name]
    at[last] = yaml.safe_load(text)


def _stage(name: str, values: dict[str, Any], where: str) -> TuningStage | WordsStage | dict[str, Any]:
    if name in CODED and name != WORDS:
        return values  # which their own code checks
    try:
        return (WordsStage if name == WORDS else TuningStage).model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_explain(error)}") from error
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _explain(error: ValidationError) -> str:
    """The first problem in one line; a key nobody knows comes with its nearest neighbour."""
    first = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")[0]  # a typo also makes its key "missing"
    place = [str(part) for part in first["loc"]]
    if first["type"] != "extra_forbidden":
        return f"'{'.'.join(place)}': {first['msg'].removeprefix('Value error, ')}"
    model = PartSpec if "mixture" in place else WordsStage if error.title == WordsStage.__name__ else TuningStage
    return f"no key '{'.'.join(place)}'{nearest(place[-1], model.model_fields)}"
