"""The frame table as CSV and Parquet, written chunk by chunk: memory does not grow with the clip."""

from pathlib import Path

from emoreason.report.schema import ReportData
from emoreason.report.table import chunks, schema
from emoreason.report.writers.options import Options


def write_csv(report: ReportData, path: Path, options: Options) -> None:
    """The frame table as text."""
    from pyarrow import csv

    with csv.CSVWriter(path, schema(options.columns)) as writer:
        for chunk in chunks(report, options.columns):
            writer.write_table(chunk)


def write_parquet(report: ReportData, path: Path, options: Options) -> None:
    """The meaning of each column is in the metadata of its field."""
    from pyarrow import parquet

    with parquet.ParquetWriter(path, schema(options.columns), compression="zstd") as writer:
        for chunk in chunks(report, options.columns):
            writer.write_table(chunk)
