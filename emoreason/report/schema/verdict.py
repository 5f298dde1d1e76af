"""Which emotion is shown, and the course it takes over the clip."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from emoreason.labels.emotions import EMOTIONS
from emoreason.labels.label_set import CANONICAL
from emoreason.report.schema.base import Emotion, EmotionSpan, LabelProbabilities, Number, Part, Probability


class Verdict(Part):
    """Which emotion is shown, how surely, or why none is named. A model that was fine-tuned on labels of one's own chooses among
    those: `label`, confidence and probabilities are theirs, `emotion` is what the label stands for."""

    emotion: Emotion | None = Field(description="canonical; null when abstaining, and for a label that stands for none")
    label: str | None = Field(None, description="the chosen word of the scheme")
    scheme: str = Field(CANONICAL, description="the label set that was chosen from; 'emoreason' is the eight emotions")
    confidence: Probability | None
    abstained: bool
    reason: str | None = Field(None, description="why the verdict abstains")
    person: str | None = Field(None, description="who speaks most, else the largest x longest face")
    probabilities: LabelProbabilities | None = Field(
        None, description="all labels of the scheme, sum 1; null if no modality was usable"
    )
    valence: Annotated[Number, Field(ge=-1, le=1)] | None = None
    arousal: Annotated[Number, Field(ge=-1, le=1)] | None = None
    sentiment: Literal["negative", "neutral", "positive"] | None = None
    compound: str | None = None
    open_vocabulary: list[str] = []
    derived: list[str] = Field([], description="names of fields that are derived from others, not predicted")
    course: list[EmotionSpan] | None = Field(
        None,
        description="phases of the clip's person in order of time, canonical emotions, none under 0.5 s, a gap where nothing was "
        "judged; null where no course was computed, as in the verdict of a segment",
    )
    prior: str | None = Field(None, description="even, everyday, or the name of the file that holds it")

    @model_validator(mode="before")
    @classmethod
    def _labelled(cls, values: Any) -> Any:
        """Of the canonical emotions the label is the emotion itself, and need not be said."""
        if isinstance(values, dict) and values.get("scheme", CANONICAL) == CANONICAL and values.get("label") is None:
            return values | {"label": values.get("emotion")}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> "Verdict":
        canonical = self.scheme == CANONICAL
        if self.abstained != (self.label is None) or (self.label is None) != (self.confidence is None):
            raise ValueError("an abstaining verdict has null emotion, label and confidence, any other has a label and confidence")
        if self.emotion != self.label if canonical else self.abstained and self.emotion is not None:
            raise ValueError(f"label '{self.label}' of scheme '{self.scheme}' does not go with emotion '{self.emotion}'")
        if self.abstained and not self.reason:
            raise ValueError("an abstaining verdict states its reason")
        if self.probabilities is not None:
            if canonical and set(self.probabilities) != set(EMOTIONS):
                raise ValueError(f"probabilities must cover exactly {', '.join(EMOTIONS)}")
            if self.label is not None and self.label not in self.probabilities:
                raise ValueError(f"label '{self.label}' has no probability")
            if abs(sum(self.probabilities.values()) - 1) > 2e-3:
                raise ValueError(f"probabilities sum to {sum(self.probabilities.values()):.4f}, not 1")
        return self
