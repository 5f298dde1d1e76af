"""The report, `emoreason/report/1`: typed, validated when built. Seconds everywhere; unknown is null, never a made-up number."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

from emoreason.labels.action_units import Level, Reliability, Side
from emoreason.labels.emotions import EMOTIONS
from emoreason.labels.label_set import CANONICAL
from emoreason.labels.voice_cues import VoiceLevel
from emoreason.perception.observation import Observation

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = "emoreason/report/1"


def _rounded(value: Any) -> Any:
    """Four decimals: more would claim precision that no detector has, and would make equal runs look different."""
    if isinstance(value, float) or hasattr(value, "dtype"):
        value = float(value)
        return None if math.isnan(value) else round(value, 4)
    return value


def path_text(path: str) -> str:
    """A path as text: bytes that are none, which Python keeps as lone surrogates, become the replacement mark."""
    return os.fsencode(path).decode(errors="replace")


Number = Annotated[float, BeforeValidator(_rounded)]
Probability = Annotated[float, BeforeValidator(_rounded), Field(ge=0, le=1)]
Emotion = Literal["anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]
Modality = Literal["face", "voice", "words", "scene"]


def _ordered(probabilities: dict[str, float]) -> dict[str, float]:
    """The order of EMOTIONS, so that equal reports are equal bytes; labels of one's own keep theirs."""
    return {label: probabilities[label] for label in dict.fromkeys((*EMOTIONS, *probabilities)) if label in probabilities}


Probabilities = Annotated[dict[Emotion, Probability], AfterValidator(_ordered)]
LabelProbabilities = Annotated[dict[str, Probability], AfterValidator(_ordered)]


class Part(BaseModel):
    """Base of all parts: immutable, and no field that the schema does not name."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_serialization_defaults_required=True)


class Source(Part):
    """The analysed file. Sizes are of the upright picture; `fps` is an average. `path` can be opened; when written it is text."""

    path: str
    sha256: str
    duration_s: Number
    fps: Number | None
    width: int | None
    height: int | None
    has_video: bool
    has_audio: bool


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


class Span(Part):
    """A stretch of time, seconds."""

    start_s: Number
    end_s: Number


class AuEvent(Part):
    """One activation of a unit: seconds, and its peak intensity 0..1."""

    onset_s: Number
    apex_s: Number
    offset_s: Number
    peak: Probability


class ActionUnitSummary(Part):
    """All that was measured of one unit of one person; level, side and intensity are those of its strongest event."""

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
    """A stretch in which one emotion leads, and its mean probability there."""

    emotion: Emotion
    confidence: Probability


class PersonReport(Part):
    """One person of the clip: when in view, speaking, and what the face shows."""

    person: str = Field(pattern=r"^p\d+$")
    face_id: int
    start_s: Number
    end_s: Number
    speaking: list[Span]
    emotion: Emotion | None
    probabilities: Probabilities | None
    action_units: list[ActionUnitSummary]
    emotions_over_time: list[EmotionSpan]


class VoiceCueReport(Span):
    """A vocal measurement and its level against the stated reference."""

    cue: str
    value: Number
    unit: str
    level: VoiceLevel


class VoiceReport(Part):
    """What the voice shows, over all speech and per span."""

    person: str | None
    speech_s: Number
    emotion: Emotion | None
    probabilities: Probabilities | None
    cues: list[VoiceCueReport]


class WordSegmentReport(Part):
    """A piece of the transcript; whisperX's key names."""

    start: Number
    end: Number
    text: str


class WordsReport(Part):
    """The transcript."""

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
    """Why, in plain language, and what became of each claim."""

    text: str
    claims: list[Claim]
    faithfulness: Probability | None = Field(None, description="supported / (supported + contradicted); null without such claims")
    coverage: Probability | None = Field(None, description="share of the strongest measured cues that the text mentions")
    generator: str


class SegmentReport(Span):
    """A stretch of the clip with a verdict of its own."""

    verdict: Verdict
    explanation: Explanation | None


