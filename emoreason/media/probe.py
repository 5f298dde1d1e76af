"""What a video or audio file holds: its tracks, the second of every frame, what is broken. One pass over the packets.

Pictures are decoded only until the first one (it proves the codec and carries the display matrix). Where packets do not tell
presentation times (AVI, raw streams, VP8's hidden frames), the frames are decoded and counted instead.
"""

from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np

from emoreason.media.container import decoded, frames_of, open_media, orientation_of, packets_of, shown_stream
from emoreason.media.errors import NoFrames, NotMedia, TruncatedFile, UnsupportedCodec

COUNTED_FORMATS = {"avi"}  # presentation times of B frames are not stored
COUNTED_CODECS = {"vp8"}  # invisible reference frames are packets of their own
ANNOUNCING = {"mov", "matroska", "avi", "wav", "flac", "flv"}  # duration stands in the header, so a cut can be told
SQUARE = 0.02  # pixels wider by less are rounding of an encoder (854 made of 856), not worth a rescale
CUT_S = 0.5  # less than this missing at the end is rounding, not damage


@dataclass(frozen=True)
class VideoTrack:
    """pts [n]: presentation timestamps of the frames shown, ascending, in time_base; keys [k]: indices of key frames in pts.

    orientation is (a, b, c, d) of the display matrix, reduced to signs: x' = a x + c y, y' = b x + d y. `counted` means that
    a frame's index is its place in the decoder's output, not found by its timestamp.
    """

    stream: int
    codec: str
    pixel_format: str
    width: int
    height: int
    pixel_aspect: float
    orientation: tuple[int, int, int, int]
    time_base: Fraction
    pts: np.ndarray
    keys: np.ndarray
    counted: bool
    alone: bool  # the file has no other picture stream, cover art included

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width, height with square pixels, before turning upright."""
        return round(self.width * self.pixel_aspect), self.height

    @property
    def turned(self) -> bool:
        return self.orientation[0] == 0


@dataclass(frozen=True)
class AudioTrack:
    """The sound stream that is read, as its packets told."""

    stream: int
    codec: str
    start_s: float  # of the first sample that is heard, on the file's own clock


@dataclass(frozen=True)
class Probe:
    """origin_s: second of the file's own clock that is called 0. duration_s counts from there."""

    format: str
    video: VideoTrack | None
    audio: AudioTrack | None
    origin_s: float
    duration_s: float
    problems: tuple[str, ...]

    @property
    def frame_times_s(self) -> np.ndarray:
        video = self.video
        return video.pts * float(video.time_base) - self.origin_s if video else np.zeros(0)


@dataclass
class _Scan:
    """What is learned of one stream while its packets pass. Holds no PyAV stream: those die with their container."""

    kind: str
    index: int
    codec: str | None  # None: no decoder here
    time_base: Fraction
    pixel_aspect: float
    alone: bool  # the only stream of its kind
    pts: list[int | None] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    first: av.VideoFrame | av.AudioFrame | None = None
    end_s: float = 0.0
    step_s: float = 0.0
    damaged_s: float | None = None
    packets: int = 0

    def __post_init__(self) -> None:
        self.tick_s = float(self.time_base)  # an hour has 200,000 packets: no Fraction is built for each

    def take(self, packet: av.Packet) -> None:
        if self.codec and self.first is None and not packet.is_corrupt:
            self.first = next(iter(decoded(packet)[0]), None)
        if packet.size == 0:  # the end: asks the decoder for what it still holds
            return
        stamp = packet.pts if packet.pts is not None else packet.dts
        at_s, long_s = (stamp or 0) * self.tick_s, (packet.duration or 0) * self.tick_s
        if packet.is_corrupt:
            self.damaged_s = at_s if self.damaged_s is None else self.damaged_s
            return
        self.packets += 1
        if self.kind == "video" and not packet.is_discard:
            self.pts.append(packet.pts)
            if packet.is_keyframe and packet.pts is not None:
                self.keys.append(packet.pts)
        if at_s + long_s > self.end_s:
            self.end_s, self.step_s = at_s + long_s, long_s


def _new_scan(kind: str, stream: av.stream.Stream, alone: bool) -> _Scan:
    codec = stream.codec_context.name if stream.codec_context is not None else None
    aspect = float(stream.sample_aspect_ratio or 1) if kind == "video" and codec else 1.0
    if abs(aspect - 1) < SQUARE or not 0.25 <= aspect <= 4:
        aspect = 1.0
    return _Scan(kind, stream.index, codec, stream.time_base, aspect, alone)


def _scan(path: str) -> tuple[str, float, dict[str, _Scan], bool]:
    with open_media(path) as container:
        picked = {kind: stream for kind in ("video", "audio") if (stream := shown_stream(container, kind)) is not None}
        kinds = [stream.type for stream in container.streams]
        scans = {kind: _new_scan(kind, stream, kinds.count(kind) == 1) for kind, stream in picked.items()}
        by_index = {scan.index: scan for scan in scans.values()}
        broken = not scans
        try:
            for packet in packets_of(container, *picked.values()) if picked else ():
                by_index[packet.stream.index].take(packet)
        except av.error.FFmpegError:
            broken = True
        return container.format.name.split(",")[0], (container.duration or 0) / av.time_base, scans, broken


