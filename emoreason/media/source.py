"""What is known of a media file before anything is decoded."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Source:
    """The media file. `fps` is the average rate and informative only: times come from presentation timestamps."""

    path: str
    sha256: str
    duration_s: float
    fps: float | None
    width: int | None
    height: int | None
    has_video: bool
    has_audio: bool
    kind: Literal["video", "picture", "audio"]