class ModelInfo(Part):
    """Who judged. `path`: whether soft tokens or text evidence fed the answer."""

    name: str
    revision: str | None = None
    weights_sha256: str | None = None
    config: str | None = None
    path: Literal["soft", "text"] | None = None


class Timings(Part):
    """Seconds spent; 0 for what came from the cache."""

    decode: Number = 0.0
    faces: Number = 0.0
    voice: Number = 0.0
    words: Number = 0.0
    model: Number = 0.0
    total: Number = 0.0


class EmotionReport(Part):
    """One analysed file. `to_json()` is the interchange form; `frames()` and `save()` add tables and pages."""

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

    model_config = ConfigDict(populate_by_name=True)

    _observation: Observation | None = PrivateAttr(None)
    _frame_probabilities: dict[str, np.ndarray] = PrivateAttr(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Equal if they say the same, whatever measurements are attached (arrays have no single truth value)."""
        return isinstance(other, EmotionReport) and self.model_dump() == other.model_dump()

    def attach(self, observation: Observation, frame_probabilities: Mapping[str, np.ndarray] | None = None) -> "EmotionReport":
        """Give the report what its tables and curves need; returns the report.

        frame_probabilities: person -> [T, 8] in the order of EMOTIONS, one row per row of that person's track.
        Raises ValueError where a shape does not fit the track.
        """
        for name, values in (frame_probabilities or {}).items():
            person = observation.person(name)
            wanted = None if person is None else (len(person.times_s), len(EMOTIONS))
            if np.shape(values) != wanted:
                raise ValueError(f"frame probabilities of {name} have shape {np.shape(values)}, the track needs {wanted}")
        self._observation, self._frame_probabilities = observation, dict(frame_probabilities or {})
        return self

    @property
    def observation(self) -> Observation:
        """What was measured. Raises ValueError for a report that was read from JSON: that holds no measurements."""
        if self._observation is None:
            raise ValueError("this report carries no measurements (read from JSON?): analyse the file again, or attach() them")
        return self._observation

    @property
    def frame_probabilities(self) -> dict[str, np.ndarray]:
        """person -> [T, 8], empty where no model scored single frames."""
        return self._frame_probabilities

    def to_json(self, indent: int | None = None) -> str:
        """The interchange form: one line unless `indent` is given, keys in the order of the schema, unknown as null."""
        values = self.readable().model_dump(mode="json", by_alias=True)
        return json.dumps(values, ensure_ascii=False, indent=indent, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "EmotionReport":
        """Read what `to_json` wrote. Raises pydantic.ValidationError, a ValueError, naming each field that does not fit."""
        return cls.model_validate_json(text)

    def readable(self) -> "EmotionReport":
        """The same for files and pages: its path is text, whatever bytes the name of the file has."""
        return self.model_copy(update={"source": self.source.model_copy(update={"path": path_text(self.source.path)})})

    def speaker(self, start_s: float, end_s: float) -> str | None:
        """The one person who seems to speak for at least half of start_s..end_s, or None."""
        shares = {
            person.person: sum(max(0.0, min(end_s, span.end_s) - max(start_s, span.start_s)) for span in person.speaking)
            for person in self.people
        }
        best = max(shares, key=lambda name: shares[name], default=None)
        return best if best and shares[best] > 0 and shares[best] >= (end_s - start_s) / 2 else None

    def frames(self, columns: str = "pyfeat") -> "pd.DataFrame":
        """One row per face and sampled frame; see `report.table`. Raises ValueError without measurements."""
        from emoreason.report.table import frames

        return frames(self, columns)

    def save(
        self, directory: str | Path, formats: Sequence[str] = ("json", "html"), columns: str = "pyfeat", key_frames: bool = True
    ) -> list[Path]:
        """Write the report below `directory`; see `report.save.save`."""
        from emoreason.report.save import save

        return save(self, directory, formats, columns, key_frames)


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of what `EmotionReport.to_json` writes."""
    return EmotionReport.model_json_schema(by_alias=True, mode="serialization") | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
    }