def probe(path: str) -> Probe:
    """Reads every packet of a video or audio file once. Raises the errors of media.errors."""
    form, announced_s, scans, broken = _scan(path)
    usable = {kind: scan for kind, scan in scans.items() if scan.first is not None}
    if not usable:
        _raise_unusable(path, scans)
    problems = [_why_not(kind, scan) for kind, scan in scans.items() if kind not in usable]
    video = _video_track(path, form, usable["video"]) if "video" in usable else None
    audio = _audio_track(usable["audio"]) if "audio" in usable else None
    starts = [float(video.pts[0] * video.time_base)] if video else []
    origin_s = min(starts + ([audio.start_s] if audio else []))
    end_s = max(_end_s(scan, video) if kind == "video" else scan.end_s for kind, scan in usable.items())
    damaged = [scan.damaged_s for scan in usable.values() if scan.damaged_s is not None]
    if broken or (form in ANNOUNCING and end_s < announced_s - CUT_S) or (damaged and min(damaged) > end_s - CUT_S):
        said = f" (it announces {announced_s:.1f} s)" if announced_s > end_s + CUT_S else ""
        problems.append(f"the file is cut off after {end_s - origin_s:.1f} s{said}")
    elif damaged:
        problems.append(f"the file is damaged at {min(damaged) - origin_s:.1f} s")
    return Probe(form, video, audio, origin_s, end_s - origin_s, tuple(problems))


def _raise_unusable(path: str, scans: dict[str, _Scan]) -> None:
    unsupported = [scan for scan in scans.values() if scan.codec is None and scan.packets]
    if unsupported:
        kinds = " and ".join(f"{scan.kind} codec" for scan in unsupported)
        raise UnsupportedCodec(f"{path}: its {kinds} cannot be decoded here; convert it, for instance to H.264 and AAC")
    if not scans:
        raise NotMedia(f"{path}: holds a cover picture but neither film nor sound")
    if any(scan.packets or scan.damaged_s is not None for scan in scans.values()):
        raise TruncatedFile(f"{path}: no frame in it can be decoded, it is cut off or damaged")
    raise NoFrames(f"{path}: holds zero frames")


def _why_not(kind: str, scan: _Scan) -> str:
    what = {"video": "pictures", "audio": "sound"}[kind]
    if scan.codec is None:
        return f"the {what} are in a codec that cannot be decoded here" if kind == "video" else "the sound has an unknown codec"
    return f"the file announces {what} but none can be read"


def _video_track(path: str, form: str, scan: _Scan) -> VideoTrack:
    first = scan.first
    known = sorted(pts for pts in scan.pts if pts is not None)
    counted = form in COUNTED_FORMATS or scan.codec in COUNTED_CODECS or len(set(known)) != len(scan.pts) or not known
    time_base = first.time_base or scan.time_base
    if counted:
        pts, time_base = _count_frames(path, scan.index, time_base)
    else:
        pts = np.array(known, np.int64)
    return VideoTrack(
        stream=scan.index,
        codec=scan.codec,
        pixel_format=first.format.name,
        width=first.width,
        height=first.height,
        pixel_aspect=scan.pixel_aspect,
        orientation=orientation_of(first),
        time_base=time_base,
        pts=pts,
        keys=np.zeros(1, np.int64) if counted else np.searchsorted(pts, np.sort(np.array(scan.keys, np.int64))),
        counted=counted,
        alone=scan.alone,
    )


def _count_frames(path: str, index: int, time_base: Fraction) -> tuple[np.ndarray, Fraction]:
    """Timestamps of all frames, and their unit.

    Decoders put frames out in the order of presentation; their sorted timestamps, else the frame rate, give the times.
    """
    with open_media(path) as container:
        stream = container.streams[index]
        stream.thread_type = "AUTO"
        stamps = [frame.pts for frame in frames_of(container, stream)]
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    known = sorted({pts for pts in stamps if pts is not None})
    if len(known) < 2:
        return np.arange(len(stamps), dtype=np.int64), 1 / Fraction(rate)
    step = int(np.median(np.diff(known)))  # frames left in the decoder at the end repeat a timestamp
    known += [known[-1] + step * (extra + 1) for extra in range(len(stamps) - len(known))]
    return np.array(known, np.int64), time_base


def _audio_track(scan: _Scan) -> AudioTrack:
    first = scan.first
    return AudioTrack(scan.index, scan.codec, float((first.pts or 0) * first.time_base))


def _end_s(scan: _Scan, video: VideoTrack) -> float:
    """End of the last frame; packets of some containers know no duration, then the median step stands in for it."""
    if scan.step_s > 0 and not video.counted:
        return scan.end_s
    times_s = video.pts * float(video.time_base)
    return float(times_s[-1] + (np.median(np.diff(times_s)) if len(times_s) > 1 else 0.04))
