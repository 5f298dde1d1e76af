"""Where somebody speaks, and how it sounds: voice activity by Silero, prosody on what it finds. Streams in blocks.

The network does not know high voices that shout: of 1,200 clips of RAVDESS it misses 15, with a pitch around 500 Hz. Where it
finds next to nothing, it listens again to the sound slowed down, and so deeper; then it misses one of them, and still finds
nothing in noises, hums, chords and melodies.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from scipy.ndimage import find_objects, label
from scipy.signal import resample_poly

from emoreason.errors import EnvironmentProblem
from emoreason.media import Clip
from emoreason.perception import pitch, prosody
from emoreason.perception.observation import Note, Voice
from emoreason.perception.settings import PerceptionSettings, Progress

BLOCK_S = 10.0  # what is held at a time, whatever the length of the track
SERIES_HOP_S = 0.05
# Hysteresis on the speech probability and shortest stretches, as in Silero's own `get_speech_timestamps`, but with gaps of
# natural speech (up to MIN_GAP_S) bridged, so that one span is about one phrase.
SPEECH, STILL_SPEECH = 0.5, 0.35
MIN_SPEECH_S, MIN_GAP_S, PADDING_S = 0.25, 0.3, 0.05
NEXT_TO_NOTHING_S = 0.5  # of speech in a whole clip: then it is listened to again
SLOWED = (20, 11)  # so many samples for so many: 0.55 of the speed


class SpeechDetector:
    """Silero's voice activity network (sequence form of its ONNX export), fed block by block with its state carried over."""

    HOP, CONTEXT = 512, 64  # samples at 16 kHz, fixed by the network

    def __init__(self) -> None:
        """Raises EnvironmentProblem when the installed silero-vad does not carry the network."""
        # The package itself is not imported: its __init__ imports torch and sets torch's thread count to 1.
        package = find_spec("silero_vad")
        network = Path(package.origin).parent / "data/silero_vad_16k_sequence.onnx" if package and package.origin else None
        if network is None or not network.is_file():
            raise EnvironmentProblem("voice activity needs silero-vad >= 6.2: run `pip install -U silero-vad`")
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(network), options, providers=["CPUExecutionProvider"])
        self._hidden = self._cell = np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros(self.CONTEXT, np.float32)
        self._rest = np.zeros(0, np.float32)

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """Speech probability [n] of each completed stretch of 32 ms."""
        rest = np.concatenate([self._rest, samples.astype(np.float32, copy=False)])
        count = len(rest) // self.HOP
        self._rest = rest[count * self.HOP :]
        if count == 0:
            return np.zeros(0, np.float32)
        chunks = rest[: count * self.HOP].reshape(count, self.HOP)
        contexts = np.concatenate([self._context[None], chunks[:-1, -self.CONTEXT :]])
        self._context = chunks[-1, -self.CONTEXT :]
        inputs = {"input": np.concatenate([contexts, chunks], axis=1), "h": self._hidden, "c": self._cell}
        probabilities, self._hidden, self._cell = self._session.run(["speech_probs", "hn", "cn"], inputs)
        return probabilities.reshape(-1)

    def finish(self) -> np.ndarray:
        """The last, incomplete stretch, if any."""
        return self.feed(np.zeros(-len(self._rest) % self.HOP, np.float32))


