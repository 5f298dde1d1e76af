"""The composer's sentences. Every cue sentence names unit, person and seconds, so that the claims checker can hold it
against the measurement."""

from collections.abc import Mapping

import numpy as np

from emoreason.labels.action_units import ACTION_UNITS, GAZE_AUS
from emoreason.labels.emotions import EMOTIONS
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.perception.observation import Cue, Observation, Person
from emoreason.report import affect

MOST_FACE_CUES, MOST_AGAINST, MOST_OTHERS, MOST_QUOTED_WORDS = 4, 2, 2, 12
BRIEF_S = 0.25
_COUNTER = 0.15  # a modality contradicts the verdict when it gives another emotion this much more
FOR, AGAINST = 0.3, 0.4  # log-odds from which a cue is worth naming as speaking for, against the verdict
MOSTLY = 0.5  # of what a cue says about any emotion: with less it speaks for that one (a smile has some weight for fear, too)
_QUIET = ("AU12", "AU04")  # the units whose absence is told of a face at rest


def explain(
    observation: Observation,
    cues: list[Cue],
    person: str | None,
    p: np.ndarray | None,
    emotion: str | None,
    reason: str | None,
    parts: Mapping[str, affect.Affect],
) -> str:
    """Two to five sentences: what is seen, heard and said, then what it adds up to, or why it does not."""
    sentences = [
        *_faces(observation, cues, person, emotion),
        *_voice(cues),
        *_words(cues, observation),
        _conclusion(p, emotion, reason, parts),
    ]
    return " ".join(sentences)


def _faces(observation: Observation, cues: list[Cue], person: str | None, emotion: str | None) -> list[str]:
    spoken = first_of_each_unit([cue for cue in cues if cue.modality == "face" and telling(cue, observation)])
    sentences = []
    mine, against = sides([c for c in spoken if c.person == person], emotion)
    if mine:
        sentences.append(f"Person {person} shows {listed([unit_phrase(c, observation) for c in mine])}.")
    elif person is not None and (quiet := absent_units(observation.person(person))):
        sentences.append(f"Person {person} shows {listed(quiet)}.")
    if against:
        named = listed([unit_phrase(c, observation) for c in against])
        sentences.append(f"Person {person} also shows {named}, which fits {emotion} less.")
    for other in [p.person for p in observation.people if p.person != person][:MOST_OTHERS]:
        theirs = [c for c in spoken if c.person == other][:MOST_OTHERS]
        if theirs:
            sentences.append(f"Person {other} shows {listed([unit_phrase(c, observation) for c in theirs])}.")
    return sentences


def telling(cue: Cue, observation: Observation) -> bool:
    """Not the doubtful, not blinks and glances, and in a video nothing slight that is over at once."""
    brief = cue.level == "slight" and cue.end_s - cue.start_s < BRIEF_S and observation.source.kind == "video"
    return cue.reliability != "low" and cue.cue not in (*GAZE_AUS, "AU45") and not brief


def sides(cues: list[Cue], emotion: str | None) -> tuple[list[Cue], list[Cue]]:
    """The cues that speak most for the emotion, then those that speak most against it; without an emotion simply the strongest.

    A face at rest has little that speaks for anything: then the strongest cues are told as they are.
    """
    if emotion is None:
        return cues[:MOST_FACE_CUES], []
    gains = [gain(cue, emotion) for cue in cues]
    order = sorted(range(len(cues)), key=lambda i: -gains[i])
    mine = [cues[i] for i in order if gains[i] > FOR][:MOST_FACE_CUES]
    against = [cues[i] for i in reversed(order) if gains[i] < -AGAINST][:MOST_AGAINST]
    return mine or [cue for cue in cues if cue not in against][:MOST_FACE_CUES], against


def gain(cue: Cue, emotion: str) -> float:
    """What a cue adds to the emotion beyond what it adds to all, as far as it is telling (a speaking mouth is less so)."""
    shares = affect.cue_shares(cue)
    share_told = cue.strength / float(cue.value) if cue.modality == "face" else 1.0
    return float(shares[EMOTIONS.index(emotion)] - shares.mean()) * share_told


