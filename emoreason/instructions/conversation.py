"""Conversation: everything that is asked about one record, as chat messages with the spans to be learned and their provenance."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from emoreason.instructions import tasks as ask
from emoreason.instructions.answers import Exchange
from emoreason.instructions.record import Record, Sentence
from emoreason.instructions.tasks import Task
from emoreason.model.prompt import Evidence, Layout, evidence, user_text
from emoreason.model.segment_input import BEFORE, MIN_SPEECH_S, persons_in, spoken
from emoreason.perception.cues import cues
from emoreason.perception.observation import Observation
from emoreason.perception.segments import Segment

MOST_PERSONS = 4


@dataclass(frozen=True)
class Message:
    """One chat message. Loss is on `supervised` ones only; `provenance` lists the sentences of an answer in order."""

    role: Literal["user", "assistant"]
    content: str
    provenance: tuple[Sentence, ...] = ()

    @property
    def supervised(self) -> bool:
        return self.role == "assistant"


@dataclass(frozen=True)
class Conversation:
    """Questions and answers about one record, and what the first prompt shows besides them. At least one exchange."""

    record: Record
    segment: Segment
    persons: tuple[str, ...]
    has_voice: bool
    evidence: tuple[Evidence, ...]
    exchanges: tuple[Exchange, ...]

    @property
    def turns(self) -> tuple[tuple[str, str], ...]:
        """All but the last exchange, as `SegmentInput.turns` wants them."""
        return tuple((exchange.question, exchange.answer) for exchange in self.exchanges[:-1])

    def messages(self, layout: Layout | None = None) -> list[Message]:
        """The chat, with soft-token placeholders for `layout`, else as text evidence only."""
        first, *later = (exchange.question for exchange in self.exchanges)
        questions = [user_text(self.persons, self.has_voice, self.evidence, first, layout), *later]
        return [
            message
            for question, exchange in zip(questions, self.exchanges, strict=True)
            for message in (Message("user", question), Message("assistant", exchange.answer, exchange.provenance))
        ]


def converse(
    record: Record,
    observation: Observation | None,
    tasks: Mapping[str, Task] | Sequence[Task],
    rng: random.Random,
    most: int | None = None,
) -> Conversation | None:
    """What `tasks` can ask about a record, at most `most` questions; None if that is nothing.

    It is about the record's span, else the whole clip. Records of words alone have no observation.
    """
    segment = segment_of(record, observation)
    lines = evidence(cues(observation), segment) if observation is not None else []
    exchanges = ask.conversation(record, observation, lines, tasks, rng, most)
    if not exchanges:
        return None
    people = persons_in(observation, segment, MOST_PERSONS) if observation is not None else []
    names = tuple(person.person for person in people)
    return Conversation(record, segment, names, speaks(observation, segment), tuple(lines), tuple(exchanges))


def segment_of(record: Record, observation: Observation | None) -> Segment:
    """The seconds that the labels are about."""
    if record.span is not None:
        return Segment(record.span.start_s, record.span.end_s)
    return Segment(0.0, observation.source.duration_s if observation is not None else 0.0)


def said_in(record: Record, languages: Collection[str]) -> tuple[str, ...]:
    """`SegmentInput.words` of a record of words alone: the utterance that it is about, after those before it; empty for a record
    in another language, or one that nobody named."""
    if record.language not in languages:
        return ()
    if record.target_turn is None:
        return spoken((), [record.transcript or " ".join(turn.text for turn in record.turns)])
    texts = [turn.text for turn in record.turns[: record.target_turn + 1]]
    return spoken(texts[-BEFORE - 1 : -1], texts[-1:])


def speaks(observation: Observation | None, segment: Segment) -> bool:
    """Whether there is enough speech for the model to be given a voice."""
    spans = observation.voice.spans if observation is not None and observation.voice else ()
    return sum(segment.overlap(*span) for span in spans) >= MIN_SPEECH_S


def supervised_spans(text: str, messages: Sequence[Message]) -> list[tuple[int, int]]:
    """(start, end) in characters of every supervised message within `text`, the messages as a chat template rendered them.

    Raises ValueError when a message is not there word for word: then the template changed it, and loss would miss its place.
    """
    spans, at = [], 0
    for message in messages:
        content = message.content.strip()  # templates strip
        start = text.find(content, at)
        if start < 0:
            raise ValueError(f"the rendered chat does not hold the {message.role} message '{content[:60]}' as it is")
        at = start + len(content)
        if message.supervised:
            spans.append((start, at))
    return spans


def passages(message: Message) -> list[tuple[str, str | None]]:
    """The message cut into (text, where it comes from); None for what has no provenance: answer fields and spaces."""
    out, at = [], 0
    for sentence in message.provenance:
        start = message.content.find(sentence.text, at)
        if start < 0:
            raise ValueError(f"provenance names a sentence that the answer does not hold: '{sentence.text[:60]}'")
        out += [(message.content[at:start], None)] if start > at else []
        out.append((sentence.text, sentence.source))
        at = start + len(sentence.text)
    return [*out, (message.content[at:], None)] if at < len(message.content) else out
