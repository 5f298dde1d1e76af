"""The page of a result: scores with intervals, confusion, reliability, units, what went wrong and the worst samples."""

from emoreason.evaluation.page.document import page

__all__ = ["page"]
