"""The report that users hold: the data, and what can be made of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from emoreason.report.save import save
from emoreason.report.schema import ReportData
from emoreason.report.table import frames
from emoreason.report.writers import WRITERS

if TYPE_CHECKING:
    import pandas as pd


class EmotionReport(ReportData):
    """One analysed file. `to_json()` is the interchange form; `frames()` and `save()` add tables and pages."""

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a saved report.json, or the one in the folder that `save` made; it carries no measurements.

        Raises FileNotFoundError where there is none, ValueError naming the file that is not a report of a version that is read.
        """
        file = Path(path)
        if file.is_dir():
            file = file / WRITERS["json"].filename
        if not file.is_file():
            raise FileNotFoundError(f"{file}: no such file; name a report.json or the folder that holds it")
        try:
            return cls.from_json(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error

    def frames(self, columns: str = "pyfeat") -> "pd.DataFrame":
        """One row per face and sampled frame; see `report.table`. Raises ValueError without measurements."""
        return frames(self, columns)

    def save(
        self, directory: str | Path, formats: Sequence[str] = ("json", "html"), columns: str = "pyfeat", key_frames: bool = True
    ) -> list[Path]:
        """Write the report below `directory`; see `report.save.save`."""
        return save(self, directory, formats, columns, key_frames)
