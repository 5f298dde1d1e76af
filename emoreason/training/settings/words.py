"""Settings of the stage kind `words`: a head on utterances, and how the language model reads for it."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from emoreason.model.config_file import check_keys
from emoreason.training.settings.base import Names, Rate, Scheduled, StageSettings


class WordsTuning(Scheduled):
    """How the reading of utterances is tuned along with the head: a change of `rank` in the last `layers` of those that read
    (`EmoReasonConfig.words`), at learning rate `lr`. weights: how often a data set is drawn beside one of weight 1."""

    rank: int = Field(ge=1)
    layers: int = Field(ge=1)
    lr: float = Field(gt=0)
    weights: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}


class WordsSettings(StageSettings):
    """The stage kind `words`: training.stages.words. data: recipes to learn from; apart: further ones, whose test splits are kept
    out of these. layer, languages: as `EmoReasonConfig.words`. limit, validation: utterances of each set at most to learn from
    and to choose by. decays: L2 penalties of the head's weights to choose from. adapter: without it the language model reads as
    it is. weight: in the verdict, where calibration shall not find it."""

    makes_encoders: ClassVar[bool] = True  # and heads: it reads from the stages before it

    kind: Literal["words"]
    data: Names = Field(min_length=1)
    apart: Names = []
    layer: int = Field(ge=1)
    languages: Names = Field(min_length=1)
    limit: int | None = Field(None, ge=1)
    validation: int | None = Field(None, ge=1)
    decays: list[Rate] = Field(min_length=1)
    adapter: WordsTuning | None = None
    weight: float | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _weighed(self) -> "WordsSettings":
        if self.adapter is not None:
            check_keys(self.adapter.weights, self.data, "adapter.weights")
        return self

    @property
    def reads(self) -> dict[str, Any]:
        """As `EmoReasonConfig.words`."""
        adapter = None if self.adapter is None else self.adapter.model_dump(include={"rank", "layers"})
        return self.model_dump(include={"layer", "languages"}) | ({} if adapter is None else {"adapter": adapter})

    def data_sets(self) -> list[str]:
        return list(self.data)

    @property
    def steps(self) -> int:
        return 0 if self.adapter is None else self.adapter.plan(0).steps
