"""The report, `emoreason/report/1`: typed, validated when built. Seconds everywhere; unknown is null, never a made-up number."""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from emoreason.labels.action_units import Level, Reliability, Side
from emoreason.labels.emotions import EMOTIONS
from emoreason.labels.voice_cues import VoiceLevel

SCHEMA = "emoreason/report/1"


def _rounded(value: Any) -> Any:
    """Four decimals: more would claim precision that no detector has, and would make equal runs look different."""
    if isinstance(value, float) or hasattr(value, "dtype"):
        value = float(value)
        return None if math.isnan(value) else round(value, 4)
    return value


Number = Annotated[float, BeforeValidator(_rounded)]
Probability = Annotated[float, BeforeValidator(_rounded), Field(ge=0, le=1)]
Emotion = Literal["anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]
Modality = Literal["face", "voice", "words", "scene"]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Part):
    path: str
    sha256: str
    duration_s: Number
    fps: Number | None
    width: int | None
    height: int | None
    has_video: bool
    has_audio: bool


class Verdict(Part):
    emotion: Emotion | None
    confidence: Probability | None
    abstained: bool
    reason: str | None = Field(None, description="why the verdict abstains")
    person: str | None = Field(None, description="who speaks most, else the largest x longest face")
    probabilities: dict[Emotion, Probability] | None = Field(None, description="8 labels, sum 1; null if no modality was usable")
    valence: Annotated[Number, Field(ge=-1, le=1)] | None = None
    arousal: Annotated[Number, Field(ge=-1, le=1)] | None = None
    sentiment: Literal["negative", "neutral", "positive"] | None = None
    compound: str | None = None
    open_vocabulary: list[str] = []
    derived: list[str] = Field([], description="names of fields that are derived from others, not predicted")

    @model_validator(mode="after")
    def _consistent(self) -> "Verdict":
        if self.abstained != (self.emotion is None) or (self.emotion is None) != (self.confidence is None):
            raise ValueError("an abstaining verdict has null emotion and confidence, any other has both")
        if self.abstained and not self.reason:
            raise ValueError("an abstaining verdict states its reason")
        if self.probabilities is not None:
            if set(self.probabilities) != set(EMOTIONS):
                raise ValueError(f"probabilities must cover exactly {', '.join(EMOTIONS)}")
            if abs(sum(self.probabilities.values()) - 1) > 2e-3:
                raise ValueError(f"probabilities sum to {sum(self.probabilities.values()):.4f}, not 1")
        return self


class Span(Part):
    start_s: Number
    end_s: Number


class AuEvent(Part):
    onset_s: Number
    apex_s: Number
    offset_s: Number
    peak: Probability


class ActionUnitSummary(Part):
    au: str = Field(pattern=r"^AU\d\d$")
    name: str
    source: Literal["blendshape", "geometry", "model", "fused"]
    reliability: Reliability
    probability: Probability | None
    intensity: Probability | None
    level: Level
    side: Side | None
    events: list[AuEvent]


class EmotionSpan(Span):
    emotion: Emotion
    confidence: Probability


class PersonReport(Part):
    person: str = Field(pattern=r"^p\d+$")
    face_id: int
    start_s: Number
    end_s: Number
    speaking: list[Span]
    emotion: Emotion | None
    probabilities: dict[Emotion, Probability] | None
    action_units: list[ActionUnitSummary]
    emotions_over_time: list[EmotionSpan]


class VoiceCueReport(Span):
    cue: str
    value: Number
    unit: str
    level: VoiceLevel


class VoiceReport(Part):
    person: str | None
    speech_s: Number
    emotion: Emotion | None
    probabilities: dict[Emotion, Probability] | None
    cues: list[VoiceCueReport]


class WordSegmentReport(Part):
    start: Number
    end: Number
    text: str


class WordsReport(Part):
    language: str
    language_probability: Probability
    text: str
    segments: list[WordSegmentReport]


class Claim(Part):
    """One checkable statement of the explanation. `text` is the exact words, found in the explanation's text."""

    text: str
    modality: Modality
    cue: str
    person: str | None
    start_s: Number | None
    end_s: Number | None
    verdict: Literal["supported", "contradicted", "unverifiable"]
    measured: str | None = Field(None, description="what was measured, in words; null where nothing was")


class Explanation(Part):
    text: str
    claims: list[Claim]
    faithfulness: Probability | None = Field(None, description="supported / (supported + contradicted); null without such claims")
    coverage: Probability | None = Field(None, description="share of the strongest measured cues that the text mentions")
    generator: str


class SegmentReport(Span):
    verdict: Verdict
    explanation: Explanation | None


class ModelInfo(Part):
    name: str
    revision: str | None = None
    weights_sha256: str | None = None
    config: str | None = None
    path: Literal["soft", "text"] | None = None


class Timings(Part):
    decode: Number = 0.0
    faces: Number = 0.0
    voice: Number = 0.0
    words: Number = 0.0
    model: Number = 0.0
    total: Number = 0.0


class EmotionReport(Part):
    """One analysed file. `report.to_json()` is the interchange form; `report.frames()` and `report.save()` add tables and pages."""

    schema_: Literal["emoreason/report/1"] = Field(SCHEMA, alias="schema")
    source: Source
    verdict: Verdict
    segments: list[SegmentReport]
    people: list[PersonReport]
    voice: VoiceReport | None
    words: WordsReport | None
    explanation: Explanation
    warnings: list[str]
    model: ModelInfo
    timings_s: Timings

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
