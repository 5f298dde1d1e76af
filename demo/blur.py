"""A copy of a video in which every face that was found is blurred. The sound is kept as it was heard: 16 kHz, one channel."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from emoreason.media import Clip, Frame
from emoreason.media.audio import RATE
from emoreason.media.errors import NoVideo
from emoreason.perception.observation import Observation
from emoreason.report.save import atomically

GROWN = 0.2  # of a box on each side: hair and chin tell, too
HOLD_S = 0.5  # a face that is lost for a moment stays covered
MAX_SIDE = 1280
TICK = Fraction(1, 1000)
_AT_ONCE = 32  # frames decoded at a time
_SAMPLES = 1024  # of sound per frame


def blurred_copy(observation: Observation, path: Path) -> Path:
    """MP4 (H.264, AAC). Faces that were not found are not blurred. Raises NoVideo for a picture or sound, MediaError, OSError."""
    clip = Clip(observation.source.path)
    if clip.kind != "video":
        raise NoVideo(f"{Path(clip.path).name}: is no video, there is nothing to blur")
    with atomically(path) as temporary, av.open(str(temporary), "w", format="mp4") as out:
        pictures = out.add_stream("libx264", rate=25, options={"crf": "23", "preset": "veryfast"})
        pictures.codec_context.time_base, pictures.pix_fmt = TICK, "yuv420p"
        sound = out.add_stream("aac", rate=RATE, layout="mono") if clip.has_audio else None
        width, height = clip.size
        scale = min(1.0, MAX_SIDE / max(clip.size))
        pictures.width, pictures.height = (int(round(side * scale)) // 2 * 2 for side in (width, height))
        for frame in _frames(clip):
            image = covered(frame, observation)[: pictures.height, : pictures.width]
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
            picture.time_base, picture.pts = TICK, round(frame.time_s / TICK)
            out.mux(pictures.encode(picture))
        if sound is not None:
            _write_sound(out, sound, clip.audio())
        for stream in filter(None, (pictures, sound)):
            out.mux(stream.encode(None))
    return path


def _frames(clip: Clip) -> Iterator[Frame]:
    """All frames once, in order; a few of them in memory."""
    times = clip.frame_times_s
    for start in range(0, len(times), _AT_ONCE):
        yield from clip.frames(times[start : start + _AT_ONCE], MAX_SIDE)


def covered(frame: Frame, observation: Observation) -> np.ndarray:
    """uint8 [H, W, 3]: the frame with an ellipse of blur over each face seen within HOLD_S."""
    image = frame.image.copy()
    for person in observation.people:
        at = int(np.abs(person.times_s - frame.time_s).argmin())
        if abs(float(person.times_s[at]) - frame.time_s) > HOLD_S:
            continue
        x, y, w, h = (float(value) * frame.scale for value in person.boxes[at])
        left, top = max(int(x - GROWN * w), 0), max(int(y - GROWN * h), 0)
        right, bottom = min(int(x + (1 + GROWN) * w), image.shape[1]), min(int(y + (1 + GROWN) * h), image.shape[0])
        if right - left < 2 or bottom - top < 2:
            continue
        part = image[top:bottom, left:right]
        small = cv2.resize(part, (6, 6), interpolation=cv2.INTER_AREA)  # six by six: no face can be made out
        part[:] = cv2.resize(small, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    return image


def _write_sound(out: av.container.OutputContainer, stream: av.AudioStream, samples: np.ndarray) -> None:
    for start in range(0, len(samples), _SAMPLES):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[start : start + _SAMPLES])[None], "fltp", "mono")
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), start
        out.mux(stream.encode(frame))
