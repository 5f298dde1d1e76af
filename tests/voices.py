"""Sounds made of numbers: a voice with a throat, lips and syllables, music, noise. 16 kHz mono float32."""

from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import lfilter

RATE = 16000
FORMANTS_HZ = ((730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240))


def speech(seconds: float, pitch_hz: float = 120.0, syllables_per_s: float = 5.0, seed: int = 0) -> np.ndarray:
    """Pulses of a gliding pitch (3 semitones up and down) through vowel resonances; each syllable begins with a burst."""
    rng, count = np.random.default_rng(seed), round(seconds * RATE)
    glide = pitch_hz * 2 ** (np.sin(np.pi * np.arange(count) / RATE) * 3 / 12)
    pulses = np.diff(np.floor(np.cumsum(glide / RATE)), prepend=0)
    source = lfilter([1], [1, -0.97], pulses) + 0.003 * rng.normal(size=count)
    sound, length = np.zeros(count), round(RATE / syllables_per_s)
    for start in range(0, count, length):
        syllable = source[start : start + length]
        for hz, width_hz in zip(FORMANTS_HZ[rng.integers(len(FORMANTS_HZ))], (80, 100, 140), strict=True):
            radius, angle = np.exp(-np.pi * width_hz / RATE), 2 * np.pi * hz / RATE
            poles = [1, -2 * radius * np.cos(angle), radius**2]
            syllable = lfilter([sum(poles)], poles, syllable)
        ticks = np.arange(len(syllable))
        burst = 0.15 * syllable.std() * rng.normal(size=len(syllable)) * np.exp(-ticks / RATE / 0.02)
        sound[start : start + length] = syllable * np.sqrt(np.sin(np.pi * ticks / length)) + burst
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def noise(seconds: float, colour: float = 0.0, seed: int = 0) -> np.ndarray:
    """White (0) to brown (towards 1) noise of 0.1 root mean square."""
    sound = lfilter([1], [1, -colour], np.random.default_rng(seed).normal(size=round(seconds * RATE)))
    return (0.1 * sound / sound.std()).astype(np.float32)


def tones(seconds: float, *hz: float, harmonics: int = 1) -> np.ndarray:
    """A steady chord; harmonics fall off as 1/k."""
    times = np.arange(round(seconds * RATE)) / RATE
    sound = sum(np.sin(2 * np.pi * k * f * times + k) / k for f in hz for k in range(1, harmonics + 1) if k * f < RATE / 2)
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def melody(seconds: float) -> np.ndarray:
    """Plucked notes of a scale, three a second."""
    notes = [tones(1 / 3, 220 * 2 ** (step / 12), harmonics=6) for step in (0, 2, 4, 5, 7, 9, 11, 12)]
    decay = np.exp(-np.arange(len(notes[0])) / RATE / 0.15)
    return np.concatenate([notes[n % 8] * decay for n in range(round(seconds * 3))]).astype(np.float32)


def write_wav(path: Path, sound: np.ndarray) -> Path:
    wavfile.write(path, RATE, (np.clip(sound, -1, 1) * 32767).astype(np.int16))
    return path
