"""Conversations in the line formats of other trainers, both ways: ms-swift (messages) and LLaMA-Factory (ShareGPT).

Other trainers have no tokens for faces and voices: they are given the files, and what was measured as lines of text.
"""

import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from emoreason.errors import ConfigError
from emoreason.instructions import conversation
from emoreason.instructions.answers import Exchange
from emoreason.instructions.collator import Source
from emoreason.instructions.observe_all import Roots, clip_jobs, find
from emoreason.perception.store import ObservationStore

Format = Literal["ms-swift", "llama-factory"]
Role = Literal["system", "user", "assistant"]

_KINDS = {"images": "<image>", "videos": "<video>", "audios": "<audio>"}
_FROM = {"system": "system", "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant"}
_TO = {"user": "human", "assistant": "gpt"}


@dataclass(frozen=True)
class Message:
    """`text` holds one `<image>`, `<video>` or `<audio>` for each medium it speaks about, in order."""

    role: Role
    text: str


@dataclass(frozen=True)
class Conversation:
    """A system message, if any, then user and assistant in turn."""

    messages: list[Message]
    images: list[str] = field(default_factory=list)
    videos: list[str] = field(default_factory=list)
    audios: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        roles = [message.role for message in self.messages]
        spoken = roles[1:] if roles[:1] == ["system"] else roles
        if not spoken or len(spoken) % 2 or spoken != ["user", "assistant"] * (len(spoken) // 2):
            heard = ", ".join(roles) or "nothing"
            raise ValueError(f"user and assistant must take turns, the assistant last, not: {heard}")
        for kind, mark in _KINDS.items():
            marks, files = sum(message.text.count(mark) for message in self.messages), len(getattr(self, kind))
            if marks != files:
                raise ValueError(f"{marks} {mark} in the text, but {files} {kind}")


def conversations_of(
    source: Source, store: ObservationStore, seed: int = 0, reword: Callable[[Exchange], Exchange] = lambda exchange: exchange
) -> Iterator[tuple[str, Conversation | None]]:
    """(split, conversation) of each record; None where its media were not observed or nothing can be asked about it.

    reword: a teacher's way of putting the answers.
    """
    for record in source.records:
        seen = find(record, source.roots, store, source.words)
        talk = None
        if seen is not None or record.media is None:
            rng = random.Random(f"{seed} {record.id}")
            talk = conversation.converse(record, seen, source.tasks_for(record), rng, source.questions)
        if talk is None:
            yield record.split, None
        else:
            yield record.split, exported(replace(talk, exchanges=tuple(map(reword, talk.exchanges))), source.roots)


def exported(talk: conversation.Conversation, roots: Roots) -> Conversation:
    """With whole paths of its files, each named by a mark before the first question."""
    media: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    for job in clip_jobs(talk.record, roots):
        clip = job.clip()
        kind = "images" if job.frames or clip.kind == "picture" else "videos" if clip.has_video else "audios"
        media[kind] += [str(Path(path).resolve()) for path in job.frames or (job.path,)]
    first, *rest = (Message(message.role, message.content) for message in talk.messages())
    marks = "".join(mark * len(media[kind]) for kind, mark in _KINDS.items())
    return Conversation([Message(first.role, f"{marks}{first.text}"), *rest], **media)


def write_conversations(conversations: Iterable[Conversation], path: Path, format: Format) -> int:
    """One line each; returns how many."""
    count = 0
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for count, conversation in enumerate(conversations, 1):  # noqa: B007
            file.write(json.dumps(_pack(conversation, format), ensure_ascii=False) + "\n")
    return count


def read_conversations(path: Path) -> Iterator[Conversation]:
    """Lines of either format, told apart by their keys; ConfigError names the line."""
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield _unpack(json.loads(line))
                except (ValueError, KeyError, TypeError) as error:
                    raise ConfigError(f"{path}:{number}: not a conversation ({error})") from error


def _pack(conversation: Conversation, format: Format) -> dict:
    media = {kind: getattr(conversation, kind) for kind in _KINDS if getattr(conversation, kind)}
    if format == "ms-swift":
        return {"messages": [{"role": m.role, "content": m.text} for m in conversation.messages], **media}
    if format != "llama-factory":
        raise ConfigError(f"no format '{format}': ms-swift or llama-factory")
    packed = {"conversations": [{"from": _TO[m.role], "value": m.text} for m in conversation.messages if m.role != "system"]}
    if conversation.messages[0].role == "system":
        packed["system"] = conversation.messages[0].text
    return packed | media


def _unpack(line: dict) -> Conversation:
    if "messages" in line:
        messages = [Message(_role(m["role"]), m["content"]) for m in line["messages"]]
    elif "conversations" in line:
        messages = [Message(_role(m["from"]), m["value"]) for m in line["conversations"]]
        messages = [Message("system", line["system"]), *messages] if line.get("system") else messages
    else:
        raise ValueError(f"neither 'messages' nor 'conversations' among its keys: {', '.join(line)}")
    return Conversation(messages, **{kind: _paths(line, kind) for kind in _KINDS})


def _role(name: str) -> Role:
    if name not in _FROM:
        raise ValueError(f"role '{name}': {', '.join(_FROM)}")
    return _FROM[name]


def _paths(line: dict, kind: str) -> list[str]:
    """LLaVA writes one path under the singular."""
    value = line.get(kind) or line.get(kind[:-1]) or []
    return [value] if isinstance(value, str) else list(value)
