"""Reasoning chains without a closed model: what was measured, what it speaks for and against, and the given label.

Only measured cues of enough reliability are told, each with its evidence id; the label is the record's own word. Sentences keep
to the wording that the claims checker reads (English), and are varied by the random generator that is passed in.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emoreason.instructions.record import Sentence
from emoreason.instructions.templates import Templates, templates
from emoreason.labels.emotions import EMOTIONS, canonical
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.model.prompt import Evidence, sanitize
from emoreason.perception.observation import Observation
from emoreason.report import affect, wording

MOST_CITED = 3  # cues: with four, two fifths of the chains leave the 120 tokens that a chain should keep to
MOST_QUOTED_WORDS = 8
_CLEAR = 0.15  # a modality says something of its own when its first emotion leads the given one by this much


@dataclass(frozen=True)
class Chain:
    """`observations` are measured; `interpretation` and `conclusion` are composed from them and the given label."""

    observations: tuple[str, ...]
    interpretation: str
    conclusion: str
    cited: tuple[Evidence, ...]

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        measured = [Sentence(text=text, source="measured") for text in self.observations]
        return (*measured, *(Sentence(text=text, source="composed") for text in (self.interpretation, self.conclusion) if text))

    @property
    def text(self) -> str:
        return " ".join(sentence.text for sentence in self.sentences)


def chain(observation: Observation, lines: Sequence[Evidence], emotion: str, rng: random.Random) -> str:
    """The text of `compose`."""
    return compose(observation, lines, emotion, rng).text


def compose(
    observation: Observation,
    lines: Sequence[Evidence],
    emotion: str,
    rng: random.Random,
    person: str | None = None,
    meaning: str | None = None,
) -> Chain:
    """`emotion` in the words of its own scheme, `meaning` the canonical emotion it stands for (default: what the word itself
    names); `person` whose emotion it is, where known.

    An emotion that is none of the eight has no known cues: then the strongest are told and nothing is weighed.
    """
    words, told = templates(), usable(observation, lines)
    known = meaning or canonical(emotion)
    cited = _cited(told, known, person, MOST_CITED + (observation.source.kind == "picture"))  # stills need no times
    observations = observe(observation, cited, rng)
    untold = [line for line in lines if line not in cited]
    if not cited:
        observations = _at_rest(observation, lines, words, rng, person)
    elif untold and observation.source.kind == "picture":  # without seconds, only these may tell two stills apart
        observations.append(words.say("aside", rng, listed=_aside(observation, untold)))
    return Chain(
        tuple(observations), _interpretation(cited, emotion, known, words, rng), words.say("conclusion", rng, emotion=emotion),
        tuple(cited),
    )  # fmt: skip


def usable(observation: Observation, lines: Sequence[Evidence]) -> list[Evidence]:
    """The lines that may be told: reliable, not slight and over at once, one of each kind, no typical voice; strongest first."""
    seen: set[tuple[str | None, str]] = set()
    kept = []
    for line in lines:
        cue = line.cue
        key = (cue.person if cue.modality == "face" else None, cue.cue)
        quiet = cue.modality == "voice" and cue.level == "typical"
        if key in seen or quiet or cue.reliability == "low" or cue.modality == "face" and not wording.telling(cue, observation):
            continue
        if cue.modality == "words" and not wording.quotable(sanitize(str(cue.value))):
            continue
        seen.add(key)
        kept.append(line)
    return kept


def observe(observation: Observation, lines: Sequence[Evidence], rng: random.Random) -> list[str]:
    """One sentence per person, one for the voice, one for the words: what was measured, with its evidence ids."""
    words, sentences = templates(), []
    faces = [line for line in lines if line.cue.modality == "face"]
    for person in dict.fromkeys(line.cue.person for line in faces):
        units = [f"{wording.unit_phrase(line.cue, observation)} [{line.id}]" for line in faces if line.cue.person == person]
        sentences.append(words.say("face", rng, person=person, cues=wording.listed(units)))
    heard = [f"{_voice_word(line)} {_when(line)}" for line in lines if line.cue.modality == "voice"]
    sentences += [words.say("voice", rng, cues=wording.listed(heard))] if heard else []
    return sentences + [_said(line, words, rng) for line in lines if line.cue.modality == "words"]


def leaning(lines: Sequence[Evidence], modality: str) -> np.ndarray | None:
    """[E] probabilities from the cues of one modality alone, as the composer weighs them; None where none says anything."""
    shares = [affect.cue_shares(line.cue) for line in lines if line.cue.modality == modality]
    if not shares or not np.any(shares):
        return None
    logits = np.sum(shares, axis=0)
    p = np.exp(logits - logits.max())
    return p / p.sum()


def ids(lines: Sequence[Evidence]) -> str:
    """Evidence ids as they are cited."""
    return wording.listed([line.id for line in lines])


def _cited(told: Sequence[Evidence], known: str | None, person: str | None, most: int) -> list[Evidence]:
    """At most `most` lines: each modality's most telling first, then the rest by how much they say about the emotion."""
    weights = {line.id: abs(wording.gain(line.cue, known)) if known else 0.0 for line in told}
    mine = {line.id: person is None or line.cue.modality != "face" or line.cue.person == person for line in told}
    ranked = sorted(told, key=lambda line: (not mine[line.id], -weights[line.id]))  # stable: the stronger line first
    first = [next(line for line in ranked if line.cue.modality == m) for m in {line.cue.modality: 0 for line in ranked}]
    chosen = {line.id for line in [*first, *(line for line in ranked if line not in first)][:most]}
    return [line for line in told if line.id in chosen]


