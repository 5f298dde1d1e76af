"""Rows made from conversations, in the layouts the field publishes them in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from emoreason.errors import ConfigError
from emoreason.instructions.readers.row import Failure, Row, fill, seconds
from emoreason.instructions.readers.tables import delimited, load_json, read_text, table_files
from emoreason.instructions.recipe import Dialogue
from emoreason.instructions.record import Cause, Turn

_TIMES = re.compile(r"(\d+:\d+:\d+[.,]\d+)\s*-\s*(\d+:\d+:\d+[.,]\d+)")


@dataclass
class Conversation:
    """`extra` holds, for each turn, the other columns of the file."""

    id: str
    place: str
    turns: list[Turn] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    extra: list[dict[str, str]] = field(default_factory=list)


def dialogue_rows(reader: Dialogue, root: Path, dataset: str) -> Iterator[Row | Failure]:
    """A row per utterance or per conversation."""
    for found in table_files(root, reader.tables, dataset):
        if isinstance(found, Failure):
            yield found
            continue
        split, path = found
        for talk in _conversations(path, reader):
            if isinstance(talk, str):
                yield Failure(dataset, path.relative_to(root).as_posix(), talk)
            elif reader.each == "dialogue":
                yield Row(talk.place, {"split": split, "dialogue": talk.id}, talk.turns, talk.causes)
            else:
                yield from _each_turn(talk, split)


def _conversations(path: Path, reader: Dialogue) -> Iterator[Conversation | str]:
    try:
        yield from _LAYOUTS[reader.layout](path, reader)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ConfigError(f"{path}: not in the layout '{reader.layout}' ({reason}); see the recipe's layout") from error


def _each_turn(talk: Conversation, split: str) -> Iterator[Row]:
    for index, turn in enumerate(talk.turns):
        named = {key: "" if value is None else str(value) for key, value in turn.model_dump(include=_NAMED).items()}
        columns = {"split": split, "dialogue": talk.id, "index": str(index), **named}
        columns |= {"start": _text(turn.start_s), "end": _text(turn.end_s)}
        extra = talk.extra[index] if talk.extra else {}
        causes = [cause for cause in talk.causes if cause.effect == index]
        yield Row(f"{talk.place}, turn {index}", extra | columns, talk.turns, causes, index)


_NAMED = {"text", "speaker", "emotion"}


def _text(value: float | None) -> str:
    return "" if value is None else str(value)


def _from_table(path: Path, reader: Dialogue) -> Iterator[Conversation | str]:
    """Rows of one conversation may be scattered; they are ordered by `index` where the file has one."""
    names = reader.columns
    if "dialogue" not in names or "text" not in names:
        raise ConfigError("a dialogue table needs `reader.columns` with at least `dialogue` and `text`")
    groups: dict[str, list[tuple[int, dict[str, str]]]] = {}
    for number, cells in delimited(path, None, reader.delimiter, True, reader.encoding):
        if isinstance(cells, str):
            yield f"line {number}: {cells}"
            continue
        groups.setdefault(fill(names["dialogue"], cells), []).append((number, cells))
    for dialogue, rows in groups.items():
        if "index" in names:
            rows.sort(key=lambda row: float(fill(names["index"], row[1])))
        try:
            turns = [_turn_of(cells, names) for _, cells in rows]
        except ValueError as error:
            yield f"dialogue {dialogue}: {error}"
            continue
        yield Conversation(dialogue, f"{path.name}:{rows[0][0]}", turns, extra=[cells for _, cells in rows])


def _turn_of(cells: dict[str, str], names: dict[str, str]) -> Turn:
    value = {key: fill(template, cells) or None for key, template in names.items()}
    times = {f"{key}_s": seconds(value[key]) for key in ("start", "end") if value.get(key)}
    return Turn(text=value["text"] or "", speaker=value.get("speaker"), emotion=value.get("emotion"), **times)


def _from_ecf(path: Path, reader: Dialogue) -> Iterator[Conversation | str]:
    """ECF 1: a line `id length`, a line of (effect,cause) pairs counted from 1, then one line per utterance."""
    lines = iter(read_text(path, reader.encoding).split("\n"))
    for head in lines:
        if not head.strip():
            continue
        dialogue, length = head.split()
        pairs = re.findall(r"\((\d+),\s*(\d+)\)", next(lines, ""))
        cells = [[cell.strip() for cell in line.split("|", 4)] for line in islice(lines, int(length))]
        if len(cells) < int(length) or any(len(row) != 5 for row in cells):
            yield f"conversation {dialogue}: not {length} lines of `number | speaker | emotion | text | source`"
            continue
        talk = Conversation(dialogue, f"{path.name}, conversation {dialogue}")
        for _, speaker, emotion, text, source in cells:
            times = _TIMES.search(source)
            start, end = (seconds(time) for time in times.groups()) if times else (None, None)
            talk.turns.append(Turn(text=text, speaker=speaker, emotion=emotion, start_s=start, end_s=end))
        talk.causes = [_cause(talk.turns, int(effect) - 1, int(cause) - 1) for effect, cause in pairs]
        yield talk


def _cause(turns: list[Turn], effect: int, cause: int, span: str | None = None) -> Cause:
    return Cause(effect=effect, cause=cause, emotion=turns[effect].emotion if effect < len(turns) else None, span=span)


def _from_ecf_json(path: Path, reader: Dialogue) -> Iterator[Conversation | str]:
    """ECF 2: pairs such as ["3_surprise", "1"], or with the causing words: ["3_surprise", "1_some words"]."""
    for item in load_json(path):
        name = str(item["conversation_ID"])
        heard = item["conversation"]
        turns = [Turn(text=turn["text"], speaker=turn.get("speaker"), emotion=turn.get("emotion")) for turn in heard]
        extra = [{"video_name": str(turn.get("video_name", ""))} for turn in heard]
        talk = Conversation(name, f"{path.name}, conversation {name}", turns, extra=extra)
        for effect, cause in item.get("emotion-cause_pairs", []):
            number, _, span = cause.partition("_")
            talk.causes.append(_cause(turns, int(effect.partition("_")[0]) - 1, int(number) - 1, span or None))
        yield talk


def _from_reccon(path: Path, reader: Dialogue) -> Iterator[Conversation | str]:
    """RECCON: each turn lists the turns that cause it ("b": something not said), with one span for each."""
    for name, (heard, *_) in load_json(path).items():
        turns = [Turn(text=turn["utterance"], speaker=turn.get("speaker"), emotion=turn.get("emotion")) for turn in heard]
        talk = Conversation(name, f"{path.name}, {name}", turns, extra=[{} for _ in turns])
        for effect, turn in enumerate(heard):
            numbers = turn.get("expanded emotion cause evidence", [])
            spans = turn.get("expanded emotion cause span", [])
            for place, number in enumerate(numbers):
                if isinstance(number, int) and 0 < number <= len(turns):
                    span = spans[place] if len(spans) == len(numbers) else None
                    talk.causes.append(_cause(turns, effect, number - 1, span))
        yield talk


def _from_emory(path: Path, reader: Dialogue) -> Iterator[Conversation | str]:
    """EmoryNLP: episodes, scenes, utterances; a scene is a conversation."""
    for episode in load_json(path)["episodes"]:
        for scene in episode["scenes"]:
            turns = [
                Turn(text=turn["transcript"], speaker=", ".join(turn["speakers"]) or None, emotion=turn["emotion"])
                for turn in scene["utterances"]
            ]
            yield Conversation(scene["scene_id"], f"{path.name}, {scene['scene_id']}", turns)


_LAYOUTS = {"table": _from_table, "ecf": _from_ecf, "ecf_json": _from_ecf_json, "reccon": _from_reccon, "emory": _from_emory}
