"""Where a report comes from: the file, the model, the time it took."""

import os
from typing import Literal

from pydantic import Field

from emoreason.report.schema.base import Number, Part


def path_text(path: str) -> str:
    """A path as text: bytes that are none, which Python keeps as lone surrogates, become the replacement mark."""
    return os.fsencode(path).decode(errors="replace")


class Source(Part):
    """The analysed file. Sizes are of the upright picture; `fps` is an average. `path` can be opened; when written it is text."""

    path: str
    sha256: str
    duration_s: Number
    fps: Number | None
    width: int | None
    height: int | None
    has_video: bool
    has_audio: bool


class Runtime(Part):
    """What computed the language model: its name, version and numeric precision."""

    name: Literal["onnx", "torch", "served"]
    version: str | None
    precision: str | None


class ModelInfo(Part):
    """Who judged. `path`: whether soft tokens or text evidence fed the answer."""

    name: str
    revision: str | None = None
    weights_sha256: str | None = None
    config: str | None = None
    path: Literal["soft", "text"] | None = None
    runtime: Runtime | None = Field(None, description="null where no language model ran, or it is not known which way")


class Timings(Part):
    """Seconds spent; 0 for what came from the cache."""

    decode: Number = 0.0
    faces: Number = 0.0
    voice: Number = 0.0
    words: Number = 0.0
    model: Number = 0.0
    total: Number = 0.0
