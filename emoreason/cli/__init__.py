"""The command line; `main` reads it, every other module is one group of commands."""

from emoreason.cli.analyze import COLUMNS, FORMATS
from emoreason.cli.main import app, main, run
from emoreason.cli.shared import INPUT_FAILED, USAGE

__all__ = ["COLUMNS", "FORMATS", "INPUT_FAILED", "USAGE", "app", "main", "run"]
