"""Text from outside (transcripts, file names) made fit for line- and XML-based formats."""

import unicodedata


def plain(text: str) -> str:
    """One line without control characters, lone surrogates and non-characters, which XML and subtitles cannot hold."""
    kept = "".join(" " if c.isspace() or unicodedata.category(c) == "Cc" else c for c in text)
    return " ".join("".join(c for c in kept if not _forbidden(c)).split())


def _forbidden(character: str) -> bool:
    return unicodedata.category(character) == "Cs" or ord(character) & 0xFFFE == 0xFFFE