class SlowedDetector:
    """The same on the sound slowed down by `SLOWED`; its answers are about the same stretches of 32 ms of the sound as it is."""

    HOP = SpeechDetector.HOP

    def __init__(self) -> None:
        self._detector, self._heard, self._samples, self._told = SpeechDetector(), np.zeros(0, np.float32), 0, 0

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """As SpeechDetector.feed."""
        self._samples += len(samples)
        slowed = resample_poly(samples.astype(np.float32, copy=False), *SLOWED) if len(samples) else samples
        self._heard = np.concatenate([self._heard, self._detector.feed(slowed)])
        return self._tell(self._samples // self.HOP)

    def finish(self) -> np.ndarray:
        """As SpeechDetector.finish."""
        self._heard = np.concatenate([self._heard, self._detector.finish()])
        return self._tell(-(-self._samples // self.HOP))

    def _tell(self, until: int) -> np.ndarray:
        """Of stretches up to `until`: the largest answer about any part of each; of a block's last one, about its beginning."""
        up, down = SLOWED
        out = np.zeros(max(until - self._told, 0), np.float32)
        for i, stretch in enumerate(range(self._told, until)):
            first, last = stretch * up // down, -(-(stretch + 1) * up // down)
            heard = self._heard[first:last]
            out[i] = heard.max() if len(heard) else (self._heard[-1] if len(self._heard) else 0.0)
        self._told = max(until, self._told)
        return out


def read_voice(clip: Clip, settings: PerceptionSettings, progress: Progress | None = None) -> tuple[Voice | None, list[Note]]:
    """Speech spans, their prosody and the two series of a clip; None with a note where there is no sound or no speech.

    `progress` is called as progress("voice", seconds read, seconds in all).
    """
    if not clip.has_audio:
        return None, [Note("no_audio", "The file has no sound.")]
    probabilities, frames = _listen(clip, progress)
    spans = speech_spans(probabilities, len(frames) * prosody.HOP_S)
    if sum(end_s - start_s for start_s, end_s in spans) < NEXT_TO_NOTHING_S and _is_heard(frames):
        again, frames_again = _listen(clip, progress, SlowedDetector())
        if more := speech_spans(again, len(frames_again) * prosody.HOP_S):
            spans, frames = more, frames_again
    if not spans:
        return None, [Note("no_speech", "There is sound, but no speech was found in it.")]
    pitch_hz, loudness_db = prosody.series(frames, round(SERIES_HOP_S / prosody.HOP_S))
    return Voice(spans, prosody.voice_cues(frames, spans), SERIES_HOP_S, pitch_hz, loudness_db), []


def _is_heard(frames: prosody.Frames) -> bool:
    """Whether the track holds anything but digital silence."""
    return bool((frames.level_db > prosody.SILENT_DB).any())


class _Listener:
    """One pass over the track: speech probabilities (every 32 ms) and prosodic frames (every 10 ms)."""

    def __init__(self, detector: SpeechDetector | SlowedDetector) -> None:
        self.detector, self.stream = detector, pitch.FrameStream()
        self.probabilities: list[np.ndarray] = [np.zeros(0, np.float32)]
        self.frames = [prosody.analyse(np.zeros((0, pitch.WINDOW), np.float32), np.zeros(0, bool))]
        self.done = 0  # frames

    def hear(self, samples: np.ndarray) -> None:
        self._take(self.detector.feed(samples), self.stream.feed(samples))

    def finish(self) -> tuple[np.ndarray, prosody.Frames]:
        self._take(self.detector.finish(), self.stream.finish())
        return np.concatenate(self.probabilities), prosody.Frames.join(self.frames)

    def _take(self, probabilities: np.ndarray, cut: np.ndarray) -> None:
        """A block's probabilities and frames. Frames lag behind by half a window, so some belong to the block before."""
        hop, known = self.detector.HOP, np.concatenate([self.probabilities[-1][-2:], probabilities])
        self.probabilities.append(probabilities)
        first = sum(map(len, self.probabilities)) - len(known)  # what known[0] is the probability of
        # A frame may also reach beyond the last complete stretch: the answer before it stands.
        at = np.clip(np.arange(self.done, self.done + len(cut)) * pitch.HOP // hop - first, 0, len(known) - 1)
        speech = known[at] >= STILL_SPEECH if len(known) else np.zeros(len(cut), bool)
        self.frames.append(prosody.analyse(cut, speech))
        self.done += len(cut)


def _listen(
    clip: Clip, progress: Progress | None, detector: SpeechDetector | SlowedDetector | None = None
) -> tuple[np.ndarray, prosody.Frames]:
    listener = _Listener(detector or SpeechDetector())
    for start_s, samples in clip.audio_blocks(BLOCK_S):  # they join without gaps, from 0 s on
        listener.hear(samples)
        if progress is not None:
            progress("voice", start_s + len(samples) / pitch.RATE, clip.duration_s)
    return listener.finish()


def speech_spans(probabilities: np.ndarray, duration_s: float) -> tuple[tuple[float, float], ...]:
    """Spans of speech in seconds from the probability of each 32 ms, short gaps bridged, short bursts dropped."""
    hop_s = SpeechDetector.HOP / pitch.RATE
    runs, _ = label(probabilities >= STILL_SPEECH)
    certain = np.unique(runs[probabilities >= SPEECH])  # runs that are surely speech somewhere
    places = find_objects(runs) if len(certain) else []
    spans: list[list[float]] = []
    for run in certain:
        (where,) = places[run - 1]
        start, end = where.start * hop_s, where.stop * hop_s
        if spans and start - spans[-1][1] < MIN_GAP_S:
            spans[-1][1] = end
        else:
            spans.append([start, end])
    kept = [span for span in spans if span[1] - span[0] >= MIN_SPEECH_S]
    return tuple((round(max(start - PADDING_S, 0.0), 3), round(min(end + PADDING_S, duration_s), 3)) for start, end in kept)
