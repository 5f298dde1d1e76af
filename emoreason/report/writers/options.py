"""What can be chosen about the files written."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """columns: vocabulary of the frame tables. key_frames: pictures of the clip in the html page."""

    columns: str = "pyfeat"
    key_frames: bool = True
