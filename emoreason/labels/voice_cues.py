"""Vocal cues: what is measured, in which unit, and the stated references that turn a number into low, typical or high."""

from dataclasses import dataclass
from typing import Literal

from emoreason.labels.action_units import Reliability

VoiceLevel = Literal["low", "typical", "high"]
VOICE_LEVELS: tuple[VoiceLevel, ...] = ("low", "typical", "high")


@dataclass(frozen=True)
class VoiceCueKind:
    """`low`/`high` are the bounds of the typical range in `unit`; `reference` says where the bounds come from.

    `reliability` says how far a level can be trusted on unknown recordings, not how exact the number is.
    """

    cue: str
    name: str
    unit: str
    low: float
    high: float
    reference: str
    reliability: Reliability
    words: tuple[str, str, str]  # how a low, typical and high value is put in words

    def level(self, value: float) -> VoiceLevel:
        return "low" if value < self.low else "high" if value > self.high else "typical"


# Printed by scripts/measure_voice_reference.py: neutral and calm speech at normal intensity of 16 RAVDESS actors (English) and
# neutral speech of 5 nEMO speakers (Polish), women and men pooled: nobody's gender is guessed.
_SPEECH = "10th-90th percentile of neutral acted speech, RAVDESS actors 1-16 and nEMO without speaker MP0"
# Pitch differs more between people than between moods: only what is rare for any speaker counts.
_PITCH = "5th-95th percentile of neutral acted speech, RAVDESS actors 1-16 and nEMO without speaker MP0, women and men pooled"
_SET = "set by hand: the measured corpora are single sentences without pauses"

VOICE_CUES: dict[str, VoiceCueKind] = {
    kind.cue: kind
    for kind in (
        VoiceCueKind("pitch", "median pitch", "Hz", 98.0, 231.5, _PITCH, "medium", ("low pitch", "medium pitch", "high pitch")),
        VoiceCueKind(
            "pitch_range", "pitch range (5th-95th percentile)", "semitones", 6.0, 18.0, _SPEECH, "medium",
            ("flat intonation", "moderate intonation", "wide pitch range"),
        ),
        # Depends on microphone and gain (the medians of the two corpora lie 24 dB apart): only extremes leave the typical range.
        VoiceCueKind(
            "loudness", "speech level", "dBFS", -47.0, -18.0, _SPEECH, "low", ("soft voice", "moderate loudness", "loud voice")
        ),
        # Energy in 1-5 kHz over energy in 50 Hz-1 kHz of voiced speech (Eyben et al. 2016, GeMAPS): what remains of loudness
        # once the gain is unknown, because a raised voice gets brighter.
        VoiceCueKind(
            "effort", "vocal effort (alpha ratio)", "dB", -20.0, -11.4, _SPEECH, "medium",
            ("relaxed voice", "moderate vocal effort", "strained voice"),
        ),
        VoiceCueKind(
            "rate", "speech rate", "syllables/s", 3.4, 5.0, _SPEECH, "medium",
            ("slow speech", "moderate speech rate", "fast speech"),
        ),
        VoiceCueKind(
            "pauses", "share of pauses inside speech", "ratio", 0.05, 0.35, _SET, "low",
            ("few pauses", "moderate pauses", "long pauses"),
        ),
        # Noise behind the voice lowers it (by 3 dB at 10 dB signal to noise).
        VoiceCueKind(
            "voicing", "harmonics-to-noise ratio", "dB", 7.0, 13.5, _SPEECH, "low",
            ("breathy or rough voice", "moderately clear voice", "clear voice"),
        ),
    )
}
