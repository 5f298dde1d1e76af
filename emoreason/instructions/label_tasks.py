"""Tasks whose answers come from a record's labels, with reasons from measurements where there are any."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from emoreason.instructions.answers import (
    Exchange,
    Score,
    affect_score,
    clues_said,
    label_of,
    label_score,
    set_score,
    several_said,
    units_said,
)
from emoreason.instructions.chains import compose, contradict
from emoreason.instructions.pairing import FACE_SCHEME, VOICE_SCHEME
from emoreason.instructions.record import AuLabel, Record, Sentence
from emoreason.instructions.templates import templates
from emoreason.labels.action_units import ACTION_UNITS
from emoreason.labels.emotions import COMPOUNDS, canonical
from emoreason.model.prompt import Evidence, answer_text, sanitize
from emoreason.perception.observation import Observation
from emoreason.report import wording
from emoreason.scoring.answer import parse_answer
from emoreason.scoring.plain_answer import causes_said, words_said

SENTIMENTS = ("negative", "neutral", "positive")
BLENDS = tuple(sorted(COMPOUNDS.values()))
LEAST_SHARE = 1 / 3  # of the largest one: from there on a label is one of several, and no stray vote


@dataclass(frozen=True)
class Scheme:
    """A data set's labels, in its own words, and what they mean."""

    name: str
    labels: tuple[str, ...]
    crosswalk: tuple[tuple[str, str | None], ...] = ()

    def label(self, record: Record) -> str | None:
        """The record's label in this scheme; where people voted, the word with most votes, None in a tie."""
        return label_of(record, self.name)

    def several(self, record: Record) -> tuple[str, ...]:
        """The labels of a record that has no single one: a row with several, a blend, votes without a majority. Else none."""
        label = record.label(self.name)
        if label is None or label.value is not None or not label.shares:
            return ()
        least = LEAST_SHARE * max(label.shares.values())
        words = tuple(word for word in self.labels if label.shares.get(word, 0.0) >= least)
        return words if len(words) > 1 else ()

    def meaning(self, word: str) -> str | None:
        """The canonical emotion, or None: then no cue is known to speak for it."""
        return dict(self.crosswalk).get(word, canonical(word))

    def word(self, emotion: str, first: str | None = None) -> str | None:
        """A label that stands for the canonical emotion: `first`, if it does; None where the scheme has no such label."""
        return next((word for word in (first, *self.labels) if word in self.labels and self.meaning(word) == emotion), None)


def shuffled(labels: Sequence[str], rng: random.Random) -> str:
    """Candidates in random order: their place must not tell anything."""
    return ", ".join(rng.sample(list(labels), len(labels)))


def closed(label: str | None, sentences: Sequence[Sentence] = (), **fields: Sequence[str]) -> str:
    """The sentences, then the answer fields; `unclear` without a label. `fields`: `open_labels`, `aus`."""
    return answer_text(" ".join(sentence.text for sentence in sentences), "", label, **fields).replace("  ", " ")


@dataclass(frozen=True)
class Emotion:
    """The label alone, out of the scheme's words."""

    scheme: Scheme
    name = "emotion"
    order = 1

    def applies(self, record: Record, observation: Observation | None) -> bool:
        return self.scheme.label(record) in self.scheme.labels

    def turns(self, record: Record, observation, evidence, rng: random.Random) -> list[Exchange]:
        question = templates().ask(self.name, rng, labels=shuffled(self.scheme.labels, rng))
        return [Exchange(question, closed(self.scheme.label(record)), ())]

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score:
        return label_score(text, self.scheme.label(record), self.scheme.labels)


class Reasoning(Emotion):
    """The label with its reasons: those that people wrote about the record, as they wrote them; else a composed chain; where
    nothing was measured, what the set has. A face and a voice that contradict each other have no one label: both are told."""

    name = "reasoning"

    def applies(self, record: Record, observation: Observation | None) -> bool:
        if observation is not None and self.scheme.label(record) is None:
            return contradiction(record) is not None
        return super().applies(record, observation) and (observation is not None or bool(record.explanation))

    def turns(
        self, record: Record, observation: Observation | None, evidence: Sequence[Evidence], rng: random.Random
    ) -> list[Exchange]:
        question = templates().ask(self.name, rng, labels=shuffled(self.scheme.labels, rng))  # first: the answer must not sway it
        sentences = self.reasons(record, observation, evidence, rng)
        return [Exchange(question, closed(self.scheme.label(record), sentences), sentences)]

    def reasons(
        self, record: Record, observation: Observation | None, evidence: Sequence[Evidence], rng: random.Random
    ) -> tuple[Sentence, ...]:
        label, sentences = self.scheme.label(record), own_words(record)
        if label is None:
            return contradict(observation, evidence, *contradiction(record), rng).sentences
        if observation is not None and not any(sentence.source == "human" for sentence in sentences):
            return compose(observation, evidence, label, rng, record.person, self.scheme.meaning(label)).sentences
        return sentences


