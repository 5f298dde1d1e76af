"""Praat TextGrid."""

from pathlib import Path

from praatio import textgrid
from praatio.utilities.constants import Interval

from emoreason.report.schema import ReportData
from emoreason.report.writers.options import Options
from emoreason.report.writers.tiers import end_of, tiers_of


def write_textgrid(report: ReportData, path: Path, options: Options) -> None:
    """One interval tier per row of `tiers_of`; a report without any gets one empty tier, as Praat opens no empty grid."""
    end_s = end_of(report)
    grid = textgrid.Textgrid(0.0, end_s)
    for tier in tiers_of(report):
        spans = [Interval(span.start_s, span.end_s, span.text) for span in tier.intervals]
        grid.addTier(textgrid.IntervalTier(tier.name, spans, 0.0, end_s))
    if not len(grid):
        grid.addTier(textgrid.IntervalTier("verdict", [], 0.0, end_s))
    # minimumIntervalLength=None: praatio would merge very short intervals into their neighbours, without their text.
    grid.save(str(path), "long_textgrid", includeBlankSpaces=True, minimumIntervalLength=None, reportingMode="error")
