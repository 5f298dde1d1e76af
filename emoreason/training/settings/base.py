"""What the settings of all stages share: a base class, schedules, phases, and how one mapping is merged over another."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from emoreason.errors import ConfigError
from emoreason.instructions.record import Strict
from emoreason.model.config_file import check_keys, nearest
from emoreason.training.fit import Schedule

One = BeforeValidator(lambda value: [value] if isinstance(value, str) else value)  # a single one may stand without brackets
Names = Annotated[list[str], One]
Learned = Annotated[list[Literal["train", "valid"]], One, Field(min_length=1)]  # splits: "test" is never learned from
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class StageSettings(Strict):
    """`kind` chooses the class of training.stages that trains it. stage: the stage file that the settings are based on."""

    makes_encoders: ClassVar[bool] = False  # of a new model: a run that begins with a checkpoint has no such stage

    kind: str
    stage: str | None = None

    def data_sets(self) -> list[str]:
        """Recipes that the stage learns from, each once."""
        raise NotImplementedError

    @property
    def steps(self) -> int:
        """Training steps, of all phases."""
        raise NotImplementedError

    @classmethod
    def current(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """`values` of a run, keys of version 0.1 written as they are now."""
        return dict(values)

    @classmethod
    def check_effect(cls, entry: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Raises ConfigError for a key of a run's entry that takes no effect in `values`, into which it was merged."""


class Scheduled(Strict):
    """Something with a `schedule`: fields of training.fit.Schedule."""

    schedule: dict[str, Any]

    @model_validator(mode="after")
    def _schedule(self) -> "Scheduled":
        steps = self.plan(0).steps
        if steps < self.least_steps:
            raise ConfigError(f"schedule: steps is {steps}, it must be at least {self.least_steps}")
        return self

    @property
    def least_steps(self) -> int:
        """0 where a training may be left out."""
        return 1

    def plan(self, seed: int) -> Schedule:
        """Raises ConfigError for a key or value that a schedule cannot have."""
        check_keys(self.schedule, [field.name for field in fields(Schedule)], "schedule")
        try:
            return Schedule(**{"seed": seed} | self.schedule)
        except TypeError as error:
            raise ConfigError(f"schedule: {error}") from error


class SourceSettings(Strict):
    """One source of training samples: a data set, by its name under `data`, and how often it is drawn beside the others."""

    data: str
    weight: Rate = 1.0


class PhaseSettings(Scheduled):
    """One training from the weights that the phase before it ended with.

    validation: data sets whose split "valid" chooses among the weights. kept: share of the starting weights in the final ones
    (Wortsman et al. 2022, Robust fine-tuning of zero-shot models); 0 leaves the trained weights as they are.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    sources: list[SourceSettings] = Field(min_length=1)
    validation: Names = Field(min_length=1)
    kept: Share = 0.0

    def data_names(self) -> list[str]:
        return list(dict.fromkeys([*(source.data for source in self.sources), *self.chosen_by()]))

    def chosen_by(self) -> list[str]:
        """The data sets that choose among the weights."""
        return list(self.validation)


class PhasedSettings(StageSettings):
    """A stage that trains in phases. Keys of a phase that stand beside `phases` hold for each phase that does not override them.

    data: the data sets that phases name; those that no phase names need not be there. seed: of weights and draws; when not given
    that of the run.
    """

    seed: int | None = None
    data: dict[str, Any]
    phases: list[PhaseSettings] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _shared(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        shared = {key: value for key, value in values.items() if key in cls.shared_keys()}
        rest = {key: value for key, value in values.items() if key not in shared}
        phases = values.get("phases")
        if isinstance(phases, list):
            phases = [merge(shared, phase) if isinstance(phase, Mapping) else phase for phase in phases]
        return rest if phases is None else rest | {"phases": phases}

    @model_validator(mode="after")
    def _names(self) -> "PhasedSettings":
        for number, phase in enumerate(self.phases):
            if phase.name in (reserved := ["final", "data", "states", *(other.name for other in self.phases[:number])]):
                raise ValueError(f"phases.{number}.name is '{phase.name}', which is taken ({', '.join(reserved)})")
            for name in phase.data_names():
                if name not in self.data:
                    raise ValueError(f"phase '{phase.name}' names the data set '{name}'{nearest(name, self.data)}")
            for name in phase.chosen_by():
                if self.learned_in(phase, name):
                    raise ValueError(f"phase '{phase.name}' is chosen by valid of '{name}': take it out of data.{name}.train")
        return self

    def learned_in(self, phase: PhaseSettings, name: str) -> bool:
        """Whether a data set that chooses among the weights is learned from, too."""
        return "valid" in self.data[name].train

    @classmethod
    def check_effect(cls, entry: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """A key beside `phases` which every phase overrides would be ignored silently."""
        shared = {key: value for key, value in entry.items() if key in cls.shared_keys()}
        phases = values.get("phases")
        for path in _leaves(shared) if isinstance(phases, list) and phases else ():
            if all(_says(phase, path) for phase in phases):
                place = ".".join(path)
                name = phases[0].get("name") if isinstance(phases[0], Mapping) else 0
                raise ConfigError(f"{place} has no effect, because each phase sets its own: write phases.{name}.{place}")

    @classmethod
    def shared_keys(cls) -> list[str]:
        """Keys of a phase that may stand beside `phases`."""
        phase = cls.model_fields["phases"].annotation.__args__[0]
        return [key for key in phase.model_fields if key not in ("name", "sources")]

    def used(self) -> list[str]:
        """Names of the data sets that phases take, in the order in which they come up."""
        return list(dict.fromkeys(name for phase in self.phases for name in phase.data_names()))

    def data_sets(self) -> list[str]:
        return list(dict.fromkeys(self.data[name].recipe for name in self.used()))

    @property
    def steps(self) -> int:
        return sum(phase.plan(0).steps for phase in self.phases)


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`below` with the values of `above`. Mappings are merged key by key, anything else is replaced.

    A list of mappings that have a `name` is replaced by a list, but changed by a mapping of those names:
    `phases: {first: {schedule: {steps: 9}}}`. Raises ConfigError for a name that the list does not have.
    """
    out = dict(below)
    for key, value in above.items():
        old = out.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            out[key] = merge(old, value)
        elif isinstance(value, Mapping) and _named(old):
            names = [item["name"] for item in old]
            check_keys(value, names, key)
            out[key] = [merge(item, value.get(item["name"]) or {}) for item in old]
        else:
            out[key] = value
    return out


def _named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) and "name" in item for item in value)


def _leaves(values: Mapping[str, Any], place: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Places of all values that are not mappings."""
    out = []
    for key, value in values.items():
        out += _leaves(value, (*place, str(key))) if isinstance(value, Mapping) and value else [(*place, str(key))]
    return out


def _says(values: Any, place: Sequence[str]) -> bool:
    """Whether a mapping has a value of its own at the place."""
    for key in place:
        if not isinstance(values, Mapping) or key not in values:
            return False
        values = values[key]
    return True
