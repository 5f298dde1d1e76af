"""File formats of a report, one module each. Adding one = one module and one line here; `save` and the CLI follow."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emoreason.report.schema import ReportData
from emoreason.report.writers.elan import write_eaf
from emoreason.report.writers.html import write_html
from emoreason.report.writers.interchange import write_json
from emoreason.report.writers.options import Options
from emoreason.report.writers.praat import write_textgrid
from emoreason.report.writers.subtitles import write_srt, write_vtt
from emoreason.report.writers.tables import write_csv, write_parquet


@dataclass(frozen=True)
class Writer:
    """`measured`: needs the measurements behind the report, so cannot be made from its JSON alone."""

    filename: str
    write: Callable[[ReportData, Path, Options], None]
    measured: bool = False


WRITERS: dict[str, Writer] = {
    "json": Writer("report.json", write_json),
    "csv": Writer("frames.csv", write_csv, measured=True),
    "parquet": Writer("frames.parquet", write_parquet, measured=True),
    "vtt": Writer("subtitles.vtt", write_vtt),
    "srt": Writer("subtitles.srt", write_srt),
    "eaf": Writer("tiers.eaf", write_eaf),
    "textgrid": Writer("tiers.TextGrid", write_textgrid),
    "html": Writer("report.html", write_html),
}
FORMATS = tuple(WRITERS)
