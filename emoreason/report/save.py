"""Writes a report to disk: one folder per analysed file, one file per format, each either whole or not there."""

import hashlib
import os
import secrets
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from emoreason.report.schema import ReportData
from emoreason.report.table import columns as known_columns
from emoreason.report.writers import WRITERS, Options

_SLUG_BYTES = 120  # of UTF-8; file systems end at 255 and the hash and a temporary suffix need room


def save(
    report: ReportData,
    directory: str | Path,
    formats: Sequence[str] = ("json", "html"),
    columns: str = "pyfeat",
    key_frames: bool = True,
) -> list[Path]:
    """Write `directory`/<stable id>/report.json and friends; returns the paths in the order of `formats`.

    formats: names of `emoreason.report.writers.WRITERS`, as a sequence or one comma-separated string.
    columns: vocabulary of csv and parquet, `pyfeat` or `openface`. key_frames: pictures in the html page.
    Raises ValueError for an unknown format or vocabulary, or for a table of a report without measurements, before anything
    is written; OSError where the disk says no.
    """
    names = list(dict.fromkeys(formats.replace(" ", "").split(",") if isinstance(formats, str) else formats))
    unknown = [name for name in names if name not in WRITERS]
    if unknown:
        raise ValueError(f"unknown format {', '.join(map(repr, unknown))}: known are {', '.join(WRITERS)}")
    known_columns(columns)
    if any(WRITERS[name].measured for name in names):
        report.observation  # noqa: B018  raises with the reason
    folder = Path(directory) / stable_id(report)
    folder.mkdir(parents=True, exist_ok=True)
    options, written = Options(columns=columns, key_frames=key_frames), report.readable()
    paths = []
    for name in names:
        path = folder / WRITERS[name].filename
        with atomically(path) as temporary:
            WRITERS[name].write(written, temporary, options)
        paths.append(path)
    return paths


def stable_id(report: ReportData) -> str:
    """Folder name of a report: readable, safe, and different for two files of one name or one path with new content."""
    path = unicodedata.normalize("NFC", os.path.abspath(report.source.path))
    digest = hashlib.sha256(f"{path}\n{report.source.sha256}".encode(errors="surrogatepass")).hexdigest()
    return f"{slug(Path(path).stem)}-{digest[:8]}"


def slug(stem: str) -> str:
    """Letters, marks and digits of any script, '_' and '-'; everything else becomes a single '-'. Never empty."""
    kept = "".join(c if c in "_-" or unicodedata.category(c)[0] in "LMN" else " " for c in stem)
    slug = "-".join(kept.split()).strip("-")
    return slug.encode()[:_SLUG_BYTES].decode(errors="ignore").strip("-") or "clip"


@contextmanager
def atomically(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; flushed to disk and renamed on success, removed on failure."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
