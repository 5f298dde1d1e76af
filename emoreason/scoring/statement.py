"""A statement: what one phrase of a text says about one cue, before anyone checks whether it is true."""

from dataclasses import dataclass
from typing import Literal

Modality = Literal["face", "voice", "words", "scene"]
Phase = Literal["start", "first_half", "middle", "second_half", "end", "throughout"]  # a time relative to the clip's length


@dataclass(frozen=True)
class Statement:
    """`start`/`end` are character offsets in the parsed text, text = parsed[start:end].

    cue: an AU ("AU12"), "gaze_*" folded into AU61-64, a head pose ("head_left", "head_right", "head_up", "head_down",
    "tilt_left", "tilt_right"), a voice cue of labels.voice_cues, "speech" (somebody speaks at all), "said" (quoted words,
    in `quote`), "language", or something no measurement covers ("posture", "scene", "tears", ...), which stays unverifiable.
    level: an intensity word for AUs (slight, marked, strong), or low, typical, high for voice; None when not said.
    negated: the text denies the cue ("no sign of a smile", "the brows are not lowered").
    person: "p1", "p2", ...; "speaker" (whoever speaks), "all" (each person), None when the text does not say.
    side: the subject's own; "one" is one side, without saying which ("a lopsided smile").
    misnamed: the unit that the words name where the code in brackets behind them is another's ("a jaw drop (AU12)").
    start_s, end_s: the stated time; equal for a moment ("at 2.3 s"), one None for an open end ("after 3 s"), negative
    seconds count from the end of the clip ("the last two seconds"). phase: "at the beginning", "throughout", ...
    """

    text: str
    start: int
    end: int
    modality: Modality
    cue: str
    person: str | None = None
    negated: bool = False
    side: Literal["left", "right", "both", "one"] | None = None
    level: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    quote: str | None = None
    phase: Phase | None = None
    misnamed: str | None = None
