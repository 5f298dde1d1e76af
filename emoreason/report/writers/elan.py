"""ELAN annotation file (.eaf)."""

import mimetypes
from pathlib import Path

from pympi import Elan

from emoreason.report.schema import ReportData
from emoreason.report.writers.options import Options
from emoreason.report.writers.text import plain
from emoreason.report.writers.tiers import tiers_of


def write_eaf(report: ReportData, path: Path, options: Options) -> None:
    """One tier per row of `tiers_of`, linked to the media file."""
    document = Elan.Eaf(author=plain(f"emoreason {report.model.name}"))
    document.remove_tier("default")
    kind = mimetypes.guess_type(report.source.path)[0] or "application/octet-stream"
    document.add_linked_file(Path(report.source.path).absolute().as_uri(), mimetype=kind)
    for tier in tiers_of(report):
        document.add_tier(tier.name, part=tier.participant)
        for span in tier.intervals:
            document.add_annotation(tier.name, round(1000 * span.start_s), round(1000 * span.end_s), span.text)
    Elan.to_eaf(path, document)
