"""Record: one labelled sample of any data set of the field, before it becomes a conversation.

Labels keep the words of the data set's own scheme; canonical emotions come only through a crosswalk that the recipe states.
Unknown is None or empty, never a default label.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from emoreason.labels.action_units import ACTION_UNITS, Side

Provenance = Literal["human", "measured", "model", "composed"]
Share = Annotated[float, Field(ge=0, le=1)]
Polar = Annotated[float, Field(ge=-1, le=1)]


class Strict(BaseModel):
    """Unknown keys are refused, and what was read stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Media(Strict):
    """Paths relative to the recipe's root, with forward slashes. `frames`: pictures that stand for the video, in their order,
    `frame_rate` of them a second."""

    video: str | None = None
    image: str | None = None
    audio: str | None = None
    frames: list[str] = []
    frame_rate: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _timed(self) -> "Media":
        if len(self.frames) > 1 and self.frame_rate is None:
            raise ValueError(f"{len(self.frames)} frames without a frame_rate: how many of them are there a second?")
        return self


class Span(Strict):
    """Seconds of a clip."""

    start_s: float = Field(ge=0)
    end_s: float

    @model_validator(mode="after")
    def _forward(self) -> "Span":
        if self.end_s < self.start_s:
            raise ValueError(f"span ends at {self.end_s} s, before it starts at {self.start_s} s")
        return self


class ClosedLabel(Strict):
    """`value` is one of the recipe's `labels`, in the data set's own words; `shares` are votes or mixtures, summing to 1."""

    scheme: str
    value: str | None = None
    shares: dict[str, Share] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "ClosedLabel":
        if self.value is None and not self.shares:
            raise ValueError(f"a label in scheme '{self.scheme}' needs a value or shares")
        if self.shares and abs(sum(self.shares.values()) - 1) > 1e-3:
            raise ValueError(f"shares of scheme '{self.scheme}' sum to {sum(self.shares.values()):.3f}, not 1")
        return self


class AuLabel(Strict):
    """One coded action unit. `present=False` is a coder's 'absent'; units that were not coded do not appear at all."""

    au: str
    present: bool = True
    intensity: Share | None = None
    side: Side | None = None
    onset_s: float | None = None
    apex_s: float | None = None
    offset_s: float | None = None
    source: Provenance = "human"

    @model_validator(mode="after")
    def _known(self) -> "AuLabel":
        if not (self.au in ACTION_UNITS or (self.au[:2] == "AU" and self.au[2:].isdigit() and len(self.au) == 4)):
            raise ValueError(f"'{self.au}' is no action unit: write AU and two digits, e.g. AU04")
        return self


class Turn(Strict):
    """One utterance of a dialogue."""

    text: str
    speaker: str | None = None
    emotion: str | None = None  # in the record's closed scheme
    start_s: float | None = None
    end_s: float | None = None


class Cause(Strict):
    """Turn `effect` shows an emotion because of turn `cause` (indices into turns); `span` is the causing piece of its text."""

    effect: int = Field(ge=0)
    cause: int = Field(ge=0)
    emotion: str | None = None
    span: str | None = None


class Sentence(Strict):
    """A sentence of an explanation and where it comes from."""

    text: str
    source: Provenance


class Probe(Strict):
    """A question of the data set's own, to be answered with yes or no. `pair` is shared by a true statement and its made-up twin:
    only both right count."""

    question: str = Field(min_length=1)
    answer: Literal["yes", "no"]
    pair: str | None = None


class Record(Strict):
    """`id` is unique within its data set; `group` is the subject, speaker or dialogue that must not be split."""

    id: str
    dataset: str
    split: str
    group: str
    licence: str
    media: Media | None = None
    span: Span | None = None
    person: str | None = None  # who the labels are about, where a file shows several
    cropped_face: bool = False  # the picture or video is itself a face crop
    labels: list[ClosedLabel] = []
    open_labels: list[str] = []
    compound: str | None = None
    sentiment: Literal["negative", "neutral", "positive"] | None = None
    sentiment_score: Polar | None = None
    valence: Polar | None = None
    arousal: Polar | None = None
    action_units: list[AuLabel] = []
    transcript: str | None = None
    transcribe: bool = True  # whether speech without a transcript is put into words
    language: str | None = None
    turns: list[Turn] = []
    target_turn: int | None = None  # the turn that the labels are about
    causes: list[Cause] = []
    explanation: list[Sentence] = []
    probe: Probe | None = None
    notes: dict[str, str] = {}  # what else the files say of it, such as a second opinion; no task asks about it
    synthetic: list[str] = []  # ids of the records this one was put together from

    @model_validator(mode="after")
    def _consistent(self) -> "Record":
        if not (self.media or self.turns or self.transcript or self.explanation or self.probe):
            raise ValueError(f"record {self.id}: neither media nor words nor an explanation nor a question")
        indices = [i for cause in self.causes for i in (cause.effect, cause.cause)]
        indices += [] if self.target_turn is None else [self.target_turn]
        if indices and max(indices) >= len(self.turns):
            raise ValueError(f"record {self.id}: turn {max(indices)} is named, but there are {len(self.turns)} turns")
        return self

    def label(self, scheme: str) -> ClosedLabel | None:
        return next((label for label in self.labels if label.scheme == scheme), None)