class Explained(Reasoning):
    """The label alone, as a verdict is asked for, and then why: the reasons of a label that stands already."""

    name = "explained"

    def turns(
        self, record: Record, observation: Observation | None, evidence: Sequence[Evidence], rng: random.Random
    ) -> list[Exchange]:
        asked = [templates().ask("emotion", rng, labels=shuffled(self.scheme.labels, rng)), templates().ask("why", rng)]
        sentences = self.reasons(record, observation, evidence, rng)
        told = [closed(self.scheme.label(record)), " ".join(sentence.text for sentence in sentences)]
        return [Exchange(asked[0], told[0], ()), Exchange(asked[1], told[1], sentences)]

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score:
        """Of reasons: whether they end in the label, or name the clues that people named."""
        if asked is None or not asked.provenance:
            return super().score(text, record)
        if any(sentence.source == "human" for sentence in asked.provenance):
            said = clues_said(text)
            return set_score(said, clues_said(asked.answer), bool(said))
        label, conclusion = self.scheme.label(record), re.split(r"(?<=[.!?])\s", text.strip())[-1]
        said = words_said(conclusion, self.scheme.labels if label else ("mixed",))
        return {"readable": bool(said), "correct": bool(said) and label in (None, *said)}


def contradiction(record: Record) -> tuple[str, str] | None:
    """What the face and what the voice shows, where a record was put together of two that differ."""
    shown, heard = label_of(record, FACE_SCHEME), label_of(record, VOICE_SCHEME)
    return (shown, heard) if shown and heard and shown != heard else None


def own_words(record: Record) -> tuple[Sentence, ...]:
    """The record's own explanation as plain text."""
    return tuple(Sentence(text=sanitize(sentence.text), source=sentence.source) for sentence in record.explanation)


@dataclass(frozen=True)
class Description:
    """The record's own explanation, word for word, where no label is asked about with it."""

    scheme: Scheme
    name = "description"
    order = 0

    def applies(self, record: Record, observation: Observation | None) -> bool:
        return bool(record.explanation) and self.scheme.label(record) not in self.scheme.labels

    def turns(self, record: Record, observation, evidence, rng: random.Random) -> list[Exchange]:
        sentences = own_words(record)
        return [Exchange(templates().ask(self.name, rng), " ".join(sentence.text for sentence in sentences), sentences)]

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score:
        """Which of the clues and emotion words that the explanation names are named, and which others."""
        said, truth = clues_said(text), clues_said(" ".join(sentence.text for sentence in own_words(record)))
        return set_score(said, truth, bool(said))


@dataclass(frozen=True)
class Several:
    """All labels of a record that has several, in one sentence."""

    scheme: Scheme
    name = "several"
    order = 1

    def applies(self, record: Record, observation: Observation | None) -> bool:
        return bool(self.scheme.several(record))

    def turns(self, record: Record, observation, evidence, rng: random.Random) -> list[Exchange]:
        question = templates().ask(self.name, rng, labels=shuffled(self.scheme.labels, rng))
        listed = wording.listed(self.scheme.several(record))
        sentence = Sentence(text=templates().say(self.name, rng, emotions=listed), source="composed")
        return [Exchange(question, sentence.text, (sentence,))]

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score:
        said = several_said(text, self.scheme.labels)
        return set_score(said, self.scheme.several(record), bool(said))


@dataclass(frozen=True)
class OpenVocabulary:
    """Free words. The closed field holds the record's label, else the first free word that is one, else `unclear`."""

    scheme: Scheme
    name = "open"
    order = 2

    def applies(self, record: Record, observation: Observation | None) -> bool:
        return bool(_plain_words(record.open_labels))

    def turns(self, record: Record, observation, evidence, rng: random.Random) -> list[Exchange]:
        named = self.scheme.label(record)
        words = _plain_words(record.open_labels)
        label = named if named in self.scheme.labels else next((word for word in words if word in self.scheme.labels), None)
        return [Exchange(templates().ask(self.name, rng), closed(label, open_labels=self._words(record)), ())]

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score:
        """Exact words, or words of the same canonical emotion; emotion wheels are the evaluation's business."""
        answer = parse_answer(text, self.scheme.labels)
        said = {canonical(word) or word.lower() for word in answer.open_labels}
        truth = {canonical(word) or word.lower() for word in self._words(record)}
        return set_score(said, truth, answer.problem is None)

    @staticmethod
    def _words(record: Record) -> list[str]:
        """The record's own; before "mixed", what is mixed."""
        return _plain_words([*(contradiction(record) or ()), *record.open_labels])


def dialogue(record: Record) -> str:
    """The turns with their numbers, from 1, as one plain line."""
    return sanitize(" ".join(f"({n}) {turn.speaker or 'someone'}: {turn.text}" for n, turn in enumerate(record.turns, start=1)))


def _plain_words(words: Sequence[str]) -> list[str]:
    """Without what separates fields and items in an answer."""
    plain = (" ".join(re.split(r"[;,=\s]+", sanitize(word))).strip() for word in words)
    return list(dict.fromkeys(word for word in plain if word))


