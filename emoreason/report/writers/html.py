"""The self-contained page."""

from pathlib import Path

from emoreason.report.page import page
from emoreason.report.schema import ReportData
from emoreason.report.writers.options import Options


def write_html(report: ReportData, path: Path, options: Options) -> None:
    """The self-contained page."""
    path.write_text(page(report, key_frames=options.key_frames), encoding="utf-8")
