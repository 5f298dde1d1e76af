"""Two ways to decode the pictures of a video, by index of presentation: decord, and PyAV, which reads everything.

Both give the same pixels for the same index (compared on untagged, BT.601 and BT.709 material, limited and full range). Where
decord 0.6 is known to fail, `why_not_decord` says so: rotated files come back with four channels, mirrored ones turned by 180
degrees, MPEG-TS begins eight frames late, AVI has no timestamps, 10-bit and odd-sized 4:2:0 colours differ, AV1 cannot be
opened. Its own timestamps must equal those of the container, else it is not used. It also miscounts whenever it skips
(seek_accurate, skip_frames, get_batch: asked for every second of 150 frames it gave 50 of 75 wrong for HEVC, 69 for MPEG-4,
12 for variable-rate H.264), so it only ever runs straight through, and PyAV does the jumps.
"""

import os
from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import Literal

import av
import numpy as np

from emoreason.media.container import UPRIGHT, OnDamage, frames_of, open_media
from emoreason.media.errors import MediaError
from emoreason.media.probe import Probe, VideoTrack

ReaderName = Literal["decord", "pyav"]
Shown = tuple[int, int, np.ndarray]  # index asked for, index shown, uint8 [H, W, 3]
ONE_THREAD_PIXELS = 1280 * 720  # up to here one thread decodes faster than faces are found, and leaves them the other cores
JUMP = 48  # frames; decoding through less is cheaper than a seek that empties the decoder
# It decodes ahead of a slower reader without bound: measured +650 MB after 100 of 1,400 frames of 640x360 had been taken.
DECORD_AHEAD_BYTES = 128 << 20
DECORD_BYTES = 64 << 20  # it queues a whole file's packets: measured +342 MB of resident memory for a file of 299 MB
DECORD_FORMATS = {"mov", "matroska"}
DECORD_CODECS = {"h264", "hevc", "vp9", "mpeg4"}
DECORD_PIXELS = {"yuv420p", "yuvj420p"}


class ReaderFailed(Exception):
    """decord gave up; the caller goes on with PyAV at the first index that was not delivered."""


@cache
def _decord():
    """The decord module, None where it is not installed or does not load."""
    try:
        import decord
    except (ImportError, OSError):
        return None
    decord.logging.set_level(decord.logging.QUIET)  # its FFmpeg writes to stderr past Python
    return decord


def why_not_decord(path: str, probe: Probe) -> str | None:
    """None if decord reads this file as PyAV does, else the reason."""
    video = probe.video
    if probe.problems:
        return "the file is damaged"
    if probe.format not in DECORD_FORMATS or video.codec not in DECORD_CODECS:
        return f"{video.codec} in {probe.format} is not read reliably"
    if video.counted:
        return "the file has no timestamps"
    if video.orientation != UPRIGHT:
        return "the picture must be turned"
    if not video.alone:
        return "it may pick another of several picture streams"
    if video.pixel_format not in DECORD_PIXELS or video.width % 2 or video.height % 2:
        return f"colours of {video.pixel_format} at {video.width}x{video.height} differ"
    if os.path.getsize(path) > DECORD_BYTES:
        return "the file is large, and decord holds all its packets in memory"
    decord = _decord()
    if decord is None:
        return "decord does not load on this machine"
    try:
        reader = decord.VideoReader(path, num_threads=1)
        times_s = reader.get_frame_timestamp(range(len(reader)))[:, 0]
    except (decord.DECORDError, RuntimeError, AssertionError) as error:
        return f"it fails ({str(error).splitlines()[0][:80]})"
    expected_s = (video.pts - video.pts[0]) * float(video.time_base)
    if len(times_s) != len(expected_s) or not np.allclose(times_s - times_s[0], expected_s, rtol=1e-6, atol=2e-3):
        return "its timestamps differ from the container's"
    return None


def choose_reader(path: str, probe: Probe, asked: Literal["auto", "decord", "pyav"]) -> ReaderName:
    """The one place where the reader is chosen. Raises MediaError if decord is demanded but cannot read the file rightly."""
    reason = "PyAV was asked for" if asked == "pyav" else why_not_decord(path, probe)
    if asked == "auto" and len(probe.video.pts) * probe.video.width * probe.video.height * 3 > DECORD_AHEAD_BYTES:
        return "pyav"
    if reason and asked == "decord":
        raise MediaError(f"{path}: cannot be read with decord: {reason}; use reader='auto'")
    return "pyav" if reason else "decord"


def read_decord(path: str, video: VideoTrack, indices: np.ndarray, size: tuple[int, int]) -> Iterator[Shown]:
    """Frames at ascending `indices`, scaled to `size` (width, height). Raises ReaderFailed."""
    decord = _decord()
    width, height = size if size != (video.width, video.height) else (-1, -1)
    failures = (decord.DECORDError, decord.DECORDLimitReachedError, RuntimeError, StopIteration)
    try:
        # any frame "recovered" from its neighbour is an error: a repeated face would pass for a measured one
        reader = decord.VideoReader(path, width=width, height=height, fault_tol=1e-9)
    except failures as error:
        raise ReaderFailed(str(error)) from error
    position = -1
    for index in indices.tolist():
        try:
            while position < index:
                image = reader.next()
                position += 1
        except failures as error:
            raise ReaderFailed(str(error)) from error
        # a framework bridge set by the caller's own code turns arrays into tensors
        yield index, index, image.asnumpy() if hasattr(image, "asnumpy") else np.asarray(image)


