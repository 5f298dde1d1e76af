"""An optional teacher: a language model on an OpenAI-compatible server rephrases composed sentences, and may change no claim.

A sentence is offered only where the grammar reads a claim in it: what nobody can read could change unseen. It is taken over only
if it states the same claims, each with the same evidence id behind it, names the same emotions and adds no more than a few words.
Replies are kept by the hash of what was asked, so that a second run makes the same texts and asks nothing.
"""

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from hashlib import sha256
from pathlib import Path

from emoreason.instructions.answers import Exchange
from emoreason.instructions.record import Sentence
from emoreason.labels.emotions import canonical
from emoreason.model.served import Server
from emoreason.scoring.grammar import parse
from emoreason.scoring.statement import Statement

LONGEST = 1.6  # times the words of the composed sentence
_OWN = ("measured", "composed")  # sentences that people or other models wrote stay as they are
_CITED = re.compile(r"[\[(]([fvw]\d+)[\])]")
_STRANGE = re.compile(r"[<>{}|`\x00-\x1f]")  # what control tokens and markup are made of
_LINE = re.compile(r"^\s*(\d+)[.)]\s+(\S.*?)\s*$", re.MULTILINE)
_ASK = (
    "Rephrase each numbered sentence in plain English, one line per number, in the same order. Keep every person (p1), action "
    "unit (AU12), side, strength, time and quotation, and keep each mark such as [f1] right behind what it stands behind now. "
    "Add nothing and leave nothing out. Reply with the numbered lines only.\n\n"
)


@dataclass(frozen=True)
class Rejected:
    """A rephrasing that was not taken over, and why."""

    sentence: str
    offered: str
    reason: str


class Teacher:
    """Rephrases exchanges through `server`; replies are kept below `folder`, which no other program should write to."""

    def __init__(self, server: Server, folder: Path):
        self.server, self.folder = server, folder

    def rephrase(self, exchange: Exchange) -> tuple[Exchange, list[Rejected]]:
        """The exchange in the teacher's words where they pass (their source is then "model"), in its own where not.

        Raises EnvironmentProblem when the server is needed and fails.
        """
        offered = [one for one in exchange.provenance if one.source in _OWN and parse(one.text)]
        if not offered:
            return exchange, []
        new, rejected = {}, []
        for sentence, text in zip(offered, self._replies(offered), strict=True):
            if reason := objection(sentence.text, text):
                rejected.append(Rejected(sentence.text, text, reason))
            else:
                new[sentence.text] = text
        changed = _with(exchange, new)
        if _told(parse(changed.answer)) != _told(parse(exchange.answer)):  # a pronoun may mean another person in its new place
            rejected += [Rejected(old, text, "together they say something else") for old, text in new.items()]
            return exchange, rejected
        return changed, rejected

    def _replies(self, sentences: Sequence[Sentence]) -> list[str]:
        """One line per sentence; empty where the reply has none."""
        lines = "\n".join(f"{n}. {sentence.text}" for n, sentence in enumerate(sentences, start=1))
        reply = self._reply(_ASK + lines, most_tokens=64 + len(lines))
        found = _LINE.findall(reply)
        if [int(number) for number, _ in found] != list(range(1, len(sentences) + 1)):
            return [""] * len(sentences)
        return [text for _, text in found]

    def _reply(self, asked: str, most_tokens: int) -> str:
        request = {"model": self.server.model, "asked": asked, "most_tokens": most_tokens}
        digest = sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        path = self.folder / digest[:2] / f"{digest}.json"
        if path.is_file():
            return json.loads(path.read_text(encoding="utf-8"))["reply"]
        reply = self.server.chat([{"role": "user", "content": asked}], most_tokens)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".partial", delete=False, encoding="utf-8") as file:
            json.dump({**request, "reply": reply}, file, ensure_ascii=False)
        os.replace(file.name, path)
        return reply


def objection(before: str, after: str) -> str | None:
    """Why `after` may not stand for `before`; None where it may."""
    if not after:
        return "no line of its own"
    if _STRANGE.search(after):
        return "marks that are no plain text"
    if _told(parse(after)) != _told(parse(before)) or _bound(after) != _bound(before):
        return "other claims, or another evidence id behind one"
    if _emotions(after) != _emotions(before):
        return "other emotions"
    if len(after.split()) > LONGEST * len(before.split()):
        return "more words than a rephrasing needs"
    return None


def _told(statements: Sequence[Statement]) -> Counter:
    """What is claimed, wherever in a text."""
    return Counter(astuple(replace(statement, text="", start=0, end=0)) for statement in statements)


def _bound(text: str) -> Counter:
    """(the claim that ends last before a cited id, that id) of each citation."""
    statements = parse(text)
    bound = []
    for cited in _CITED.finditer(text):
        before = [statement for statement in statements if statement.end <= cited.start()]
        last = max(before, key=lambda statement: statement.end, default=None)
        bound.append((last and astuple(replace(last, text="", start=0, end=0)), cited[1]))
    return Counter(bound)


def _emotions(text: str) -> Counter:
    named = (canonical(word) for word in re.findall(r"[a-z]+", text.lower()))
    return Counter(emotion for emotion in named if emotion)


def _with(exchange: Exchange, new: Mapping[str, str]) -> Exchange:
    """The exchange with sentences replaced, in its answer and in its provenance."""
    answer, provenance = exchange.answer, []
    for sentence in exchange.provenance:
        text = new.get(sentence.text)
        answer = answer if text is None else answer.replace(sentence.text, text, 1)
        provenance.append(sentence if text is None else Sentence(text=text, source="model"))
    return exchange._replace(answer=answer, provenance=tuple(provenance))
