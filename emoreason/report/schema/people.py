"""One person of the clip: when in view, what the face, the body and small movements show, how much of it could be measured."""

from typing import Literal

from pydantic import Field

from emoreason.labels.action_units import Level, Reliability, Side
from emoreason.report.schema.base import Emotion, EmotionSpan, Number, Part, Probabilities, Probability, Span


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
    covered: list[Span] | None = Field(None, description="when its place was hidden; null where that was not measured")


class BodyCueReport(Span):
    """One thing that head, shoulders, arms or hands do."""

    cue: str
    name: str
    level: Level | None
    side: Side | None
    reliability: Reliability


class MicroMovement(Part):
    """A brief small movement of a region of the face; seconds."""

    region: str
    onset_s: Number
    apex_s: Number
    offset_s: Number
    direction: str | None
    aus: list[str] = Field(description="action units that such a movement would fit")


class Measurable(Part):
    """Share of the time in view during which each could be measured, 0..1; null where nothing tried to."""

    face: Probability | None = None
    mouth: Probability | None = None
    brows: Probability | None = None
    eyes: Probability | None = None
    body: Probability | None = None
    hands: Probability | None = None


class PersonReport(Part):
    """One person of the clip: when in view, speaking, and what is shown."""

    person: str = Field(pattern=r"^p\d+$")
    face_id: int
    start_s: Number
    end_s: Number
    speaking: list[Span]
    emotion: Emotion | None
    probabilities: Probabilities | None
    action_units: list[ActionUnitSummary]
    emotions_over_time: list[EmotionSpan] = Field(description="every spell of a leading emotion, brief ones included")
    course: list[EmotionSpan] | None = Field(
        None, description="phases in order of time, none under 0.5 s, a gap where nothing was judged; null where not computed"
    )
    body: list[BodyCueReport] | None = Field(None, description="null where the body was not measured")
    micro: list[MicroMovement] | None = Field(None, description="null where the frame rate cannot show any, or nobody looked")
    measurable: Measurable | None = None
