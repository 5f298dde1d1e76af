"""A lazy handle on one media file; everything is asked for in seconds."""

from emoreason.media.clip import Clip, Frame
from emoreason.media.errors import (
    MediaError,
    MissingFile,
    NoAudio,
    NoFrames,
    NotAFile,
    NotMedia,
    NoVideo,
    TooLarge,
    TruncatedFile,
    UnsupportedCodec,
)
from emoreason.media.sequence import FrameSequence
from emoreason.media.source import Source

__all__ = [
    "Clip",
    "Frame",
    "FrameSequence",
    "MediaError",
    "MissingFile",
    "NoAudio",
    "NoFrames",
    "NoVideo",
    "NotAFile",
    "NotMedia",
    "Source",
    "TooLarge",
    "TruncatedFile",
    "UnsupportedCodec",
]
