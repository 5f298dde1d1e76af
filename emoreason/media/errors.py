"""What can be wrong with a media file. Every message names the file, what was found and what to do."""

from emoreason.errors import EmoReasonError


class MediaError(EmoReasonError):
    """Base of all media errors."""


class MissingFile(MediaError):
    """There is no such file, or it may not be read."""


class NotAFile(MediaError):
    """The path is a directory or a device."""


class NotMedia(MediaError):
    """The content is neither video, picture nor sound."""


class TruncatedFile(MediaError):
    """The file breaks off before anything in it can be read."""


class UnsupportedCodec(MediaError):
    """The file is media, but no decoder here can read it."""


class NoFrames(MediaError):
    """The file announces pictures or sound, but holds not a single readable one."""


class TooLarge(MediaError):
    """The picture has more pixels than may be loaded safely."""


class NoVideo(MediaError):
    """Pictures were asked for, but the file has none."""


class NoAudio(MediaError):
    """Sound was asked for, but the file has none."""