def straight_through(indices: np.ndarray) -> bool:
    """True if ascending `indices` are best read from the first frame on without a jump."""
    return len(indices) == 0 or int(np.diff(indices, prepend=0).max()) <= JUMP


def read_pyav(path: str, video: VideoTrack, indices: np.ndarray, size: tuple[int, int], on_damage: OnDamage) -> Iterator[Shown]:
    """Frames at ascending `indices`, scaled to `size` (width, height), upright turning not yet done.

    Where a frame cannot be decoded, the one on screen before it is given (the second number tells which).
    """
    with open_media(path) as container:  # stands at its start; only later runs, and one that starts late, seek
        for run in _runs(indices, video.keys):
            first = int(run[0])
            key = _last_key(video.keys, first)
            numbered = _numbered(container, video, key, on_damage)
            head = next(numbered, None)
            if not key or (head is not None and head[0] <= first):
                yield from _on_screen(chain([head] if head else [], numbered), run, size)
                continue
            # some demuxers seek by decoding time, land one key frame late, or cannot seek: then from the start
            with open_media(path) as fresh:
                yield from _on_screen(_numbered(fresh, video, 0, on_damage), run, size)


def _runs(indices: np.ndarray, keys: np.ndarray) -> Iterator[np.ndarray]:
    """Splits `indices` where a key frame lets the decoder skip more than JUMP frames."""
    landing = keys[np.maximum(np.searchsorted(keys, indices, side="right") - 1, 0)] if len(keys) else np.zeros_like(indices)
    breaks = np.flatnonzero(landing[1:] - indices[:-1] > JUMP) + 1
    return (run for run in np.split(indices, breaks) if len(run))


def _last_key(keys: np.ndarray, index: int) -> int:
    """Index of the last key frame at or before `index`, 0 if none is known."""
    place = int(np.searchsorted(keys, index, side="right"))
    return int(keys[place - 1]) if place else 0


def _numbered(container, video: VideoTrack, key: int, on_damage: OnDamage) -> Iterator[tuple[int, av.VideoFrame]]:
    """(index of presentation, frame) from key frame `key` on; 0 means from where a fresh container stands.

    Seeking to the start instead would cost MPEG-TS its first group of pictures.
    """
    stream = container.streams[video.stream]
    if not stream.codec_context.is_open and video.width * video.height > ONE_THREAD_PIXELS:
        stream.thread_type = "AUTO"
    elif not stream.codec_context.is_open:
        stream.codec_context.thread_count = 1
    if key:
        try:
            container.seek(int(video.pts[key]), stream=stream)
        except av.error.FFmpegError:
            return  # no index, no seek: the caller starts over
    frames = frames_of(container, stream, on_damage)
    yield from enumerate(frames) if video.counted else _by_pts(frames, video.pts)


def _by_pts(frames: Iterator[av.VideoFrame], pts: np.ndarray) -> Iterator[tuple[int, av.VideoFrame]]:
    for frame in frames:
        if frame.pts is None or frame.is_corrupt:
            continue
        index = int(np.searchsorted(pts, frame.pts))
        if index < len(pts) and pts[index] == frame.pts:
            yield index, frame


def _on_screen(numbered: Iterator[tuple[int, av.VideoFrame]], wanted: np.ndarray, size: tuple[int, int]) -> Iterator[Shown]:
    """Pairs each wanted index with the frame on screen then. Frames come in order, so one is held, never more."""
    done, held = 0, None
    for index, frame in numbered:
        while done < len(wanted) and wanted[done] <= index:
            shown = (index, frame) if wanted[done] == index or held is None else held
            yield int(wanted[done]), shown[0], _rgb(shown[1], size)
            done += 1
        if done == len(wanted):
            return
        held = (index, frame)
    for index in wanted[done:].tolist() if held is not None else ():
        yield index, held[0], _rgb(held[1], size)


def _rgb(frame: av.VideoFrame, size: tuple[int, int]) -> np.ndarray:
    # bilinear is what decord's own scaler does, so that both readers agree on scaled frames too
    return frame.to_ndarray(format="rgb24", width=size[0], height=size[1], interpolation="BILINEAR")


def turn_upright(image: np.ndarray, orientation: tuple[int, int, int, int]) -> np.ndarray:
    """[H, W, 3] as stored -> upright. orientation: see VideoTrack; rows run along y."""
    if orientation == UPRIGHT:
        return image
    a, b, c, d = orientation
    if a == 0:  # x' = c y, y' = b x
        image, flip_x, flip_y = image.transpose(1, 0, 2), c < 0, b < 0
    else:
        flip_x, flip_y = a < 0, d < 0
    return np.ascontiguousarray(image[:: -1 if flip_y else 1, :: -1 if flip_x else 1])


def same_process(pid: int, path: str) -> None:
    """Raises MediaError when an open decoder is used after a fork: its threads exist in the parent only."""
    if os.getpid() != pid:
        raise MediaError(f"{path}: this iteration was begun in another process; call sample() again in this one")
