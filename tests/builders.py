"""Builds small media files with PyAV. Every frame carries its index and its orientation, so a test can read both back."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

TICKS = 90_000  # video time base: 1/90000 s, fine enough for any schedule
BITS = 12  # index of a frame, as a grid of 3 x 4 black and white fields
ENCODER_OPTIONS = {"libx264": {"preset": "veryfast"}, "libx265": {"preset": "fast", "x265-params": "log-level=none:pools=none"}}
RED, BLUE = (220, 40, 40), (40, 40, 220)


def pattern(index: int, width: int = 64, height: int = 48) -> np.ndarray:
    """uint8 [height, width, 3]: the top quarter is red (left) and blue (right), below it stands `index` in 12 bits."""
    bits = [(index >> bit) & 1 for bit in range(BITS)]
    image = np.empty((height, width, 3), np.uint8)
    top = height // 4
    image[:top, : width // 2], image[:top, width // 2 :] = RED, BLUE
    rows = np.minimum(np.arange(height - top) * 3 // (height - top), 2)
    columns = np.minimum(np.arange(width) * 4 // width, 3)
    image[top:] = np.where(np.array(bits).reshape(3, 4)[rows][:, columns], 235, 20)[..., None]
    return image


def read_index(image: np.ndarray) -> int:
    """The index that `pattern` drew. Raises ValueError where the picture is not an upright pattern."""
    height, width = image.shape[:2]
    top = height // 4
    left, right = image[top // 2, width // 4].astype(int), image[top // 2, 3 * width // 4].astype(int)
    if not (left[0] > left[2] + 60 and right[2] > right[0] + 60):
        raise ValueError(f"not upright: left {left}, right {right}")
    rows = [top + (2 * row + 1) * (height - top) // 6 for row in range(3)]
    columns = [(2 * column + 1) * width // 8 for column in range(4)]
    bits = (image[rows][:, columns, 1] > 128).ravel()
    return sum(int(bit) << position for position, bit in enumerate(bits))


def even_times(count: int, fps: float = 25.0, start_s: float = 0.0) -> list[float]:
    """`count` times at a constant rate."""
    return [start_s + index / fps for index in range(count)]


def tone(seconds: float, rate: int = 48_000, hz: float = 440.0) -> np.ndarray:
    """float32 [n]: a sine of amplitude 0.5."""
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def click(seconds: float, at_s: float, rate: int = 48_000) -> np.ndarray:
    """float32 [n]: silence with 20 ms of a 1 kHz tone that begins at `at_s`."""
    sound = np.zeros(round(seconds * rate), np.float32)
    start = round(at_s * rate)
    sound[start : start + rate // 50] = 0.8 * np.sin(2 * np.pi * 1000 * np.arange(rate // 50) / rate)
    return sound


def write_media(
    path: Path,
    times_s: Sequence[float] = (),
    images: Sequence[np.ndarray] | None = None,
    sound: np.ndarray | None = None,
    *,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    gop: int = 10,
    bframes: int = 2,
    rotation: int = 0,
    mirrored: bool = False,
    sample_aspect: Fraction | None = None,
    sound_codec: str = "aac",
    sound_rate: int = 48_000,
    sound_start_s: float = 0.0,
    container_options: dict[str, str] | None = None,
) -> Path:
    """One file whose frame i is shown at times_s[i] and holds images[i] (default: pattern(i) of `size`).

    rotation: degrees counter-clockwise that a player must turn the stored picture by (0, 90, 180, 270); `sound` is mono
    float [n] at sound_rate. The container follows the suffix. bframes counts for libx264 and mpeg4 only.
    """
    with av.open(str(path), "w", options=container_options or {}) as container:
        video = audio = None
        if len(times_s):
            video = container.add_stream(codec, rate=25, options=ENCODER_OPTIONS.get(codec, {}))
            video.codec_context.thread_count = 1  # small pictures; libvpx's threads spin for seconds on a busy machine
            if codec in ("libx264", "mpeg4"):
                video.codec_context.max_b_frames = bframes
            video.width, video.height = (images[0].shape[1], images[0].shape[0]) if images is not None else size
            video.pix_fmt, video.codec_context.gop_size = pix_fmt, gop
            video.codec_context.time_base = Fraction(1, TICKS if codec != "mpeg4" else 1000)
            if sample_aspect is not None:
                video.codec_context.sample_aspect_ratio = sample_aspect
            if mirrored:
                video.set_display_matrix((-65536, 0, 0, 0, 65536, 0, video.width * 65536, 0, 1 << 30))
            elif rotation:
                video.set_display_rotation(rotation)
        if sound is not None:
            audio = container.add_stream(sound_codec, rate=sound_rate, layout="mono")
        for index, time_s in enumerate(times_s):
            _encode_picture(container, video, images[index] if images is not None else pattern(index, *size), time_s)
        if audio is not None:
            _encode_sound(container, audio, sound, sound_rate, sound_start_s)
        for stream in (video, audio):
            if stream is not None:
                container.mux(stream.encode(None))
    return path


def _encode_picture(container, stream, image: np.ndarray, time_s: float) -> None:
    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
    frame.time_base = stream.codec_context.time_base
    frame.pts = round(time_s / frame.time_base)
    container.mux(stream.encode(frame))


def _encode_sound(container, stream, sound: np.ndarray, rate: int, start_s: float) -> None:
    for start in range(0, len(sound), 1024):
        samples = sound[start : start + 1024]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples, np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), start + round(start_s * rate)
        container.mux(stream.encode(frame))
