"""Opening a container and decoding what it holds, past damage: PyAV's ways, for probe, readers and audio."""

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData

from emoreason.media.errors import MissingFile, NotAFile, NotMedia, TruncatedFile

UPRIGHT = (1, 0, 0, 1)
OnDamage = Callable[[float], None]  # told the second, on the file's own clock, of a packet that cannot be decoded
NOT_VIDEO = {"tty", "image2", "image2pipe"}  # demuxers that take text or single images for film
HEADS = {b"ftyp": 4, b"mdat": 4, b"moov": 4, b"\x1aE\xdf\xa3": 0, b"RIFF": 0, b"OggS": 0, b"fLaC": 0, b"ID3": 0, b"FLV": 0}


def check_file(path: str) -> None:
    """Raises MissingFile or NotAFile."""
    file = Path(path)
    if not file.exists():
        raise MissingFile(f"{path}: there is no such file")
    if not file.is_file():
        raise NotAFile(f"{path}: is a {'directory' if file.is_dir() else 'device'}, not a media file")
    try:
        file.open("rb").close()
    except OSError as error:
        raise MissingFile(f"{path}: cannot be opened ({error.strerror})") from error


def open_media(path: str) -> av.container.InputContainer:
    """An open container; close it. Only local files are followed, whatever the content asks for.

    Raises NotMedia or TruncatedFile.
    """
    # the absolute path keeps a name such as "concat:a.mp4" from being read as a protocol
    name, options = str(Path(path).absolute()), {"protocol_whitelist": "file"}
    try:
        container = av.open(name, options=options, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        with open(path, "rb") as file:
            head = file.read(16)
        if any(head[at : at + len(mark)] == mark for mark, at in HEADS.items()):
            raise TruncatedFile(f"{path}: its index is cut off or damaged, nothing in it can be read; copy it again") from error
        what = "is empty" if not head else "is neither video, picture nor sound"
        raise NotMedia(f"{path}: {what}") from error
    if container.format.name in NOT_VIDEO or not (container.streams.video or container.streams.audio):
        container.close()
        raise NotMedia(f"{path}: is neither video, picture nor sound (read as '{container.format.long_name}')")
    return container


def shown_stream(container: av.container.InputContainer, kind: str) -> av.stream.Stream | None:
    """The stream a player would show. Cover art is no video."""
    streams = [s for s in container.streams if s.type == kind and not s.disposition & av.stream.Disposition.attached_pic]
    best = container.streams.best(kind)
    return best if best in streams else (streams[0] if streams else None)


def packets_of(container: av.container.InputContainer, *streams: av.stream.Stream) -> Iterator[av.Packet]:
    """Packets of the streams, in file order, then an empty one for each. Raises FFmpegError where the file breaks off."""
    packets = container.demux(*streams)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except IndexError:  # PyAV 18.1: a packet of a stream that begins later in the file (MPEG-TS), which is not ours
            packets = container.demux(*streams)
        else:
            yield packet


def decoded(packet: av.Packet) -> tuple[list, bool]:
    """Frames of one packet and whether it was damaged: a decoder's error costs this packet, not the file."""
    try:
        return packet.decode(), False
    except av.error.EOFError:
        return [], False
    except av.error.FFmpegError:
        return [], True


def frames_of(
    container: av.container.InputContainer, stream: av.stream.Stream, on_damage: OnDamage | None = None
) -> Iterator[av.VideoFrame | av.AudioFrame]:
    """Decoded frames from the container's position on, past damaged packets (each reported as on_damage(seconds))."""
    try:
        for packet in packets_of(container, stream):
            if packet.is_corrupt:
                continue
            frames, damaged = decoded(packet)
            if damaged and on_damage and packet.pts is not None:
                on_damage(float(packet.pts * packet.time_base))
            yield from frames
    except av.error.FFmpegError:
        return  # the probe has already recorded that the container breaks off


def orientation_of(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    """Signs of the display matrix, UPRIGHT without one. Slanted matrices are rounded to the nearest quarter turn."""
    data = next((item for item in frame.side_data if item.type == SideData.DISPLAYMATRIX), None)
    if data is None:
        return UPRIGHT
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
    if abs(a) >= abs(b):
        return (-1 if a < 0 else 1, 0, 0, -1 if d < 0 else 1)
    return (0, -1 if b < 0 else 1, -1 if c < 0 else 1, 0)
