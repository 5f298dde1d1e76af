"""Augmentation of voices on the waveform: what rooms, microphones, lines and bystanders do to speech, and other speakers.

Sounds are float32 [n] at 16 kHz within [-1, 1]. What is heard stays in the label: nothing here changes the emotion by much.
How often and how much: settings.voice.VoiceEffects.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.media.audio import RATE
from emoreason.training.settings.voice import VoiceEffects

_CUES = list(VOICE_CUES)

Babble = Callable[[np.random.Generator], np.ndarray]  # another voice of the training speakers
Effect = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Change:
    """What an augmentation did to the cues that measurement would find: a factor of rate and pitch, dB of level.

    `blurred`: noise, room or filter; effort and voicing are then no longer those of the clean sound.
    """

    speed: float = 1.0
    level_db: float = 0.0
    blurred: bool = False

    def prosody(self, clean: np.ndarray) -> np.ndarray:
        """[C] in the order of VOICE_CUES: what follows from the clean cues; NaN where that cannot be said."""
        out = clean.copy()
        out[[_CUES.index("pitch"), _CUES.index("rate")]] *= self.speed
        out[_CUES.index("loudness")] += self.level_db
        if self.blurred:
            out[[_CUES.index("effort"), _CUES.index("voicing")]] = np.nan
        return out


def augment(sound: np.ndarray, rng: np.random.Generator, babble: Babble, effects: VoiceEffects) -> tuple[np.ndarray, Change]:
    """One changed copy, and what became of its cues. In the order of the world: speaker, room, bystanders, microphone, line."""
    speed, blurred = 1.0, False
    before = _level_db(sound)
    if rng.random() < effects.crop:
        sound = crop(sound, rng, effects.crop_keeps, effects.crop_least_s)
    if rng.random() < effects.speed:
        speed = rng.uniform(*effects.speeds)
        sound = at_speed(sound, speed)
    if rng.random() < effects.silence:
        sound = in_silence(sound, rng, effects.silence_most_s)
    elsewhere = rng.random() < effects.elsewhere
    for chance, effect in _elsewhere(effects, babble):
        if elsewhere and rng.random() < chance:
            sound, blurred = effect(sound, rng), True
    sound = sound * 10 ** ((rng.uniform(*effects.level_db) - _level_db(sound)) / 20)
    sound = np.clip(sound, -1, 1).astype(np.float32)
    return sound, Change(speed, _level_db(sound) - before, blurred)


def _elsewhere(effects: VoiceEffects, babble: Babble) -> list[tuple[float, Effect]]:
    """What another room or line does, with its chance, in the order of the world."""
    return [
        (effects.room, partial(reverberant, rt60_s=effects.rt60_s)),
        (effects.noise, partial(beside, babble=babble, snr_db=effects.snr_db)),
        (effects.microphone, partial(coloured, tilt_db=effects.tilt_db)),
        (effects.line, band_limited),
        (effects.codec, companded),
    ]


# the speaker


def at_speed(sound: np.ndarray, factor: float) -> np.ndarray:
    """Faster and higher together, as a tape: resampling."""
    return resample_poly(sound, 100, round(100 * factor)).astype(np.float32)


def crop(sound: np.ndarray, rng: np.random.Generator, keeps: float, least_s: float) -> np.ndarray:
    """A stretch of at least the share `keeps` of it and of `least_s`."""
    least = min(len(sound), max(round(keeps * len(sound)), round(least_s * RATE)))
    length = int(rng.integers(least, len(sound) + 1))
    start = int(rng.integers(0, len(sound) - length + 1))
    return sound[start : start + length]


def in_silence(sound: np.ndarray, rng: np.random.Generator, most_s: float) -> np.ndarray:
    """Up to `most_s` of near silence before and behind."""
    before, behind = rng.integers(0, round(most_s * RATE), 2)
    out = rng.normal(0, 10 ** (rng.uniform(-80, -60) / 20), before + len(sound) + behind).astype(np.float32)
    out[before : before + len(sound)] += sound
    return out


# the world


def reverberant(sound: np.ndarray, rng: np.random.Generator, rt60_s: tuple[float, float]) -> np.ndarray:
    """A room as noise that decays by 60 dB within `rt60_s`, behind the direct sound (Polack's model)."""
    decay_s = rng.uniform(*rt60_s)
    seconds = np.arange(round(decay_s * RATE)) / RATE
    tail = rng.normal(size=len(seconds)) * 10 ** (-3 * seconds / decay_s)
    tail *= 10 ** (rng.uniform(-12, 3) / 20) / np.linalg.norm(tail)  # energy against the direct sound
    tail[0] += 1
    return fftconvolve(sound, tail)[: len(sound)].astype(np.float32)


def noisy(sound: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """`noise` is repeated or cut to length and scaled to `snr_db` below the sound."""
    noise = np.resize(noise, len(sound))
    return (sound + noise * 10 ** ((_level_db(sound) - _level_db(noise) - snr_db) / 20)).astype(np.float32)


def coloured(sound: np.ndarray, rng: np.random.Generator, tilt_db: float) -> np.ndarray:
    """A microphone: a smooth response that goes up and down from octave to octave."""
    size = next_fast_len(len(sound), real=True)
    spectrum = rfft(sound, size)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / RATE), 62.5) / 62.5)  # 0..7
    gains_db = np.interp(octaves, np.arange(8), np.cumsum(rng.normal(0, tilt_db / np.sqrt(8), 8)))
    return irfft(spectrum * 10 ** (gains_db / 20), size)[: len(sound)].astype(np.float32)


def band_limited(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A telephone (300 to 3400 Hz), or a line that ends between 2.5 and 7 kHz."""
    edges = (300, 3400) if rng.random() < 0.4 else rng.uniform(2500, 7000)
    kind = "bandpass" if isinstance(edges, tuple) else "lowpass"
    return sosfilt(butter(4, edges, kind, fs=RATE, output="sos"), sound).astype(np.float32)


def companded(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """8-bit mu-law (ITU-T G.711) at full scale."""
    peak = max(float(np.abs(sound).max()), 1e-6)
    small = np.sign(sound) * np.log1p(255 * np.abs(sound / peak)) / np.log(256)
    coarse = np.round(small * 127) / 127
    return (peak * np.sign(coarse) * np.expm1(np.abs(coarse) * np.log(256)) / 255).astype(np.float32)


def beside(sound: np.ndarray, rng: np.random.Generator, babble: Babble, snr_db: tuple[float, float]) -> np.ndarray:
    """White or pink noise, or three other voices, at a chance distance."""
    kind = rng.choice(["white", "pink", "babble"])
    if kind == "babble":
        noise = sum(np.resize(babble(rng), len(sound)) for _ in range(3))
    else:
        noise = rng.normal(size=next_fast_len(len(sound), real=True))
    if kind == "pink":  # power falls by 3 dB an octave
        noise = irfft(rfft(noise) / np.sqrt(np.arange(len(noise) // 2 + 1) + 1), len(noise))
    return noisy(sound, noise, rng.uniform(*snr_db))


def _level_db(sound: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(sound, dtype=np.float64)) + 1e-10))
