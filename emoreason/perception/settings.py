"""What can be asked of perception. Part of the cache key: equal settings on equal bytes give the same Observation."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

Progress = Callable[[str, float, float | None], None]  # stage, seconds done, seconds in all where known


@dataclass(frozen=True)
class PerceptionSettings:
    """Sampling, limits and which parts run."""

    fps: float = 12.0  # face samples per second, never faster than the source
    max_faces: int = 4  # faces followed per frame
    max_side: int = 1280  # longer frames are scaled down before detection; boxes stay in original pixels
    second_pass: bool = True  # look again, enlarged, where the video loop sees no face
    # Pictures that are themselves face crops. True: the caller says so, and where no mesh fits the whole picture is taken as
    # the face, flagged. None: small, nearly square pictures get the closer look, but no face is taken on trust. False: neither.
    cropped_faces: bool | None = None
    voice: bool = True
    words: bool = True
    language: str | None = None  # spoken language; None = detected
    threads: int = 2  # per library

    def to_dict(self) -> dict[str, Any]:
        """For keys and records. `threads` changes nothing that is measured and stands there as its default."""
        return asdict(replace(self, threads=type(self).threads))
