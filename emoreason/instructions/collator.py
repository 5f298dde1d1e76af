"""Collator: a drawn record becomes a conversation, then what the processor takes, then a batch.

A record is looked at together with its Observation (None for words alone). Modalities and evidence lines are left out at random,
before the conversation is composed: an answer never cites what the prompt does not show.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Any, Protocol

import numpy as np
import torch

from emoreason.errors import ConfigError
from emoreason.instructions import tasks as ask
from emoreason.instructions.conversation import Conversation, converse, segment_of, speaks
from emoreason.instructions.mixture import Draw, Mixture
from emoreason.instructions.observe_all import Roots, clip_jobs, find, sound_of
from emoreason.instructions.pairing import FACE_SCHEME, SCHEME, VOICE_SCHEME, Input, left_out
from emoreason.instructions.record import ClosedLabel, Record
from emoreason.instructions.tasks import Task
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.media import Clip
from emoreason.model.config import EmoReasonConfig
from emoreason.model.processing import MAX_SIDE, EmoReasonProcessor
from emoreason.model.segment_input import SegmentInput, face_arrays, log_mel, persons_in, prosody
from emoreason.perception.cues import cues
from emoreason.perception.observation import Observation
from emoreason.perception.segments import Segment
from emoreason.perception.store import ObservationStore

SENTIMENTS = ("negative", "neutral", "positive")
UNCITED = (  # their answers cite no evidence line
    "emotion", "several", "description", "action_units", "probe_emotion", "sentiment", "compound", "open",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """The media of a record: which persons, in which seconds of which files."""

    record: Record
    observation: Observation
    roots: Roots
    most: int  # persons

    @property
    def segment(self) -> Segment:
        return segment_of(self.record, self.observation)

    @cached_property
    def people(self) -> list:
        return persons_in(self.observation, self.segment, self.most)

    @property
    def seen(self) -> Clip:
        """The clip that the faces are in."""
        return clip_jobs(self.record, self.roots)[0].clip()

    @property
    def heard(self) -> Clip:
        """The clip that the voice is in."""
        return Clip(sound_of(self.record, self.roots))

    @cached_property
    def face_key(self) -> str | None:
        """Of the file's bytes, the seconds and the faces; None when nobody is seen."""
        if not self.people:
            return None
        return self._key(self.observation.source.sha256, *(person.person for person in self.people))

    @cached_property
    def voice_key(self) -> str | None:
        return self._key(self.heard.source.sha256) if speaks(self.observation, self.segment) else None

    def _key(self, *of: str) -> str:
        return sha256(repr((of, self.segment.start_s, self.segment.end_s)).encode()).hexdigest()


class TokenSource(Protocol):
    """Tokens that frozen encoders made earlier (training.features)."""

    def face(self, place: Place) -> np.ndarray | None: ...

    def voice(self, place: Place) -> np.ndarray | None: ...


@dataclass(frozen=True)
class Source:
    """One part of a mixture: its records, where their files lie, and what is asked of them. tasks: by data set, or of all.

    questions: the most in a conversation, None: all. words: whether the media were observed with transcription.
    """

    records: Sequence[Record]
    roots: Roots
    tasks: Mapping[str, Mapping[str, Task]]
    questions: int | None = 3
    words: bool = False

    def tasks_for(self, record: Record) -> Mapping[str, Task]:
        return self.tasks[record.dataset] if record.dataset in self.tasks else self.tasks[""]


@dataclass(frozen=True)
class Example:
    """A sample ready for the processor. sentiment: index into SENTIMENTS, or -100; length: of the conversation in characters."""

    inputs: SegmentInput
    answer: str
    sentiment: int
    length: int
    record: str


