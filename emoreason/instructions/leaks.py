"""Leaks: what occurs in more than one split, by group (subject, speaker, dialogue), by content of the media, and by text."""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from hashlib import sha256
from itertools import combinations
from pathlib import Path

from emoreason.errors import ConfigError
from emoreason.instructions.recipe import Leaks
from emoreason.instructions.record import Record

Progress = Callable[[str, float, float | None], None]
LEAST_WORDS, LEAST_BYTES = 5, 24  # what has less of both ("Oh my God!") is everybody's; a Chinese character has three bytes
_APOSTROPHES = re.compile("[’‘`´\x91\x92]")  # the last two: Windows characters read as Latin-1, as MELD has them
_WORDS, _LETTERS = re.compile(r"[^\W_]+"), re.compile(r"[^\W_]+|(?<=\w) ?' ?(?=\w)")  # "do n't", "I ' m": as corpora cut them


@dataclass(frozen=True)
class Leak:
    """`what` is shared by the records `ids`, which are in `splits`."""

    kind: str  # group or media
    what: str
    splits: tuple[str, ...]
    ids: tuple[str, ...]


def media_paths(record: Record) -> list[str]:
    """All files of a record, relative to the root of its set."""
    media = record.media
    return [path for path in (media.image, media.video, media.audio, *media.frames) if path] if media else []


def hash_media(records: Iterable[Record], root: Path, progress: Progress | None = None) -> dict[str, str]:
    """Path -> hash of its bytes, of the files that are there."""
    paths = sorted({path for record in records for path in media_paths(record)})
    hashes = {}
    for count, path in enumerate(paths, 1):
        if progress and count % 200 == 0:
            progress("comparing media", count, len(paths))
        if (root / path).is_file():
            with open(root / path, "rb") as file:
                hashes[path] = _digest(file)
    return hashes


def _digest(file) -> str:
    total = sha256()
    while block := file.read(1 << 20):
        total.update(block)
    return total.hexdigest()


def find_leaks(records: list[Record], hashes: dict[str, str]) -> list[Leak]:
    """Groups and media that occur in several splits."""
    by_group: dict[str, list[Record]] = {}
    by_media: dict[str, list[Record]] = {}
    for record in records:
        by_group.setdefault(record.group, []).append(record)
        for content in contents(record, hashes):
            by_media.setdefault(content, []).append(record)
    return _across("group", by_group) + _across("media", by_media)


def contents(record: Record, hashes: dict[str, str]) -> set[str]:
    """What the record shows. A span is a piece of its file, and two pieces are not the same content."""
    span = f"@{record.span.start_s}-{record.span.end_s}" if record.span else ""
    return {hashes[path] + span for path in media_paths(record) if path in hashes}


def _across(kind: str, shared: dict[str, list[Record]]) -> list[Leak]:
    leaks = []
    for what, records in shared.items():
        splits = tuple(sorted({record.split for record in records}))
        if len(splits) > 1:
            leaks.append(Leak(kind, what, splits, tuple(record.id for record in records)))
    return leaks


def apply_rule(records: list[Record], hashes: dict[str, str], rule: Leaks | None) -> tuple[list[Record], list[Record]]:
    """(kept, dropped): of media that occur in several splits, only the records of the split the rule names first stay."""
    if rule is None or rule.identical_media is None:
        return records, []
    order = {split: place for place, split in enumerate(rule.identical_media)}
    strange = sorted({record.split for record in records} - set(order))
    if strange:
        raise ConfigError(f"the rule `leaks.identical_media` does not name the split '{strange[0]}'")
    best: dict[str, int] = {}
    for record in records:
        for content in contents(record, hashes):
            best[content] = min(best.get(content, len(order)), order[record.split])
    kept, dropped = [], []
    for record in records:
        mine = order[record.split]
        (kept if all(best[content] == mine for content in contents(record, hashes)) else dropped).append(record)
    return kept, dropped


# texts


@dataclass(frozen=True)
class SharedText:
    """`count` passages are in split `here` of one data set and in the different split `there` of another; `share` is theirs of
    the smaller of the two. `example` is one of them as first found."""

    here: tuple[str, str]
    there: tuple[str, str]
    count: int
    share: float
    example: str


def passages(record: Record) -> dict[str, str]:
    """What is said in a record and its dialogue, and its explanation: letters, digits and apostrophes alone -> as written.
    Editions of one text differ in case, spaces and marks. Sentences that a corpus has its speakers act are no passages: everybody
    says them."""
    acted = record.media is not None and not record.turns
    texts = [turn.text for turn in record.turns] + [sentence.text for sentence in record.explanation]
    found = {}
    for text in [*texts, "" if acted else record.transcript or ""]:
        lower = _APOSTROPHES.sub("'", unicodedata.normalize("NFKC", text).lower())
        plain = "".join(_LETTERS.findall(lower)).replace(" ", "")
        if len(_WORDS.findall(lower)) >= LEAST_WORDS or len(plain.encode()) >= LEAST_BYTES:
            found[plain] = text
    return found


def without_texts_of(records: Iterable[Record], held_apart: Collection[str]) -> tuple[list[Record], list[Record]]:
    """(kept, dropped): a record goes when any of its passages is among those `held_apart`, whatever set they are from."""
    kept, dropped = [], []
    for record in records:
        (dropped if any(plain in held_apart for plain in passages(record)) else kept).append(record)
    return kept, dropped


def shared_texts(records: Iterable[Record]) -> list[SharedText]:
    """Passages that different data sets hold in different splits, for each such pair of splits."""
    texts: dict[tuple[str, str], dict[str, str]] = {}
    for record in records:
        texts.setdefault((record.dataset, record.split), {}).update(passages(record))
    found = []
    for here, there in combinations(sorted(texts), 2):
        if here[0] != there[0] and here[1] != there[1] and (both := sorted(texts[here].keys() & texts[there].keys())):
            share = len(both) / min(len(texts[here]), len(texts[there]))
            found.append(SharedText(here, there, len(both), share, texts[here][both[0]]))
    return found
