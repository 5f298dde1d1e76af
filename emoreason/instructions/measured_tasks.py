"""Tasks whose answers come from what was measured, checked like any other claim."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emoreason.instructions.answers import Exchange, Score, drawn, label_of, label_score, set_score, units_said
from emoreason.instructions.chains import CLEAR, MORE_IN_LINE, ids, leaning, observe, usable
from emoreason.instructions.label_tasks import Scheme, closed, noun, shuffled
from emoreason.instructions.pairing import FACE_SCHEME, VOICE_SCHEME
from emoreason.instructions.record import Record, Sentence
from emoreason.instructions.templates import templates
from emoreason.labels.action_units import ACTION_UNITS, AUS
from emoreason.labels.emotions import EMOTIONS
from emoreason.model.prompt import Evidence
from emoreason.perception.observation import Observation, Person
from emoreason.perception.people import main_person
from emoreason.perception.segments import Segment
from emoreason.report import wording
from emoreason.report.claims import verify
from emoreason.scoring.answer import parse_answer
from emoreason.scoring.statement import Statement

REGIONS = ("brow", "eye", "nose", "cheek", "mouth", "jaw")
MOST_DENIED = 2
UNCLEAR = 0.08  # chance to ask about a modality that tells no emotion, else one that does: `unclear` is to be known, not guessed
OWN_SCHEMES = {"face": FACE_SCHEME, "voice": VOICE_SCHEME}
# What several published lists agree on: EMFACS, and Du, Tao and Martinez (PNAS 2014). Faces often lack it, so its absence is said
# to speak against an emotion, never to rule it out.
OFTEN = {
    "anger": ("AU04", "AU07", "AU23"), "contempt": ("AU14",), "disgust": ("AU09", "AU10"),
    "fear": ("AU20", "AU01", "AU04", "AU05"), "happiness": ("AU12", "AU06"), "neutral": (), "sadness": ("AU15", "AU01", "AU04"),
    "surprise": ("AU26", "AU02", "AU01", "AU05"),
}  # fmt: skip
EXPRESSIVE = tuple(au for au in AUS if ACTION_UNITS[au].region != "gaze" and au != "AU45")  # blinks and glances say little


def looked_at(record: Record, observation: Observation | None) -> Person | None:
    """Whose face the questions are about: the record's person, else the main one of the clip."""
    if observation is None:
        return None
    if record.person is not None and (named := observation.person(record.person)) is not None:
        return named
    span = record.span
    return main_person(observation, Segment(span.start_s, span.end_s) if span else Segment(0.0, observation.source.duration_s))


def absent_units(observation: Observation, person: Person, aus: Sequence[str]) -> list[str]:
    """The units whose denial the checker supports: measured reliably, and never active, nor anything that stands for them."""
    return [au for au in aus if verify(_denied(au, person), observation) == "supported"]


def lacking(record: Record, observation: Observation, person: Person, aus: Sequence[str]) -> list[str]:
    """`absent_units` that no coder of the record saw."""
    seen = {unit.au for unit in record.action_units if unit.present}
    return [au for au in absent_units(observation, person, aus) if au not in seen]


def _denied(au: str, person: Person) -> Statement:
    return Statement(au, 0, len(au), "face", au, person=person.person, negated=True)


def denial(person: Person, aus: Sequence[str]) -> Sentence:
    """That the person shows none of these units."""
    listed = wording.listed([f"no {noun(au)} ({au})" for au in aus])
    return Sentence(text=f"Person {person.person} shows {listed}.", source="measured")


@dataclass(frozen=True)
class Region:
    """What one region of the face does."""

    name = "region"
    order = 0

    def applies(self, record: Record, observation: Observation | None) -> bool:
        return looked_at(record, observation) is not None

    def turns(
        self, record: Record, observation: Observation, evidence: Sequence[Evidence], rng: random.Random
    ) -> list[Exchange]:
        person = looked_at(record, observation)
        answers = {region: self._sentences(region, record, person, observation, evidence, rng) for region in REGIONS}
        regions = [region for region in REGIONS if answers[region]]
        if not regions:
            return []
        region = rng.choice(regions)
        question = templates().ask(self.name, rng, region=region, person=person.person)
        sentences = tuple(answers[region])
        return [Exchange(question, " ".join(sentence.text for sentence in sentences), sentences)]

    @staticmethod
    def _sentences(region: str, record: Record, person: Person, observation: Observation, evidence, rng) -> list[Sentence]:
        here = [line for line in usable(observation, evidence) if line.cue.person == person.person and _region(line) == region]
        if here:
            return [Sentence(text=text, source="measured") for text in observe(observation, here, rng)]
        absent = lacking(record, observation, person, [au for au in EXPRESSIVE if ACTION_UNITS[au].region == region])
        return [denial(person, absent[:MOST_DENIED])] if absent else []

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score:
        said = units_said(text)
        return set_score(said or (), units_said(drawn(asked, self.name).answer), said is not None)


def _region(line: Evidence) -> str | None:
    return ACTION_UNITS[line.cue.cue].region if line.cue.modality == "face" else None


