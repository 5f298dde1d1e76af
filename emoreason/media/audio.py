"""Sound of a file as 16 kHz mono float32, streamed. Sample n is heard at second n / 16000 of the clip: gaps are silence."""

import math
from collections.abc import Iterator

import av
import numpy as np

from emoreason.media.container import OnDamage, frames_of, open_media
from emoreason.media.probe import Probe

RATE = 16_000
JITTER_S = 0.02  # timestamps of some muxers wobble by this much without anything being missing
PREROLL_S = 0.5  # decoders need a little before the wanted second: Opus 80 ms, MP3 its bit reservoir
SEEKABLE = {"mov", "matroska", "wav", "flac"}  # others estimate timestamps after a seek


def stream_audio(path: str, probe: Probe, start_s: float, end_s: float | None, on_damage: OnDamage) -> Iterator[np.ndarray]:
    """float32 pieces that join without gap from start_s to end_s (default: the end of the track), in order."""
    wanted = round(start_s * RATE)
    stop = None if end_s is None else round(end_s * RATE)
    for at, piece in _placed(path, probe, start_s, on_damage):
        at_most = at if stop is None else min(at, stop)
        while wanted < at_most:  # silence before the track or in a gap, which may be hours long
            silence = min(at_most - wanted, 10 * RATE)
            yield np.zeros(silence, np.float32)
            wanted += silence
        piece = piece[max(wanted - at, 0) : None if stop is None else max(stop - at, 0)]
        if len(piece):
            yield piece
            wanted += len(piece)
        if stop is not None and wanted >= stop:
            return


def blocks(pieces: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Regroups pieces into arrays of `size` samples; the last may be shorter."""
    held: list[np.ndarray] = []
    count = 0
    for piece in pieces:
        while count + len(piece) >= size:
            head, piece = piece[: size - count], piece[size - count :]
            yield np.concatenate([*held, head])
            held, count = [], 0
        if len(piece):
            held.append(piece)
            count += len(piece)
    if held:
        yield np.concatenate(held)


def _placed(path: str, probe: Probe, start_s: float, on_damage: OnDamage) -> Iterator[tuple[int, np.ndarray]]:
    """(sample number on the clip's time axis, float32 [n]) in order, never overlapping."""
    with open_media(path) as container:
        stream = container.streams[probe.audio.stream]
        if probe.format in SEEKABLE and start_s > 2 * PREROLL_S:
            container.seek(round((start_s - PREROLL_S + probe.origin_s) / stream.time_base), stream=stream)
        resampler = setup = None
        at, due_s = -(2**62), -math.inf  # number of the next sample, second at which the next frame should begin
        for frame in frames_of(container, stream, on_damage):
            time_s = max(due_s, 0.0) if frame.pts is None else float(frame.pts * frame.time_base) - probe.origin_s
            if time_s < due_s - JITTER_S:
                continue  # heard already
            if resampler is None or _setup(frame) != setup or time_s > due_s + JITTER_S:
                if resampler is not None:
                    tail = _samples(resampler.resample(None))
                    yield at, tail
                    at += len(tail)
                # 16 bits, because FFmpeg does not normalise when it mixes channels to floats: stereo came out 1.41 times too loud
                resampler, setup = av.AudioResampler(format="s16", layout="mono", rate=RATE), _setup(frame)
                due_s, at = time_s, max(at, round(time_s * RATE))
            piece = _samples(resampler.resample(frame))
            yield at, piece
            at += len(piece)
            due_s += frame.samples / frame.sample_rate
        if resampler is not None:
            yield at, _samples(resampler.resample(None))


def _setup(frame: av.AudioFrame) -> tuple[int, str, str]:
    """What a resampler is built for; some streams change it on the way."""
    return frame.sample_rate, frame.layout.name, frame.format.name


def _samples(frames: list[av.AudioFrame]) -> np.ndarray:
    if not frames:
        return np.zeros(0, np.float32)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float32) / 32768
