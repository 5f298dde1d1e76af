"""What is heard: the voice, the words, and who speaks when."""

from pydantic import Field

from emoreason.labels.voice_cues import VoiceLevel
from emoreason.report.schema.base import Emotion, Number, Part, Probabilities, Probability, Span


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


class Word(Part):
    """One word and when it is said, seconds; whisperX's key names."""

    start: Number
    end: Number
    word: str


class WordSegmentReport(Part):
    """A piece of the transcript; whisperX's key names."""

    start: Number
    end: Number
    text: str
    words: list[Word] | None = Field(None, description="null where single words were not timed")
    speaker: str | None = Field(None, description="one of `speakers`; null where unknown")


class WordsReport(Part):
    """The transcript."""

    language: str
    language_probability: Probability
    text: str
    segments: list[WordSegmentReport]


class SpeakerReport(Part):
    """One voice of the clip: `p1` where it is a person in view, `s1` where only the voice is known."""

    speaker: str = Field(pattern=r"^[ps]\d+$")
    spans: list[Span]
