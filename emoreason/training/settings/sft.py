"""Settings of the stage kind `sft`: supervised fine-tuning of the language model on a mixture of conversations."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from emoreason.instructions.pairing import Input
from emoreason.instructions.record import Strict
from emoreason.instructions.tasks import tasks_for
from emoreason.model.config_file import nearest
from emoreason.model.stages import StageSpec
from emoreason.training.settings.base import Names, Scheduled, StageSettings

TASKS = tuple(tasks_for("", ()))


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


class SftSettings(StageSettings, Scheduled):
    """The stage kind `sft`: training.stages.sft. train, lr: as model.stages.StageSpec. start: stages whose trained parts it
    begins with. dropout: chance that a sample goes without an input; a task that cites what is gone is not asked then.
    validation: so many conversations of each part. sentiment: weight of the loss of the head on words; label: of the head on the
    run's own labels. emphasis: weight of an answer field's tokens, the text before it having 1: a label is a few tokens among a
    hundred. checkpointing: activations of the language model's layers are computed twice rather than kept, for memory."""

    kind: Literal["sft"]
    train: dict[str, str]
    lr: dict[str, float]
    start: Names = []
    mixture: dict[str, PartSpec] = Field(min_length=1)
    dropout: dict[Input, Annotated[float, Field(ge=0, le=1)]] = {}
    validation: int = Field(40, ge=1)
    sentiment: float = Field(0.0, ge=0)
    label: float = Field(0.0, ge=0)
    emphasis: float | None = Field(None, gt=0)
    checkpointing: bool = False

    @model_validator(mode="after")
    def _parts(self) -> "SftSettings":
        self.spec()
        return self

    def spec(self, name: str = "sft") -> StageSpec:
        """Which parts train. Raises ConfigError for parts, modes and rates that do not fit."""
        return StageSpec(name, self.train, self.lr)

    def data_sets(self) -> list[str]:
        return list(dict.fromkeys(name for part in self.mixture.values() for name in (*part.data, *part.voices)))

    @property
    def steps(self) -> int:
        return self.plan(0).steps
