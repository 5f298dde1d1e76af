"""Result files of one clip, by its id. The report is written last: where it lies, everything else of the clip lies, too."""

import hashlib
import os
import shutil
from pathlib import Path

from emoreason.inference.batch.options import Options
from emoreason.report.emotion_report import EmotionReport
from emoreason.report.save import atomically, slug
from emoreason.report.writers import WRITERS
from emoreason.report.writers import Options as WriterOptions

REPORTS, FRAMES, CLIPS = "reports", "frames", "clips"
WAITING = ".waiting"  # measurements that a model has not judged yet
_DIGITS = 12  # of the hash in an id: 48 bits, so that a million clips do not collide


def identity(path: str, sha256: str) -> str:
    """Readable, safe as a file name, the same on every machine, and different for another path or other content."""
    digest = hashlib.sha256(f"{path}\n{sha256}".encode(errors="surrogateescape")).hexdigest()
    return f"{slug(os.path.splitext(path.rpartition('/')[2])[0])}-{digest[:_DIGITS]}"


def report_file(out: Path, name: str) -> Path:
    """Where the report of that id lies, or will."""
    return out / REPORTS / f"{name}.json"


def frames_file(out: Path, name: str) -> Path:
    """One partition of the frame table, in the layout `id=<id>/` that Parquet readers turn into a column."""
    return out / FRAMES / f"id={name}" / "frames.parquet"


def is_written(out: Path, name: str) -> bool:
    """Whether its report is there, and so whole."""
    return report_file(out, name).is_file()


def write(report: EmotionReport, out: Path, name: str, options: Options) -> None:
    """Each file is either whole or not there. Raises OSError where the disk says no."""
    report = report.readable()
    extras = out / CLIPS / name
    if options.formats:
        extras.mkdir(parents=True, exist_ok=True)
    for kind in options.formats:
        _write(report, kind, extras / WRITERS[kind].filename)
    if options.frames:
        frames_file(out, name).parent.mkdir(parents=True, exist_ok=True)
        _write(report, "parquet", frames_file(out, name))
    _write(report, "json", report_file(out, name))


def _write(report: EmotionReport, kind: str, path: Path) -> None:
    with atomically(path) as temporary:
        WRITERS[kind].write(report, temporary, WriterOptions(columns="pyfeat", key_frames=True))


def remove(out: Path, name: str) -> None:
    """All files of one clip, the report first: a kill in between leaves no report without its files."""
    report_file(out, name).unlink(missing_ok=True)
    shutil.rmtree(frames_file(out, name).parent, ignore_errors=True)
    shutil.rmtree(out / CLIPS / name, ignore_errors=True)


def sweep(out: Path) -> None:
    """Remove the temporary files of writers that were killed."""
    left = [path for folder in (REPORTS, FRAMES, CLIPS) for path in (out / folder).rglob(".*.part")]
    for path in [*left, *out.glob(".*.part")]:  # at the top: tables and run.json
        path.unlink(missing_ok=True)
