"""`Clip`: one video, picture or sound file. Everything is asked for in seconds and streams; nothing stays open between calls."""

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal

import numpy as np

from emoreason.media import audio
from emoreason.media.container import check_file
from emoreason.media.errors import NoAudio, NoFrames, NoVideo
from emoreason.media.picture import load_picture, picture_size, shrink
from emoreason.media.probe import probe
from emoreason.media.readers import (
    ReaderFailed,
    ReaderName,
    Shown,
    choose_reader,
    read_decord,
    read_pyav,
    same_process,
    straight_through,
    turn_upright,
)
from emoreason.media.source import Source

EARLY_S = 0.002  # timestamps rounded to milliseconds (Matroska) must not cost a frame


@dataclass(frozen=True, eq=False)
class Frame:
    """index: place in the order of presentation. time_s: when it comes on screen. scale: image pixels per upright pixel."""

    index: int
    time_s: float
    image: np.ndarray  # uint8 [H, W, 3] RGB, upright
    scale: float


class Clip:
    """Lazy handle on one media file.

    Second 0 is where the file's own clock starts: the first frame shown or the first sound heard, whichever comes first.
    Sound and pictures share this axis. A file that is partly readable gives what is readable and says so in `problems`.
    A clip holds plain values only, so it may be pickled, forked and read from several threads.

    reader: "auto" takes decord where it is known to be right for this file and PyAV otherwise. Either way PyAV does jumps.

    Raises MissingFile, NotAFile, NotMedia, TruncatedFile, UnsupportedCodec, NoFrames, TooLarge (all MediaError).

    >>> clip = Clip("interview.mp4")
    >>> for frame in clip.sample(fps=12, max_side=640):
    ...     print(frame.time_s, frame.image.shape)
    """

    def __init__(self, path: str | os.PathLike[str], reader: Literal["auto", "decord", "pyav"] = "auto"):
        if reader not in ("auto", "decord", "pyav"):
            raise ValueError(f"reader is {reader!r}; use 'auto', 'decord' or 'pyav'")
        self.path = os.fspath(path)
        self._found: tuple[str, ...] = ()
        self._damage: dict[str, str] = {}
        self._asked = reader
        self._probe = None
        check_file(self.path)
        picture = picture_size(self.path)
        if picture is not None:
            self.kind: Literal["video", "picture", "audio"] = "picture"
            self.size: tuple[int, int] | None = picture[:2]  # upright width, height with square pixels
            self.duration_s = 0.0
            self.frame_times_s = np.zeros(1)  # [n] presentation time of every frame, ascending
            self.has_audio = False
            self._found = picture[2]
            return
        self._probe = probe(self.path)
        video = self._probe.video
        self.kind = "video" if video else "audio"
        self.size = (video.shown_size[::-1] if video.turned else video.shown_size) if video else None
        self.duration_s = self._probe.duration_s
        self.frame_times_s = self._probe.frame_times_s
        self.has_audio = self._probe.audio is not None
        self._found = self._probe.problems

    def __repr__(self) -> str:
        return f"Clip({self.path!r}: {self.kind}, {self.duration_s:.2f} s)"

    @property
    def problems(self) -> list[str]:
        """What is wrong with a file that is readable in part; grows while it is read. One phrase each."""
        return [*self._found, *(self._damage[what] for what in sorted(self._damage))]

    @property
    def has_video(self) -> bool:
        """True if there is at least one picture to look at, moving or not."""
        return self.kind != "audio"

    @cached_property
    def reader(self) -> ReaderName | Literal["pillow"] | None:
        """What decodes the pictures of this file; None for sound. Raises MediaError if a demanded decord cannot."""
        if self._probe is None:
            return "pillow"
        return choose_reader(self.path, self._probe, self._asked) if self._probe.video else None

    @cached_property
    def source(self) -> Source:
        """Facts of the file; its hash is computed once, in a stream."""
        with open(self.path, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        times_s, (width, height) = self.frame_times_s, self.size or (None, None)
        fps = (len(times_s) - 1) / float(times_s[-1] - times_s[0]) if len(times_s) > 1 else None
        return Source(self.path, sha256, self.duration_s, fps, width, height, self.has_video, self.has_audio, self.kind)

    def sample(
        self, fps: float, start_s: float = 0.0, end_s: float | None = None, max_side: int | None = None
    ) -> Iterator[Frame]:
        """Frames with start_s <= time < end_s, in order, at most one per 1/fps seconds, each at most once.

        Streams: memory does not grow with duration. max_side shrinks frames whose longer side exceeds it. Raises NoVideo.
        """
        if not (math.isfinite(fps) and fps > 0):
            raise ValueError(f"fps is {fps}; give a positive number of frames per second")
        self._need_video()
        indices = np.flatnonzero((self.frame_times_s >= start_s) & (self.frame_times_s < (math.inf if end_s is None else end_s)))
        steps = np.floor((self.frame_times_s[indices] - start_s) * fps + min(EARLY_S * fps, 0.1))
        indices = indices[np.unique(steps, return_index=True)[1]]
        return self._once(self._frames(indices, max_side))

    def frames(self, times_s: Sequence[float], max_side: int | None = None) -> list[Frame]:
        """For each second the frame on screen then (before the first frame: the first). Raises NoVideo, NoFrames."""
        self._need_video()
        # a microsecond of grace: seconds that went through a float or a file still name the frame they came from
        asked = np.searchsorted(self.frame_times_s, np.asarray(times_s, np.float64) + 1e-6, side="right") - 1
        asked = np.maximum(asked, 0)
        found = dict(self._frames(np.unique(asked), max_side))
        if len(asked) and not found:
            raise NoFrames(f"{self.path}: none of the frames asked for can be decoded; see Clip.problems")
        known = np.array(sorted(found))
        nearest = [int(known[np.abs(known - index).argmin()]) for index in asked]
        return [found[index] for index in nearest]

    def audio(self, start_s: float = 0.0, end_s: float | None = None) -> np.ndarray:
        """float32 [n], 16 kHz mono; starts at start_s exactly, ends at end_s or with the track. Raises NoAudio."""
        pieces = list(self._sound(start_s, end_s))
        return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)

    def audio_blocks(self, block_s: float = 30.0) -> Iterator[tuple[float, np.ndarray]]:
        """(second it starts at, float32 [n]) of the whole track, streaming, without gaps. Raises NoAudio."""
        size = round(block_s * audio.RATE)
        if size < 1:
            raise ValueError(f"block_s is {block_s}; give a positive number of seconds")
        blocks = audio.blocks(self._sound(0.0, None), size)
        return ((number * size / audio.RATE, block) for number, block in enumerate(blocks))

    def _sound(self, start_s: float, end_s: float | None) -> Iterator[np.ndarray]:
        if not self.has_audio:
            raise NoAudio(f"{self.path}: has no sound")
        return audio.stream_audio(self.path, self._probe, max(start_s, 0.0), end_s, partial(self._note_damage, "sound"))

    def _need_video(self) -> None:
        if not self.has_video:
            raise NoVideo(f"{self.path}: has no pictures, only sound")

    @staticmethod
    def _once(frames: Iterator[tuple[int, Frame]]) -> Iterator[Frame]:
        last = -1
        for _, frame in frames:
            if frame.index > last:  # a damaged stretch holds the same frame for several seconds asked for
                last = frame.index
                yield frame

    def _frames(self, indices: np.ndarray, max_side: int | None) -> Iterator[tuple[int, Frame]]:
        """(index asked for, frame shown) for ascending indices."""
        shrunk = min(1.0, (max_side or math.inf) / max(self.size))
        size = tuple(max(1, round(side * shrunk)) for side in self.size)
        if self._probe is None:
            image = load_picture(self.path)
            image = shrink(image, size) if shrunk < 1 else image
            yield from ((int(index), Frame(0, 0.0, image, shrunk)) for index in indices)
            return
        video, pid = self._probe.video, os.getpid()
        for asked, shown, image in self._decode(indices, size[::-1] if video.turned else size):
            yield asked, Frame(shown, float(self.frame_times_s[shown]), turn_upright(image, video.orientation), shrunk)
            same_process(pid, self.path)

    def _decode(self, indices: np.ndarray, size: tuple[int, int]) -> Iterator[Shown]:
        """decord for a run from the start, as long as it works; PyAV for jumps and for the rest."""
        done = 0
        if self.reader == "decord" and straight_through(indices):
            try:
                for shown in read_decord(self.path, self._probe.video, indices, size):
                    yield shown
                    done += 1
                return
            except ReaderFailed:
                self.reader = "pyav"  # for good: the next call need not fail again
        yield from read_pyav(self.path, self._probe.video, indices[done:], size, partial(self._note_damage, "pictures"))

    def _note_damage(self, what: Literal["pictures", "sound"], file_s: float) -> None:
        """Keeps the first damaged place of each kind: readers report every one, in the order of the file."""
        self._damage.setdefault(what, f"damaged {what} at {file_s - self._probe.origin_s:.1f} s")