def _at_rest(
    observation: Observation, lines: Sequence[Evidence], words: Templates, rng: random.Random, person: str | None
) -> list[str]:
    """What is absent from the face, and where the lines lie that are too doubtful or too ordinary to be told."""
    names = [person] if person else [p.person for p in observation.people]
    absent = {name: wording.absent_units(observation.person(name)) for name in names}
    quiet = next((name for name in names if absent[name]), None)
    sentences = [words.say("face", rng, person=quiet, cues=wording.listed(absent[quiet]))] if quiet else []
    listed = _aside(observation, lines)
    rest = f", doubtful or ordinary: {listed}" if listed else ""
    return sentences + [words.say("nothing", rng, rest=rest)] if listed or not sentences else sentences


def _aside(observation: Observation, lines: Sequence[Evidence]) -> str:
    """Where lines lie that are not told: their seconds, or in a still how strong they are."""
    still = observation.source.kind == "picture"
    where = [f"{ln.cue.strength:.2f}" if still else f"{ln.cue.start_s:.1f}-{ln.cue.end_s:.1f} s" for ln in lines[:MOST_CITED]]
    return ", ".join(f"{line.id} {place}" for line, place in zip(lines, where, strict=False))


def _voice_word(line: Evidence) -> str:
    return VOICE_CUES[line.cue.cue].words[0 if line.cue.level == "low" else 2]


def _when(line: Evidence) -> str:
    return f"({line.cue.start_s:.1f}-{line.cue.end_s:.1f} s) [{line.id}]"


def _said(line: Evidence, words: Templates, rng: random.Random) -> str:
    cue = line.cue
    quote = " ".join(wording.quotable(sanitize(str(cue.value))).split()[:MOST_QUOTED_WORDS])
    who = f"Person {cue.person}" if cue.person else "The speaker"
    return words.say("words", rng, who=who, quote=f'"{quote}"', when=_when(line))


def _interpretation(
    cited: Sequence[Evidence], emotion: str, known: str | None, words: Templates, rng: random.Random
) -> str:
    """Which cues speak for, which against, what the words add, and which modality alone would say something else."""
    if not cited or known is None:
        return ""
    gains = {line.id: wording.gain(line.cue, known) for line in cited}
    speak = [line for line in cited if gains[line.id] > wording.FOR]
    against = [line for line in cited if gains[line.id] < -wording.AGAINST]
    clauses = [words.say("for", rng, ids=ids(speak), emotion=emotion) if speak else words.say("undecided", rng, emotion=emotion)]
    clauses += [words.say("against", rng, ids=ids(against))] if against else []
    mute = [line for line in cited if line.cue.modality == "words" and not affect.cue_shares(line.cue).any()]
    clauses += [words.say("words_neutral", rng, ids=ids(mute))] if mute else []
    clauses += _conflicts(cited, known, words, rng)
    return f"{clauses[0][0].upper()}{clauses[0][1:]}{''.join(f'; {clause}' for clause in clauses[1:])}."


def _conflicts(cited: Sequence[Evidence], known: str, words: Templates, rng: random.Random) -> list[str]:
    clauses = []
    present = list(dict.fromkeys(line.cue.modality for line in cited))
    for modality in present if len(present) > 1 else ():
        p = leaning(cited, modality)
        if p is not None and p.max() - p[EMOTIONS.index(known)] > _CLEAR:
            clauses.append(words.say("conflict", rng, modality=modality, other=EMOTIONS[int(p.argmax())]))
    return clauses
