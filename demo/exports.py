"""Files to take away: the report in every format, all of them zipped, and the video with its faces blurred."""

import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from emoreason.report.emotion_report import EmotionReport
from emoreason.report.writers import FORMATS as WRITTEN

from .blur import blurred_copy

FORMATS = (*WRITTEN, "zip of all")


def export(report: EmotionReport, wanted: Sequence[str], blurred: bool, cache: Path) -> list[Path]:
    """Write into a folder of its own below `cache`. Raises ValueError for an unknown format, OSError, MediaError."""
    if unknown := [name for name in wanted if name not in FORMATS]:
        raise ValueError(f"no format '{unknown[0]}'; known: {', '.join(FORMATS)}")
    if not wanted and not blurred:
        raise ValueError("choose at least one kind of file")
    cache.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="files-", dir=cache))
    everything = FORMATS[-1] in wanted
    paths = report.save(folder, formats=WRITTEN if everything else wanted) if wanted else []
    if blurred:
        paths.append(blurred_copy(report.observation, folder / "faces_blurred.mp4"))
    if everything:
        archive = folder / "emoreason.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
            for path in paths:
                opened.write(path, path.name)
        paths = [archive, *(path for path in paths if path.suffix == ".mp4" or WRITTEN_NAMES.get(path.name) in wanted)]
    return paths


def _names() -> dict[str, str]:
    from emoreason.report.writers import WRITERS

    return {writer.filename: name for name, writer in WRITERS.items()}


WRITTEN_NAMES = _names()
