"""Vocal cues: what is measured, in which unit, and the stated references that turn a number into low, typical or high."""

from dataclasses import dataclass
from typing import Literal

VoiceLevel = Literal["low", "typical", "high"]
VOICE_LEVELS: tuple[VoiceLevel, ...] = ("low", "typical", "high")


@dataclass(frozen=True)
class VoiceCueKind:
    """`low`/`high` are the bounds of the typical range in `unit`; `reference` says where the bounds come from."""

    cue: str
    name: str
    unit: str
    low: float
    high: float
    reference: str
    words: tuple[str, str, str]  # how a low, typical and high value is put in words

    def level(self, value: float) -> VoiceLevel:
        return "low" if value < self.low else "high" if value > self.high else "typical"


VOICE_CUES: dict[str, VoiceCueKind] = {
    kind.cue: kind
    for kind in (
        VoiceCueKind("pitch", "median pitch", "Hz", 100.0, 230.0, "provisional", ("low pitch", "medium pitch", "high pitch")),
        VoiceCueKind("pitch_range", "pitch range (5th-95th percentile)", "semitones", 4.0, 10.0, "provisional", ("flat intonation", "moderate intonation", "wide pitch range")),
        VoiceCueKind("loudness", "speech level", "dBFS", -35.0, -15.0, "provisional", ("soft voice", "moderate loudness", "loud voice")),
        VoiceCueKind("rate", "speech rate", "syllables/s", 3.0, 5.5, "provisional", ("slow speech", "moderate speech rate", "fast speech")),
        VoiceCueKind("pauses", "share of pauses inside speech", "ratio", 0.1, 0.35, "provisional", ("few pauses", "moderate pauses", "long pauses")),
        VoiceCueKind("voicing", "harmonics-to-noise ratio", "dB", 6.0, 16.0, "provisional", ("breathy or rough voice", "moderately clear voice", "clear voice")),
    )
}
