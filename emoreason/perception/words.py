"""What is said: timed transcript of the speech spans by Whisper (faster-whisper), without what it invents.

The spans are cut out of the track, packed into windows of at most 28 s and transcribed greedily. Each segment is kept, kept with
a warning, or dropped by the thresholds below: a wrong word in a report does more harm than a missing one.
"""

import threading
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim

from emoreason import assets
from emoreason.errors import AssetError, ConfigError
from emoreason.media import Clip
from emoreason.perception.observation import Note, Voice, Words, WordSegment
from emoreason.perception.settings import PerceptionSettings, Progress

Place = tuple[float, float]  # seconds

RATE = 16000
WINDOW_S = 28.0  # Whisper sees 30 s at a time
PADDING_S = 0.2  # of true sound around each span: without it, first and last consonants are lost
JOIN_S = 1.0  # spans with a shorter gap stay together with the sound between them
LANGUAGE_WINDOWS = 3  # the language is decided once, over this much of the speech
TOKENS_PER_S = 15  # more than anybody speaks: ends the loops that Whisper falls into on laughter and singing
# int8 halves the time, but costs much of some languages: on Chinese film clips its character error was 0.72 against 0.58.
COMPUTE_TYPE = "float32"

# Thresholds of Whisper's own paper and code for a failed decoding (mean log probability, gzip ratio of repeated text, probability
# of no speech). Below one of the UNSURE bounds words are kept with a warning, below both they are dropped.
FAILED_LOGPROB, FAILED_COMPRESSION, FAILED_NO_SPEECH = -1.0, 2.4, 0.6
UNSURE_LOGPROB, UNSURE_LANGUAGE = -0.7, 0.5
JOINERS = "\u200c\u200d"  # invisible, yet part of the spelling of Persian and of Indic scripts


@dataclass(frozen=True)
class Window:
    """Pieces of the track put one after another, `places` says where each was."""

    places: tuple[Place, ...]
    samples: np.ndarray  # float32 [n]

    def second(self, within_s: float, end: bool = False) -> float:
        """Second of the clip at `within_s` of the window; at a seam, the end of a piece or the start of the next."""
        starts = np.round(np.cumsum([0.0, *(stop - start for start, stop in self.places)]), 3)
        piece = int(np.searchsorted(starts[1:-1], round(within_s, 3), side="left" if end else "right"))
        start, stop = self.places[piece]
        return round(float(min(start + within_s - starts[piece], stop)), 3)


def read_words(
    clip: Clip, voice: Voice, settings: PerceptionSettings, progress: Progress | None = None
) -> tuple[Words | None, list[Note]]:
    """Words of the speech in `voice`; None where nothing trustworthy was heard. Notes: words_unsure, words_dropped.

    `progress` is called as progress("words", seconds read, seconds in all). Raises AssetError when the speech model is absent and
    ConfigError for an unknown `settings.language`.
    """
    whisper = load(settings.threads)
    if settings.language is not None and settings.language not in whisper.supported_languages:
        raise ConfigError(f"language {settings.language!r} is not one of the speech model's; use a code such as 'en'")
    windows = _windows(clip, _places(voice, clip.duration_s))
    first = list(islice(windows, LANGUAGE_WINDOWS if settings.language is None else 0))
    language, certainty = whisper.language(first) if first else (settings.language, 1.0)
    kept, unsure, dropped = [], 0, 0
    for window in _chain(first, windows):
        for heard in whisper.read(window.samples, language):
            text = clean(heard.text)
            if not any(character.isalnum() for character in text):
                continue
            doubtful = heard.avg_logprob < UNSURE_LOGPROB
            if _failed(heard) or (doubtful and certainty < UNSURE_LANGUAGE):
                dropped += 1
                continue
            unsure += doubtful
            kept.append(WordSegment(window.second(heard.start), window.second(heard.end, end=True), text))
        if progress is not None:
            progress("words", window.places[-1][1], clip.duration_s)
    notes = _notes(language, certainty, len(kept), unsure, dropped)
    return (Words(language, round(float(certainty), 4), tuple(kept)) if kept else None), notes


