"""Prosody of speech: pitch, intonation, loudness, effort, rate, pauses and voicing quality, measured frame by frame.

Frames are 10 ms apart over the whole track; cues summarise the frames of speech spans. T frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy.ndimage import label
from scipy.signal import find_peaks

from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.perception import pitch
from emoreason.perception.observation import VoiceCue

HOP_S = pitch.HOP / pitch.RATE
SILENT_DB = -100.0  # floor of every level: digital silence has no logarithm
SPAN_CUES_S = 1.0  # spans of at least this length get cues of their own
MIN_VOICED_S = 0.25  # below this there is no pitch, loudness, effort or voicing quality to speak of
MIN_INTONATION_S = 0.5  # voiced time that a pitch range needs
MIN_RATE_S = 1.0  # speech that a rate needs: shorter spans swing by one syllable
PAUSE_S, TURN_GAP_S = 0.2, 1.5  # a pause is at least the first; a gap longer than the second ends the turn
MIN_PAUSES_S = 5.0  # of speech: a single sentence rarely has a pause, which says nothing
PAUSE_DROP_DB = 25.0  # a pause is this far below the loud parts (de Jong & Wempe 2009)
SYLLABLE_DIP_DB = 2.0  # a syllable nucleus stands out by this much (same source)
SYLLABLE_GAP_S = 0.08  # nuclei are at least this far apart
EFFORT_BANDS_HZ = (50.0, 1000.0, 5000.0)


@dataclass(frozen=True)
class Frames:
    """Frame-level measurements, all [T] float32. NaN where unvoiced (pitch, voicing) or not speech (those and effort)."""

    level_db: np.ndarray  # dBFS, 0 = mean square of 1
    pitch_hz: np.ndarray
    voicing_db: np.ndarray  # harmonics-to-noise ratio
    effort_db: np.ndarray  # alpha ratio: energy in 1-5 kHz over energy in 50 Hz-1 kHz

    @staticmethod
    def join(parts: Sequence["Frames"]) -> "Frames":
        names = [field.name for field in fields(Frames)]
        return Frames(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def __len__(self) -> int:
        return len(self.level_db)


def analyse(frames: np.ndarray, speech: np.ndarray) -> Frames:
    """Measure consecutive frames [T, pitch.WINDOW]. Pitch, voicing and effort only where `speech` [T] is true."""
    level = 10 * np.log10(np.maximum(np.einsum("tw,tw->t", frames, frames) / max(frames.shape[1], 1), 10 ** (SILENT_DB / 10)))
    pitch_hz, voicing, effort = (np.full(len(frames), np.nan, np.float32) for _ in range(3))
    if speech.any():
        power = pitch.spectra(frames[speech])
        pitch_hz[speech], voicing[speech] = pitch.track(power, np.abs(frames[speech]).max(axis=1))
        effort[speech] = _alpha_ratio(power)
    return Frames(level.astype(np.float32), pitch_hz, voicing, effort)


def _alpha_ratio(power: np.ndarray) -> np.ndarray:
    low, middle, high = np.searchsorted(pitch.FREQUENCIES_HZ, EFFORT_BANDS_HZ)
    quiet = 1e-12
    return 10 * np.log10((power[:, middle:high].sum(axis=1) + quiet) / (power[:, low:middle].sum(axis=1) + quiet))


def series(frames: Frames, every: int) -> tuple[np.ndarray, np.ndarray]:
    """(pitch_hz, loudness_db) at every `every`-th frame: the median pitch where most frames are voiced, the mean power."""
    count = -(-len(frames) // every)
    before = every // 2
    padding = (before, count * every - len(frames) + every - 1 - before)
    windows = slice(None, count * every, every)

    def grouped(values: np.ndarray, fill: float) -> np.ndarray:
        padded = np.pad(values, padding, constant_values=fill)
        return np.lib.stride_tricks.sliding_window_view(padded, every)[windows]  # [count, every]

    pitches = np.sort(grouped(frames.pitch_hz, np.nan), axis=1)  # NaN last
    voiced = (~np.isnan(pitches)).sum(axis=1)
    median = np.take_along_axis(pitches, np.maximum(voiced - 1, 0)[:, None] // 2, axis=1)[:, 0]
    power = 10 ** (grouped(frames.level_db, SILENT_DB) / 10)
    return np.where(2 * voiced > every, median, np.nan).astype(np.float32), (10 * np.log10(power.mean(axis=1))).astype(np.float32)


def voice_cues(frames: Frames, spans: Sequence[tuple[float, float]]) -> tuple[VoiceCue, ...]:
    """Cues of all speech first, then of each span of at least `SPAN_CUES_S`. Cues without enough material are left out."""
    groups = [list(spans)] if spans else []
    groups += [[span] for span in spans if span[1] - span[0] >= SPAN_CUES_S and len(spans) > 1]
    cues = []
    for group in groups:
        for cue, value in measure(frames, group).items():
            kind = VOICE_CUES[cue]
            cues.append(VoiceCue(cue, value, kind.unit, kind.level(value), group[0][0], group[-1][1]))
    return tuple(cues)


def measure(frames: Frames, spans: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Cue name -> value over the speech in `spans` (seconds, in order). See labels.voice_cues for the meanings."""
    parts = [_cut(frames, span) for span in spans]
    speech = Frames.join(parts)
    voiced = ~np.isnan(speech.pitch_hz)
    values: dict[str, float] = {}
    if voiced.sum() * HOP_S >= MIN_VOICED_S:
        values["pitch"] = float(np.median(speech.pitch_hz[voiced]))
        if voiced.sum() * HOP_S >= MIN_INTONATION_S:
            values["pitch_range"] = _pitch_range(parts)
        values["loudness"] = float(10 * np.log10(np.mean(10 ** (speech.level_db[voiced] / 10))))
        values["effort"] = float(np.median(speech.effort_db[voiced]))
        values["voicing"] = float(np.median(speech.voicing_db[voiced]))
    quiet = [_pause_frames(part) for part in parts]
    speaking_s = (len(speech) - sum(quiet)) * HOP_S
    if speaking_s >= MIN_RATE_S:
        values["rate"] = sum(_syllables(part) for part in parts) / speaking_s
    if len(speech) * HOP_S >= MIN_PAUSES_S:
        gaps = [after[0] - before[1] for before, after in zip(spans, spans[1:], strict=False)]
        paused_s = sum(quiet) * HOP_S + sum(gap for gap in gaps if gap <= TURN_GAP_S)
        values["pauses"] = paused_s / (paused_s + speaking_s)
    return values


