"""Tasks whose answers come from a record's labels, with reasons from measurements where there are any."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from emoreason.instructions.answers import (
    Exchange,
    Score,
    affect_score,
    drawn,
    label_of,
    label_score,
    pairs_said,
    set_score,
    units_said,
    yes_no_score,
)
from emoreason.instructions.chains import compose
from emoreason.instructions.record import AuLabel, Record, Sentence
from emoreason.instructions.templates import templates
from emoreason.labels.action_units import ACTION_UNITS
from emoreason.labels.emotions import COMPOUNDS, canonical
from emoreason.model.prompt import Evidence, answer_text, sanitize
from emoreason.perception.observation import Observation
from emoreason.report import wording
from emoreason.scoring.answer import parse_answer

SENTIMENTS = ("negative", "neutral", "positive")
BLENDS = tuple(sorted(COMPOUNDS.values()))


@dataclass(frozen=True)
class Scheme:
    """A data set's labels, in its own words, and what they mean."""

    name: str
    labels: tuple[str, ...]
    crosswalk: tuple[tuple[str, str | None], ...] = ()

    def label(self, record: Record) -> str | None:
        """The record's label in this scheme; where people voted, the word with most votes, None in a tie."""
        return label_of(record, self.name)

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
    """The label with a composed chain, or with the record's own explanation where nothing was measured."""

    name = "reasoning"

    def applies(self, record: Record, observation: Observation | None) -> bool:
        return super().applies(record, observation) and (observation is not None or bool(record.explanation))

    def turns(
        self, record: Record, observation: Observation | None, evidence: Sequence[Evidence], rng: random.Random
    ) -> list[Exchange]:
        label = self.scheme.label(record)
        question = templates().ask(self.name, rng, labels=shuffled(self.scheme.labels, rng))  # first: the answer must not sway it
        if observation is None:
            sentences = tuple(Sentence(text=sanitize(s.text), source=s.source) for s in record.explanation)
        else:
            sentences = compose(observation, evidence, label, rng, record.person, self.scheme.meaning(label)).sentences
        return [Exchange(question, closed(label, sentences), sentences)]


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
        return [Exchange(templates().ask(self.name, rng), closed(label, open_labels=words), ())]

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score:
        """Exact words, or words of the same canonical emotion; emotion wheels are the evaluation's business."""
        answer = parse_answer(text, self.scheme.labels)
        said = {canonical(word) or word.lower() for word in answer.open_labels}
        truth = {canonical(word) or word.lower() for word in _plain_words(record.open_labels)}
        return set_score(said, truth, answer.problem is None)


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
    return wording.NOUNS.get(au, ACTION_UNITS[au].name)


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
        said = pairs_said(text)
        return set_score(said, self._pairs(record), bool(said))

    @staticmethod
    def _pairs(record: Record) -> set[tuple[int, int]]:
        return {(cause.effect + 1, cause.cause + 1) for cause in record.causes}

    @staticmethod
    def _emotion(record: Record, pair: tuple[int, int]) -> str:
        named = [c.emotion for c in record.causes if (c.effect + 1, c.cause + 1) == pair and c.emotion]
        emotion = named[0] if named else record.turns[pair[0] - 1].emotion
        return f" ({sanitize(emotion)})" if emotion else ""


@dataclass(frozen=True)
class ProbeEmotion:
    """Yes or no: is this emotion shown? True and false probes are equally frequent."""

    scheme: Scheme
    name = "probe_emotion"
    order = 2

    def applies(self, record: Record, observation: Observation | None) -> bool:
        return self.scheme.label(record) in self.scheme.labels and len(self.scheme.labels) > 1

    def turns(self, record: Record, observation, evidence, rng: random.Random) -> list[Exchange]:
        label = self.scheme.label(record)
        true = rng.random() < 0.5
        other = label if true else rng.choice([word for word in self.scheme.labels if word != label])
        sentence = Sentence(text=f"{'Yes' if true else 'No'}, it is {label}.", source="composed")
        return [Exchange(templates().ask(self.name, rng, other=other), sentence.text, (sentence,))]

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score:
        return yes_no_score(text, drawn(asked, self.name).answer.startswith("Yes"))


@dataclass(frozen=True)
class YesNo:
    """The data set's own question. A pair is right when both its members are: see `Record.probe`."""

    name = "yes_no"
    order = 0

    def applies(self, record: Record, observation: Observation | None) -> bool:
        return record.probe is not None

    def turns(self, record: Record, observation, evidence, rng: random.Random) -> list[Exchange]:
        sentence = Sentence(text=f"{record.probe.answer.capitalize()}.", source="human")
        return [Exchange(sanitize(record.probe.question), sentence.text, (sentence,))]

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score:
        return yes_no_score(text, record.probe.answer == "yes")
