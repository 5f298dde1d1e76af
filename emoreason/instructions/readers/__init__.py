"""From the files of a data set to records: one reader per kind of layout, one place that fills in a record."""

from emoreason.instructions.readers.reading import read
from emoreason.instructions.readers.row import Failure

__all__ = ["Failure", "read"]
