"""The version of the package, in a file that imports nothing: whoever needs it need not import the package's front."""

__version__ = "0.1.0"