class Conversations:
    """The samples of a stage, as training.batches.Examples wants them.

    Of a face with a voice, one is left out as if it had never been there. Of a single modality the encoder's tokens are left out
    and the evidence lines stay, or the other way round: the model must be able to answer from either.
    Without `features` faces and voices are cut from the files each time, for encoders that train. `example` is None for a record
    of which nothing can be asked under the inputs it was left; `collate` drops it.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        mixture: Mixture,
        processor: EmoReasonProcessor,
        store: ObservationStore,
        features: TokenSource | None = None,
        dropout: Mapping[Input, float] | None = None,
        emphasis: float | None = None,
    ):
        """emphasis: weight of the loss at answer fields, as the processor takes it."""
        if unknown := [part.name for part in mixture.parts if part.name not in sources]:
            raise ConfigError(f"mixture part '{unknown[0]}' has no records")
        self.sources, self.mixture, self.processor, self.store = sources, mixture, processor, store
        self.features, self.dropout, self.emphasis = features, dict(dropout or {}), emphasis

    def example(self, draw: Draw) -> Example | None:
        source = self.sources[draw.part]
        return self.make(source.records[draw.item], source, draw.rng())

    def places(self) -> Iterator[Place]:
        """Of every record that has media. Raises ConfigError for one that was not observed."""
        for source in self.sources.values():
            for record in source.records:
                if record.media is not None:
                    yield self._place(record, source)

    def _place(self, record: Record, source: Source) -> Place | None:
        if record.media is None:
            return None
        observation = find(record, source.roots, self.store, words=source.words)
        if observation is None:
            raise ConfigError(f"record {record.id} of {record.dataset} was not observed: run `emoreason data observe` first")
        return Place(record, observation, source.roots, self.processor.config.face_config.max_persons)

    @staticmethod
    def size(example: Example | None) -> int:
        return example.length if example else 0

    def make(self, record: Record, source: Source, rng: np.random.Generator) -> Example | None:
        """One sample; all chance from `rng`."""
        place = self._place(record, source)
        observation = place and place.observation
        gone = dropped(place, self.dropout, rng) if place else ()
        both = place is not None and {"face", "voice"} <= set(present(place))
        untold = gone if both else [name for name in gone if name == "evidence"]
        talk = conversation_without(record, observation, source, untold, random.Random(int(rng.integers(2**63))))
        if talk is None:
            return None
        inputs = self._inputs(talk, place, gone, self.processor.config)
        *_, last = talk.exchanges
        length = sum(len(question) + len(answer) for question, answer, _ in talk.exchanges) + 30 * len(talk.evidence)
        known = record.sentiment if record.media is None else None  # the head reads words
        return Example(inputs, last.answer, SENTIMENTS.index(known) if known else -100, length, record.id)

    def _inputs(self, talk: Conversation, place: Place | None, gone: Sequence[Input], config: EmoReasonConfig) -> SegmentInput:
        *_, last = talk.exchanges
        said = {"question": last.question, "turns": talk.turns, "evidence": talk.evidence}
        persons = () if place is None else tuple(person.person for person in place.people)
        if place is None:
            return SegmentInput.of_tokens(persons=(), face_tokens=None, voice_tokens=None, **said)
        if self.features is None:
            inputs = replace(face_of(place, config), **said)
            if speaks(place.observation, place.segment):
                heard = voice_of(place, config)
                inputs = replace(inputs, mel=heard.mel, prosody=heard.prosody)
        else:
            face, voice = self.features.face(place), self.features.voice(place)
            inputs = SegmentInput.of_tokens(persons=persons, face_tokens=face, voice_tokens=voice, **said)
        return inputs.without(*(name for name in gone if name in ("face", "voice")))

    def collate(self, examples: Sequence[Example | None]) -> dict[str, Any]:
        """Arguments of the model's `forward`, padded on the right, and `sentiment` [B] for the head on words."""
        some = [example for example in examples if example is not None]
        if not some:
            raise ConfigError("a whole batch of records of which nothing can be asked: check the tasks of the mixture's parts")
        batch = self.processor([one.inputs for one in some], [one.answer for one in some], emphasis=self.emphasis)
        return {**batch, "sentiment": torch.tensor([one.sentiment for one in some])}


