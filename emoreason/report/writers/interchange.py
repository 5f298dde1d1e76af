"""JSON, the form other programs read."""

from pathlib import Path

from emoreason.report.schema import ReportData
from emoreason.report.writers.options import Options


def write_json(report: ReportData, path: Path, options: Options) -> None:
    """The report itself."""
    path.write_text(report.to_json(indent=1) + "\n", encoding="utf-8")