class Whisper(WhisperModel):
    """Encodes a window once for language and words: faster-whisper (1.2) does it twice, and the encoder is most of the work.

    One window at a time: `read` and `language` hold a lock.
    """

    def __init__(self, folder: Path, threads: int):
        super().__init__(str(folder), device="cpu", compute_type=COMPUTE_TYPE, cpu_threads=threads, local_files_only=True)
        self._lock = threading.Lock()
        self._encoded: tuple[np.ndarray, object] | None = None

    def encode(self, features: np.ndarray):
        if self._encoded is None or not np.array_equal(self._encoded[0], features):
            self._encoded = (features, super().encode(features))
        return self._encoded[1]

    def language(self, windows: Sequence[Window]) -> tuple[str, float]:
        """The most probable language and its probability, the mean over windows weighted by their length."""
        total: dict[str, float] = {}
        weight = sum(len(window.samples) for window in windows)
        with self._lock:
            for window in windows:
                features = self.feature_extractor(window.samples)[..., :-1]  # the frames `transcribe` will encode
                for token, probability in self.model.detect_language(self.encode(pad_or_trim(features)))[0]:
                    total[token[2:-2]] = total.get(token[2:-2], 0.0) + probability * len(window.samples) / weight
        return max(total.items(), key=lambda item: item[1])

    def read(self, samples: np.ndarray, language: str) -> list:
        """faster-whisper's segments of at most 30 s of sound, greedy and without its own retries and silent drops."""
        with self._lock:
            segments, _ = self.transcribe(
                samples,
                language=language,
                beam_size=1,
                temperature=0.0,
                max_new_tokens=min(30 + round(TOKENS_PER_S * len(samples) / RATE), 400),
                condition_on_previous_text=False,
                compression_ratio_threshold=None,
                log_prob_threshold=None,
                no_speech_threshold=None,
            )
            return list(segments)


def load(threads: int) -> Whisper:
    """The speech model, one per process and thread count. Raises AssetError."""
    with _loading:
        return _load(assets.path("whisper-base"), threads)


_loading = threading.Lock()


@lru_cache(maxsize=2)
def _load(folder: Path, threads: int) -> Whisper:
    for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt"):
        if not (folder / name).is_file():  # a missing tokenizer would be looked for on the network
            raise AssetError(f"asset 'whisper-base' lacks {name} in {folder}: run `emoreason assets pull`")
    return Whisper(folder, threads)


def clean(text: str) -> str:
    """Untrusted text in one line: no control, direction-changing or unassigned characters, single spaces."""
    kept = (c if c in JOINERS or not unicodedata.category(c).startswith("C") else " " for c in text)
    return " ".join("".join(kept).split())


def _failed(heard) -> bool:
    silent = heard.no_speech_prob > FAILED_NO_SPEECH and heard.avg_logprob < UNSURE_LOGPROB
    return heard.avg_logprob < FAILED_LOGPROB or heard.compression_ratio > FAILED_COMPRESSION or silent


def _notes(language: str, certainty: float, kept: int, unsure: int, dropped: int) -> list[Note]:
    notes = []
    if kept and certainty < UNSURE_LANGUAGE:
        notes.append(Note("words_unsure", f"The spoken language is unsure: {language} ({certainty:.2f}); so are the words."))
    elif unsure:
        notes.append(Note("words_unsure", f"{unsure} of {kept} transcribed passages are unsure."))
    if dropped:
        notes.append(Note("words_dropped", f"{dropped} of {kept + dropped} passages were too unclear and are left out."))
    return notes


def _chain(first: list[Window], rest: Iterator[Window]) -> Iterator[Window]:
    while first:
        yield first.pop(0)  # let go of it: windows are megabytes
    yield from rest


def _places(voice: Voice, duration_s: float) -> list[Place]:
    """Padded, joined spans of at most WINDOW_S; longer ones are cut where they are quietest."""
    joined: list[list[float]] = []
    for start, end in voice.spans:
        if joined and start - joined[-1][1] < JOIN_S:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    places: list[Place] = []
    for start, end in joined:
        start, end = max(start - PADDING_S, 0.0), min(end + PADDING_S, duration_s)
        while end - start > WINDOW_S:
            cut = _quietest(voice, start + WINDOW_S / 2, start + WINDOW_S)
            places.append((start, cut))
            start = cut
        places.append((start, end))
    return places


def _quietest(voice: Voice, start_s: float, end_s: float) -> float:
    first = round(start_s / voice.hop_s) + 1
    return (first + int(np.argmin(voice.loudness_db[first : round(end_s / voice.hop_s)]))) * voice.hop_s


def _windows(clip: Clip, places: Sequence[Place]) -> Iterator[Window]:
    """Places packed into windows, cut out of the track in one pass."""
    packed: list[tuple[Place, np.ndarray]] = []
    for place, samples in zip(places, _cut(clip, places), strict=True):
        if packed and sum(len(piece) for _, piece in packed) + len(samples) > WINDOW_S * RATE:
            yield _window(packed)
            packed = []
        packed.append((place, samples))
    if packed:
        yield _window(packed)


def _window(packed: Sequence[tuple[Place, np.ndarray]]) -> Window:
    return Window(tuple(place for place, _ in packed), np.concatenate([samples for _, samples in packed]))


def _cut(clip: Clip, places: Sequence[Place]) -> Iterator[np.ndarray]:
    """Samples of each place (in order, not overlapping), holding no more than one place and one block."""
    blocks = clip.audio_blocks()
    held, at = np.zeros(0, np.float32), 0  # samples in hand, and the number of the first of them
    for start_s, end_s in places:
        start, end = round(start_s * RATE), round(end_s * RATE)
        while at + len(held) < end and (block := next(blocks, None)) is not None:
            spare = min(max(start - at, 0), len(held))
            held, at = np.concatenate([held[spare:], block[1]]), at + spare
        yield held[max(start - at, 0) : end - at].copy()
