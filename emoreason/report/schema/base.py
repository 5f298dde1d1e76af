"""What all parts of a report have in common: rounding, probabilities by label, spans of time."""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from emoreason.labels.emotions import EMOTIONS


def _rounded(value: Any) -> Any:
    """Four decimals: more would claim precision that no detector has, and would make equal runs look different."""
    if isinstance(value, float) or hasattr(value, "dtype"):
        value = float(value)
        return None if math.isnan(value) else round(value, 4)
    return value


Number = Annotated[float, BeforeValidator(_rounded)]
Probability = Annotated[float, BeforeValidator(_rounded), Field(ge=0, le=1)]
Emotion = Literal["anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]


def _ordered(probabilities: dict[str, float]) -> dict[str, float]:
    """The order of EMOTIONS, so that equal reports are equal bytes; labels of one's own keep theirs."""
    return {label: probabilities[label] for label in dict.fromkeys((*EMOTIONS, *probabilities)) if label in probabilities}


Probabilities = Annotated[dict[Emotion, Probability], AfterValidator(_ordered)]
LabelProbabilities = Annotated[dict[str, Probability], AfterValidator(_ordered)]


class Part(BaseModel):
    """Base of all parts: immutable, and no field that the schema does not name."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_serialization_defaults_required=True)


class Span(Part):
    """A stretch of time, seconds."""

    start_s: Number
    end_s: Number


class EmotionSpan(Span):
    """A stretch in which one emotion leads, and its mean probability there."""

    emotion: Emotion
    confidence: Probability