def _cut(frames: Frames, span: tuple[float, float]) -> Frames:
    chosen = slice(round(span[0] / HOP_S), round(span[1] / HOP_S))
    return Frames(*(getattr(frames, field.name)[chosen] for field in fields(Frames)))


def _pitch_range(parts: Sequence[Frames]) -> float:
    """5th-95th percentile in semitones, each span around its own median: two speakers do not look like a wide range."""
    deviations = []
    for part in parts:
        voiced = part.pitch_hz[~np.isnan(part.pitch_hz)]
        if len(voiced):
            deviations.append(12 * np.log2(voiced / np.median(voiced)))
    low, high = np.percentile(np.concatenate(deviations), [5, 95])
    return float(high - low)


def _threshold_db(part: Frames) -> float:
    return float(np.percentile(part.level_db, 99)) - PAUSE_DROP_DB if len(part) else SILENT_DB


def _pause_frames(part: Frames) -> int:
    """Frames in quiet stretches of at least `PAUSE_S` that do not touch the span's ends (those are the detector's padding)."""
    runs, count = label(part.level_db < _threshold_db(part))
    lengths = np.bincount(runs, minlength=count + 1)[1:]
    inner = np.ones(count, bool)
    if count:
        inner[[run - 1 for run in (runs[0], runs[-1]) if run]] = False
    return int(lengths[inner & (lengths * HOP_S >= PAUSE_S)].sum())


def _syllables(part: Frames) -> int:
    """Nuclei after de Jong & Wempe (2009): voiced peaks of intensity with a dip before and after."""
    peaks, _ = find_peaks(
        part.level_db, height=_threshold_db(part), prominence=SYLLABLE_DIP_DB, distance=round(SYLLABLE_GAP_S / HOP_S)
    )
    return int((~np.isnan(part.pitch_hz[peaks])).sum())
