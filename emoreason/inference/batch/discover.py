"""Which files of a folder are media: nested, links followed without loops, in a stable order, whatever their names hold."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emoreason.errors import ConfigError

VIDEO = "3gp avi flv m2ts m4v mkv mov mp4 mpeg mpg mts mxf ogv ts vob webm wmv"
AUDIO = "aac ac3 aif aiff amr flac m4a m4b mka mp2 mp3 oga ogg opus wav weba wma"
PICTURE = "bmp gif jfif jpeg jpg png tif tiff webp"
MEDIA = frozenset(f".{name}" for name in f"{VIDEO} {AUDIO} {PICTURE}".split())


@dataclass(frozen=True)
class Found:
    """One media file. `path` is relative to the folder, with forward slashes; bytes that are no text are kept as surrogates."""

    path: str
    size: int
    mtime_ns: int


@dataclass
class Walk:
    """What a walk met beside media: files of other kinds are counted, what could not be looked at is listed with its reason."""

    others: int = 0
    unreadable: list[tuple[str, str]] | None = None

    def note(self, path: str, reason: str) -> None:
        self.unreadable = [*(self.unreadable or []), (path, reason)]


def discover(folder: Path, leave_out: Path | None = None, walk: Walk | None = None) -> Iterator[Found]:
    """Media files below `folder` by name, hidden ones and those below `leave_out` (the results) not among them.

    A link to a folder is followed unless that folder is being walked already. Raises ConfigError when `folder` is none or may
    not be read; below it, what may not be read is told to `walk`.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: is {'a file' if folder.exists() else 'not there'}; name a folder of videos")
    walk = walk if walk is not None else Walk()
    avoid = {_identity(leave_out)} if leave_out is not None and leave_out.is_dir() else set()
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be listed ({error.strerror})") from error
    yield from _walk(str(folder), "", (_identity(folder),), avoid, walk)


def _walk(base: str, inside: str, above: tuple[tuple[int, int], ...], avoid: set[tuple[int, int]], walk: Walk) -> Iterator[Found]:
    """`above`: identities of the folders on the way here, which a link must not enter again."""
    try:
        entries = sorted(os.scandir(os.path.join(base, inside) if inside else base), key=lambda entry: entry.name)
    except OSError as error:
        walk.note(inside, error.strerror or type(error).__name__)
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = f"{inside}/{entry.name}" if inside else entry.name
        try:
            status = entry.stat()
            if entry.is_dir():
                here = (status.st_dev, status.st_ino)
                if here not in above and here not in avoid:
                    yield from _walk(base, path, (*above, here), avoid, walk)
            elif entry.is_file() and os.path.splitext(entry.name)[1].lower() in MEDIA:
                yield Found(path, status.st_size, status.st_mtime_ns)
            else:
                walk.others += 1
        except OSError as error:  # a dangling link, or gone since it was listed
            walk.note(path, error.strerror or type(error).__name__)


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def in_shard(path: str, shard: tuple[int, int]) -> bool:
    """Whether shard (i, n), 1-based, takes this path: by the path alone, so that every machine decides alike."""
    number, shards = shard
    return int.from_bytes(hashlib.sha256(os.fsencode(path)).digest()[:8]) % shards == number - 1
