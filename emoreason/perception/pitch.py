"""Pitch and harmonicity of short frames by autocorrelation and a least-cost path.

Method: Boersma (1993), "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a
sampled sound", IFA Proceedings 17. librosa's pYIN is too slow for long files on a CPU and its YIN has neither a voicing decision
nor a harmonicity. Letters: T frames of `WINDOW` samples, F frequencies, L lags, K candidates.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import label

RATE = 16000
HOP = 160  # 10 ms
FLOOR_HZ, CEILING_HZ = 65.0, 600.0
WINDOW = 2 * round(1.5 * RATE / FLOOR_HZ)  # three periods of the lowest pitch: what its autocorrelation needs
CANDIDATES = 5
# Costs as in Boersma's section 4 (and Praat's defaults): strength an unvoiced frame has, leaning towards higher candidates,
# price of an octave jump and of switching between voiced and unvoiced.
VOICING_STRENGTH, OCTAVE_LEANING, OCTAVE_JUMP, VOICING_SWITCH = 0.45, 0.01, 0.35, 0.14
SILENCE = 0.03  # frames whose peak is below this share of the loud frames' peak tend to unvoiced
SHORTEST_VOICED = 5  # frames: shorter voiced stretches are noise more often than voice
NO_CANDIDATE = -9.0

_FFT = 2048  # > WINDOW + longest lag, so that the circular autocorrelation does not wrap
_HANN = np.hanning(WINDOW).astype(np.float32)
_SHORT_LAG, _LONG_LAG = int(RATE / CEILING_HZ), int(np.ceil(RATE / FLOOR_HZ))
_WINDOW_LAGS = np.fft.irfft(np.abs(np.fft.rfft(_HANN, _FFT)) ** 2)[: _LONG_LAG + 2]
_WINDOW_LAGS = (_WINDOW_LAGS / _WINDOW_LAGS[0]).astype(np.float32)
FREQUENCIES_HZ = np.fft.rfftfreq(_FFT, 1 / RATE)  # [F]


class FrameStream:
    """Cuts a stream of samples into overlapping frames; frame i is centred on sample i * HOP of the whole stream."""

    def __init__(self) -> None:
        self._rest = np.zeros(WINDOW // 2, np.float32)

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """[T, WINDOW]: the frames completed by `samples` [n]."""
        rest = np.concatenate([self._rest, samples.astype(np.float32, copy=False)])
        count = max((len(rest) - WINDOW) // HOP + 1, 0)
        self._rest = rest[count * HOP :]
        return sliding_window_view(rest, WINDOW)[: count * HOP : HOP] if count else np.zeros((0, WINDOW), np.float32)

    def finish(self) -> np.ndarray:
        """The last frames, whose second half lies beyond the end."""
        return self.feed(np.zeros(WINDOW // 2 - 1, np.float32))


def spectra(frames: np.ndarray) -> np.ndarray:
    """Power spectra [T, F] of frames [T, WINDOW], without their mean."""
    centred = frames - frames.mean(axis=1, keepdims=True)
    return np.abs(np.fft.rfft(centred * _HANN, _FFT, axis=1)) ** 2


def track(power: np.ndarray, peaks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pitch [T] in Hz and harmonics-to-noise ratio [T] in dB of frames with spectra `power` [T, F]; NaN where unvoiced.

    `peaks` [T] is the largest absolute sample of each frame. Frames are taken as consecutive.
    """
    if len(power) == 0:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    pitch, strength, score = _candidates(_autocorrelation(power))
    loud = max(float(np.percentile(peaks, 99)), 1e-9)
    unvoiced = VOICING_STRENGTH + np.maximum(0, 2 - (peaks / loud) / (SILENCE / (1 + VOICING_STRENGTH)))  # [T]
    states = _path(np.log2(pitch), score, unvoiced)  # [T] 0 = unvoiced
    chosen = np.maximum(states - 1, 0)[:, None]
    pitch = np.take_along_axis(pitch, chosen, axis=1)[:, 0]
    harmonic = np.clip(np.take_along_axis(strength, chosen, axis=1)[:, 0], 1e-4, 1 - 1e-4)
    ratio = 10 * np.log10(harmonic / (1 - harmonic))
    runs, _ = label(states > 0)
    voiced = (runs > 0) & (np.bincount(runs)[runs] >= SHORTEST_VOICED)
    return np.where(voiced, pitch, np.nan).astype(np.float32), np.where(voiced, ratio, np.nan).astype(np.float32)


def _autocorrelation(power: np.ndarray) -> np.ndarray:
    """[T, L]: normalised, divided by the window's own so that a periodic frame has 1 at its period."""
    lags = np.fft.irfft(power, axis=1)[:, : _LONG_LAG + 2]
    return lags / np.maximum(lags[:, :1], 1e-12) / _WINDOW_LAGS


def _candidates(lags: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The K best periods per frame: pitch [T, K] Hz, strength [T, K] 0..1, score [T, K] (strength leaning to short periods)."""
    before, here, after = (lags[:, _SHORT_LAG + d : _LONG_LAG + 1 + d] for d in (-1, 0, 1))
    peak = (here > before) & (here >= after) & (here > 0)
    curve = np.where(peak, before - 2 * here + after, -1)
    shift = np.where(peak, 0.5 * (before - after) / curve, 0)  # vertex of the parabola through three lags
    strength = here - 0.25 * (before - after) * shift
    strength = np.where(strength > 1, 1 / np.maximum(strength, 1e-9), strength)
    lag = np.arange(_SHORT_LAG, _LONG_LAG + 1) + shift
    score = np.where(peak, strength - OCTAVE_LEANING * np.log2(FLOOR_HZ * lag / RATE), NO_CANDIDATE)
    best = np.argsort(-score, axis=1, kind="stable")[:, :CANDIDATES]
    pick = (np.take_along_axis(values, best, axis=1) for values in (RATE / lag, strength, score))
    return tuple(pick)


def _path(log_pitch: np.ndarray, score: np.ndarray, unvoiced: np.ndarray) -> np.ndarray:
    """Viterbi path [T] through state 0 (unvoiced) and 1..K, maximising score minus the price of jumps."""
    values = np.concatenate([unvoiced[:, None], score], axis=1)  # [T, 1 + K]
    count = values.shape[1]
    back = np.zeros(values.shape, np.int8)
    cost = np.full((count, count), VOICING_SWITCH)
    cost[0, 0] = 0
    best = values[0]
    for t in range(1, len(values)):
        cost[1:, 1:] = OCTAVE_JUMP * np.abs(log_pitch[t - 1][:, None] - log_pitch[t])
        total = best[:, None] - cost
        back[t] = total.argmax(axis=0)
        best = total.max(axis=0) + values[t]
    states = np.empty(len(values), np.int64)
    states[-1] = best.argmax()
    for t in range(len(values) - 1, 0, -1):
        states[t - 1] = back[t, states[t]]
    return states