def present(place: Place) -> list[Input]:
    """Inputs of a record that could be left out."""
    lines = cues(place.observation)
    names = {"face": bool(place.people), "voice": speaks(place.observation, place.segment), "evidence": bool(lines)}
    return [name for name, there in names.items() if there]


def dropped(place: Place, rates: Mapping[Input, float], rng: np.random.Generator) -> tuple[Input, ...]:
    """What a sample goes without; never both the face and the voice."""
    gone = left_out(present(place), rates, rng)
    return tuple(name for name in gone if name != "voice" or "face" not in gone)


def conversation_without(
    record: Record, observation: Observation | None, source: Source, gone: Sequence[Input], rng: random.Random
) -> Conversation | None:
    """As `converse`, about what is left: a face or voice that is gone was never measured; without evidence lines only such
    questions are asked whose answers cite none. A synthetic pair that lost one side is labelled by the other."""
    tasks = source.tasks_for(record)
    if not gone:
        return converse(record, observation, tasks, rng, source.questions)
    record = one_sided(record, gone)
    if "face" in gone or "voice" in gone:
        record = record.model_copy(update={"explanation": []})  # people who wrote it had both before them
    observation = reduced(observation, gone)
    if "evidence" not in gone:
        return converse(record, observation, tasks, rng, source.questions)
    segment = segment_of(record, observation)
    uncited = {name: task for name, task in tasks.items() if name in UNCITED} or tasks
    exchanges = ask.conversation(record, observation, [], uncited, rng, source.questions)
    if not exchanges:
        return None
    names = tuple(person.person for person in persons_in(observation, segment, 4))
    return Conversation(record, segment, names, speaks(observation, segment), (), tuple(exchanges))


def reduced(observation: Observation, gone: Sequence[Input]) -> Observation:
    """The observation as it would be without these."""
    changes: dict[str, Any] = {}
    if "face" in gone and "voice" in gone:
        raise ValueError("of a face with a voice only one can be left out")
    if "face" in gone:
        changes["faces"] = replace(observation.faces, shards=())
    if "voice" in gone:
        changes |= {"voice": None, "words": None}
    return replace(observation, **changes) if changes else observation


def one_sided(record: Record, gone: Sequence[Input]) -> Record:
    """A pair of conflicting face and voice that lost one of them shows what the other shows."""
    left = {"face": VOICE_SCHEME, "voice": FACE_SCHEME}
    scheme = next((left[name] for name in gone if name in left), None)
    own = scheme and record.label(scheme)
    if not own:
        return record
    return record.model_copy(update={"labels": [ClosedLabel(scheme=SCHEME, value=own.value)], "open_labels": []})


def face_of(place: Place, config: EmoReasonConfig) -> SegmentInput:
    """The faces of a place, cut from its picture or video. Nobody is seen in a sound."""
    if not place.people:
        return SegmentInput.of_tokens("", (), (), None, None)
    side = min(int(place.observation.settings.get("max_side", MAX_SIDE)), MAX_SIDE)
    arrays = face_arrays(place.people, place.segment, place.seen, side, config.face_config)
    names = tuple(person.person for person in place.people)
    quiet = np.full(len(VOICE_CUES), np.nan, np.float32)
    return SegmentInput(question="", persons=names, evidence=(), mel=None, prosody=quiet, **arrays)


def voice_of(place: Place, config: EmoReasonConfig) -> SegmentInput:
    """The voice of a place, from its sound."""
    bins = config.voice_config.whisper_config.num_mel_bins
    mel = log_mel(place.observation, place.segment, place.heard, bins)
    nobody = SegmentInput.of_tokens("", (), (), None, None)
    return replace(nobody, mel=mel, prosody=prosody(place.observation, place.segment))