@dataclass(frozen=True)
class ActionUnits:
    """The coded units. Units that nobody coded are neither right nor wrong; codes outside `labels.ACTION_UNITS` are left out."""

    scheme: Scheme
    name = "action_units"
    order = 2

    def applies(self, record: Record, observation: Observation | None) -> bool:
        return any(unit.au in ACTION_UNITS for unit in record.action_units)

    def turns(self, record: Record, observation, evidence, rng: random.Random) -> list[Exchange]:
        present = [unit for unit in record.action_units if unit.present and unit.au in ACTION_UNITS]
        absent = [unit for unit in record.action_units if not unit.present and unit.au in ACTION_UNITS]
        units = [_coded(unit) for unit in present] or [f"no {noun(unit.au)} ({unit.au})" for unit in absent[:4]]
        sentence = Sentence(text=f"The face shows {wording.listed(units)}.", source=(present or absent)[0].source)
        label = self.scheme.label(record)
        if label not in self.scheme.labels:  # a set that codes faces only: no emotion field, which could only say `unclear`
            return [Exchange(templates().ask(self.name, rng), sentence.text, (sentence,))]
        answer = closed(label, (sentence,), aus=[unit.au for unit in present])
        return [Exchange(templates().ask(self.name, rng), answer, (sentence,))]

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score:
        coded = {unit.au for unit in record.action_units}
        said = units_said(text, self.scheme.labels)
        return set_score(set(said or ()) & coded, _present(record), said is not None)


def _present(record: Record) -> set[str]:
    return {unit.au for unit in record.action_units if unit.present and unit.au in ACTION_UNITS}


def noun(au: str) -> str:
    """The unit as something one can show."""
    return ACTION_UNITS[au].noun


def _coded(unit: AuLabel) -> str:
    side = f" on the {unit.side} side" if unit.side in ("left", "right") and ACTION_UNITS[unit.au].sided else ""
    return f"the {noun(unit.au)} ({unit.au}){side}"


@dataclass(frozen=True)
class Sentiment:
    """Polarity, in the same answer field as an emotion: the parser is told the three words instead."""

    name = "sentiment"
    order = 2

    def applies(self, record: Record, observation: Observation | None) -> bool:
        return record.sentiment is not None

    def turns(self, record: Record, observation, evidence, rng: random.Random) -> list[Exchange]:
        return [Exchange(templates().ask(self.name, rng, labels=shuffled(SENTIMENTS, rng)), closed(record.sentiment), ())]

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score:
        return label_score(text, record.sentiment, SENTIMENTS)


@dataclass(frozen=True)
class Compound:
    """Blends of two emotions, in the words of `candidates`; records with other blends have no such question."""

    candidates: tuple[str, ...] = BLENDS
    name = "compound"
    order = 2

    def applies(self, record: Record, observation: Observation | None) -> bool:
        return record.compound in self.candidates

    def turns(self, record: Record, observation, evidence, rng: random.Random) -> list[Exchange]:
        return [Exchange(templates().ask(self.name, rng, labels=shuffled(self.candidates, rng)), closed(record.compound), ())]

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score:
        return label_score(text, record.compound, self.candidates)


@dataclass(frozen=True)
class ValenceArousal:
    """Two numbers in -1..1, to two decimals, in a sentence of its own."""

    name = "valence_arousal"
    order = 2

    def applies(self, record: Record, observation: Observation | None) -> bool:
        return record.valence is not None and record.arousal is not None

    def turns(self, record: Record, observation, evidence, rng: random.Random) -> list[Exchange]:
        sentence = Sentence(text=f"Valence {record.valence:+.2f}, arousal {record.arousal:+.2f}.", source="human")
        return [Exchange(templates().ask(self.name, rng), sentence.text, (sentence,))]

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score:
        return affect_score(text, record.valence, record.arousal)


@dataclass(frozen=True)
class Causes:
    """Emotion-cause pairs of a dialogue by utterance number, counted from 1."""

    name = "causes"
    order = -1  # its question holds the dialogue that the others need

    def applies(self, record: Record, observation: Observation | None) -> bool:
        return bool(record.causes)

    def turns(self, record: Record, observation, evidence, rng: random.Random) -> list[Exchange]:
        pairs = [f"{pair[0]} because of {pair[1]}{self._emotion(record, pair)}" for pair in sorted(self._pairs(record))]
        sentence = Sentence(text=f"Utterance {'; '.join(pairs)}.", source="human")
        return [Exchange(templates().ask(self.name, rng, dialogue=dialogue(record)), sentence.text, (sentence,))]

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score:
        said = {(pair.effect, pair.cause) for pair in causes_said(text) or ()}
        return set_score(said, self._pairs(record), bool(said))

    @staticmethod
    def _pairs(record: Record) -> set[tuple[int, int]]:
        return {(cause.effect + 1, cause.cause + 1) for cause in record.causes}

    @staticmethod
    def _emotion(record: Record, pair: tuple[int, int]) -> str:
        named = [c.emotion for c in record.causes if (c.effect + 1, c.cause + 1) == pair and c.emotion]
        emotion = named[0] if named else record.turns[pair[0] - 1].emotion
        return f" ({sanitize(emotion)})" if emotion else ""