@dataclass(frozen=True)
class ModalityLimited:
    """The emotion from one modality alone, `unclear` where it tells none.

    What a modality tells: its own label, where the record has one (scheme `emoreason.face`, `emoreason.voice`); the record's
    label, where the clip has nothing but this modality; else what its measured cues clearly suggest. Which modality is asked
    about never depends on the label.
    """

    scheme: Scheme
    name = "modality"
    order = 0

    def applies(self, record: Record, observation: Observation | None) -> bool:
        labels = (self.scheme.label(record), *(label_of(record, name) for name in OWN_SCHEMES.values()))
        return observation is not None and any(label in self.scheme.labels for label in labels)

    def turns(
        self, record: Record, observation: Observation, evidence: Sequence[Evidence], rng: random.Random
    ) -> list[Exchange]:
        lines = usable(observation, evidence)
        told = {modality: self._told(modality, record, observation, lines) for modality in _modalities(observation)}
        clear = [modality for modality, label in told.items() if label is not None]
        unclear = [modality for modality, label in told.items() if label is None]
        pool = unclear if rng.random() < UNCLEAR else clear
        if not pool:
            return []
        modality = rng.choice(pool)
        here, label, words = [line for line in lines if line.cue.modality == modality][:4], told[modality], templates()
        question = words.ask(self.name, rng, modality=modality, labels=shuffled(self.scheme.labels, rng))
        cues = [Sentence(text=text, source="measured") for text in observe(observation, here, rng)]
        verdict = words.say("alone" if label else "unclear", rng, modality=modality, **({"emotion": label} if label else {}))
        sentences = (*cues, Sentence(text=verdict, source="composed"))
        return [Exchange(question, closed(label, sentences), sentences)]

    def _told(self, modality: str, record: Record, observation: Observation, lines: Sequence[Evidence]) -> str | None:
        own, label = label_of(record, OWN_SCHEMES.get(modality, "")), self.scheme.label(record)
        if own in self.scheme.labels:
            return own
        if there(observation) == [modality]:
            return label
        p = leaning([line for line in lines if line.cue.modality == modality][:4], modality)
        if p is None or p.max() - np.sort(p)[-2] < CLEAR:
            return None
        return self.scheme.word(EMOTIONS[int(p.argmax())], label)

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score:
        truth = parse_answer(drawn(asked, self.name).answer, self.scheme.labels).emotion
        return label_score(text, truth, self.scheme.labels)


def there(observation: Observation) -> list[str]:
    """Of face and voice, which the clip has at all."""
    faces, voices = bool(len(observation.faces)), observation.voice is not None and bool(observation.voice.spans)
    return [modality for modality, is_there in (("face", faces), ("voice", voices)) if is_there]


def _modalities(observation: Observation) -> list[str]:
    """Words that nobody transcribed are left out: the conversation may quote them from the record."""
    return ["face", "voice"] if observation.words is None else ["face", "voice", "words"]


@dataclass(frozen=True)
class WhyNot:
    """Why another emotion fits less: cues that weigh more for the label, and telling units of the other that are absent; cues
    that weigh more for the other are granted."""

    scheme: Scheme
    name = "why_not"
    order = 3

    def applies(self, record: Record, observation: Observation | None) -> bool:
        label = self.scheme.label(record)
        known = label in self.scheme.labels and self.scheme.meaning(label) is not None
        return observation is not None and known and bool(self._others(label, record))

    def _others(self, label: str, record: Record) -> list[str]:
        """Labels that mean something else and are none of several that the record has."""
        words = [word for word in self.scheme.labels if word not in self.scheme.several(record)]
        return [word for word in words if self.scheme.meaning(word) not in (None, self.scheme.meaning(label))]

    def turns(
        self, record: Record, observation: Observation, evidence: Sequence[Evidence], rng: random.Random
    ) -> list[Exchange]:
        label = self.scheme.label(record)
        other = rng.choice(self._others(label, record))
        mine, theirs = self.scheme.meaning(label), self.scheme.meaning(other)
        lines = usable(observation, evidence)
        leads = {line.id: wording.gain(line.cue, mine) - wording.gain(line.cue, theirs) for line in lines}
        better = [line for line in lines if leads[line.id] > wording.FOR][:2]
        worse = [line for line in lines if leads[line.id] < -wording.FOR and wording.gain(line.cue, theirs) > wording.FOR][:2]
        shown = [line for line in lines if line in (*better, *worse)]
        told = [Sentence(text=text, source="measured") for text in observe(observation, shown, rng)]
        person = looked_at(record, observation)
        missing = lacking(record, observation, person, _telling_units(mine, theirs))[:MOST_DENIED] if person else []
        if not (better or missing):
            return []
        told += [denial(person, missing)] if missing else []
        grant = f"{other} would go with {ids(worse)}" if worse else ""
        weigh = MORE_IN_LINE.format(label=label, ids=ids(better), other=other) if better else ""
        lack = f"{'more of ' if worse else ''}what {other} often comes with is missing" if missing else ""
        against = "; ".join(part for part in (weigh, lack) if part)
        text = f"{grant}, but {against}" if grant else against
        sentences = (*told, Sentence(text=f"{text[0].upper()}{text[1:]}.", source="composed"))
        return [Exchange(templates().ask(self.name, rng, other=other), closed(label, sentences), sentences)]

    def score(self, text: str, record: Record, asked: Exchange | None = None) -> Score:
        return label_score(text, self.scheme.label(record), self.scheme.labels)


def _telling_units(mine: str, theirs: str) -> list[str]:
    """Units that often come with `theirs` and not with `mine`, the most telling first."""
    return [au for au in OFTEN[theirs] if au not in OFTEN[mine]]