def speaks_for(cue: Cue, emotion: str) -> bool:
    """Whether the cue is evidence for the emotion, rather than for another that it tells of more than twice as much."""
    own = gain(cue, emotion)
    return own > FOR and own >= MOSTLY * max(gain(cue, other) for other in EMOTIONS)


def first_of_each_unit(cues: list[Cue]) -> list[Cue]:
    """Cues come strongest first; later events of the same unit add no kind of evidence."""
    seen, kept = set(), []
    for cue in cues:
        if (cue.person, cue.cue) not in seen:
            seen.add((cue.person, cue.cue))
            kept.append(cue)
    return kept


def unit_phrase(cue: Cue, observation: Observation) -> str:
    """`a strong lip corner puller (AU12) on the left side from 2.1 to 4.8 s`; a picture has no seconds."""
    noun = ACTION_UNITS[cue.cue].noun
    side = f" on the {cue.side} side" if cue.side in ("left", "right") else ""
    when = "" if observation.source.kind == "picture" else f" from {span(cue.start_s, cue.end_s)}"
    return f"a {cue.level} {noun} ({cue.cue}){side}{when}"


def span(start_s: float, end_s: float) -> str:
    """Never an empty span, even for a single sampled frame."""
    return f"{start_s:.1f} to {max(end_s, start_s + 0.1):.1f} s"


def absent_units(person: Person | None) -> list[str]:
    """Telling units that the face does not show, of those that could be measured."""
    if person is None:
        return []
    quiet = [au for au in _QUIET if au not in person.action_units.events and not np.isnan(person.action_units.of(au)).all()]
    return [f"no {ACTION_UNITS[au].name} ({au})" for au in quiet]


def _voice(cues: list[Cue]) -> list[str]:
    """Only the strongest cue of each kind, and only clear departures from the reference."""
    kinds = {}
    for cue in cues:
        if cue.modality == "voice" and cue.level in ("low", "high") and cue.reliability != "low":
            kinds.setdefault(cue.cue, cue)
    if not kinds:
        return []
    words = [VOICE_CUES[c.cue].words[0 if c.level == "low" else 2] for c in list(kinds.values())[:3]]
    return [f"In the voice there is {listed(words)}."]


def _words(cues: list[Cue], observation: Observation) -> list[str]:
    said = [c for c in cues if c.modality == "words"]
    if not said:
        return []
    cue = max(said, key=lambda c: (np.abs(affect.cue_shares(c)).max(), c.strength, -c.start_s))
    text = quotable(str(cue.value))
    who = f"Person {cue.person}" if cue.person else "The speaker"
    return [f'{who} says "{text}" ({cue.start_s:.1f}-{cue.end_s:.1f} s).'] if text else []


def quotable(text: str) -> str:
    """The first words, without characters that would end the quotation."""
    words = text.replace('"', "'").replace("“", "'").replace("”", "'").split()
    return " ".join(words[:MOST_QUOTED_WORDS])[:120].rstrip()


def _conclusion(p: np.ndarray | None, emotion: str | None, reason: str | None, parts: Mapping[str, affect.Affect]) -> str:
    if emotion is None:
        return f"No emotion is named: {reason}."
    sentence = f"Taken together this appears as {emotion} (score {p[EMOTIONS.index(emotion)]:.2f})"
    against = [
        f"the {modality} alone would suggest {EMOTIONS[int(part.log_p.argmax())]}"
        for modality, part in parts.items()
        if EMOTIONS[int(part.log_p.argmax())] != emotion and part.p.max() - part.p[EMOTIONS.index(emotion)] > _COUNTER
    ]
    return f"{sentence}, although {listed(against)}." if against else f"{sentence}."


def listed(items: list[str]) -> str:
    """`a, b and c`; of at least one item."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
