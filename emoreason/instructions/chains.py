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
from emoreason.labels.voice_cues import VOICE_CUES, VOICE_LEVELS
from emoreason.model.prompt import Evidence, sanitize
from emoreason.perception.observation import Observation
from emoreason.report import affect, wording

MOST_CITED = 3  # cues: with four, two fifths of the chains leave the 120 tokens that a chain should keep to
MOST_TOLD = {"picture": 7, "audio": 5, "video": 3}  # cues cited or set aside: the fewer, the more of them come with seconds
MOST_QUOTED_WORDS, MOST_QUOTED_BYTES = 8, 48  # bytes: what a tokenizer does not know it spells in them
MORE_IN_LINE = "{label} is more in line with {ids} than {other}"
CLEAR = 0.15  # a modality says something of its own when its first emotion leads the given one by this much


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
    cited = _cited(told, known, person, MOST_CITED)
    observations = observe(observation, cited, rng) or _at_rest(observation, words, rng, person)
    aside = _aside(observation, lines, cited)
    observations += [words.say("aside", rng, listed=wording.listed(aside))] if aside else []
    observations = observations or [words.say("nothing", rng)]
    reasons = interpretation(cited, emotion, known, words, rng)
    carried = bool(cited) and (known is None or any(wording.speaks_for(line.cue, known) for line in cited))
    conclusion = words.say("conclusion" if carried else "impression", rng, emotion=emotion)
    return Chain(tuple(observations), reasons, conclusion, tuple(cited))


def contradict(
    observation: Observation, lines: Sequence[Evidence], shown: str, heard: str, rng: random.Random
) -> Chain:
    """A face that shows one emotion with a voice that shows another: neither is concluded."""
    words, made = templates(), compose(observation, lines, shown, rng)
    face, voice = (words.say("conflict", rng, modality=m, other=e) for m, e in (("face", shown), ("voice", heard)))
    return Chain(made.observations, f"{face[0].upper()}{face[1:]}; {voice}.", words.say("mixed", rng), made.cited)


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
    heard = [line for line in lines if line.cue.modality == "voice"]
    sentences += [words.say("voice", rng, cues=_heard(heard))] if heard else []
    return sentences + [said(line, words, rng) for line in lines if line.cue.modality == "words"]


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


def _at_rest(observation: Observation, words: Templates, rng: random.Random, person: str | None) -> list[str]:
    """What is absent from a face without a cue that may be told."""
    for name in [person] if person else [p.person for p in observation.people]:
        if absent := wording.absent_units(observation.person(name)):
            return [words.say("face", rng, person=name, cues=wording.listed(absent))]
    return []


def _aside(observation: Observation, lines: Sequence[Evidence], cited: Sequence[Evidence]) -> list[str]:
    """The strongest of the lines that are not told: doubtful, or less telling. They are what tells two faces at rest apart."""
    untold = [line for line in lines if line not in cited and line.cue.modality != "words"]
    untold = [line for line in untold if line.cue.level != "typical" or not cited]  # ordinary: told where there is nothing else
    timed = not cited and observation.source.kind != "picture"  # else the cited ones tell the seconds
    return [_in_brief(line, timed) for line in untold[: MOST_TOLD[observation.source.kind] - len(cited)]]


def _in_brief(line: Evidence, timed: bool) -> str:
    side = f" {line.cue.side}" if line.cue.side in ("left", "right") else ""
    what = _voice_word(line) if line.cue.modality == "voice" else f"{line.cue.level} {line.cue.cue}{side}"
    return f"{what} ({line.id}{f', {line.cue.start_s:.1f}-{line.cue.end_s:.1f} s' if timed else ''})"


def _heard(lines: Sequence[Evidence]) -> str:
    """Voice cues with their seconds, which are told once where all share them: mostly they are those of all speech."""
    spans = {wording.span(line.cue.start_s, line.cue.end_s) for line in lines}
    if len(spans) > 1:
        return wording.listed([f"{_voice_word(line)} {_when(line)}" for line in lines])
    return f"{wording.listed([f'{_voice_word(line)} [{line.id}]' for line in lines])} from {spans.pop()}"


def _voice_word(line: Evidence) -> str:
    word = VOICE_CUES[line.cue.cue].words[VOICE_LEVELS.index(line.cue.level)]
    return f"a {word}" if word.endswith("voice") else word


def _when(line: Evidence) -> str:
    return f"({line.cue.start_s:.1f}-{line.cue.end_s:.1f} s) [{line.id}]"


def said(line: Evidence, words: Templates, rng: random.Random) -> str:
    """Who says the beginning of the line's words, and when."""
    cue = line.cue
    quote = _beginning(wording.quotable(sanitize(str(cue.value))))
    who = f"Person {cue.person}" if cue.person else "The speaker"
    return words.say("words", rng, who=who, quote=f'"{quote}"', when=_when(line))


def _beginning(text: str) -> str:
    """The first words of a quotation, the first characters where a script has no spaces."""
    words = text.split()[:MOST_QUOTED_WORDS]
    while len(words) > 1 and len(" ".join(words).encode()) > MOST_QUOTED_BYTES:
        words.pop()
    return " ".join(words).encode()[:MOST_QUOTED_BYTES].decode(errors="ignore")


def interpretation(
    cited: Sequence[Evidence], emotion: str, known: str | None, words: Templates, rng: random.Random
) -> str:
    """Which cues speak for, which against, what the words add, and which modality alone would say something else."""
    if not cited or known is None:
        return ""
    speak = [line for line in cited if wording.speaks_for(line.cue, known)]
    against = [line for line in cited if wording.gain(line.cue, known) < -wording.AGAINST]
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
        if p is not None and p.max() - p[EMOTIONS.index(known)] > CLEAR:
            clauses.append(words.say("conflict", rng, modality=modality, other=EMOTIONS[int(p.argmax())]))
    return clauses
