"""Measured evidence as one ranked list: the currency of composer, prompt and claims."""

from emoreason.labels.action_units import ACTIVE, GAZE_AUS, Reliability, level
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.perception.au_series import AuEvent
from emoreason.perception.observation import Cue, Observation, Person, VoiceCue, WordSegment

WEIGHTS: dict[Reliability, float] = {"high": 1.0, "medium": 0.7, "low": 0.3}
# How much an event tells about expression at equal intensity. Blinks and glances are frequent and mostly say nothing; a mouth
# that opens while its owner speaks is speech.
_TELLING = {"AU45": 0.2} | dict.fromkeys(GAZE_AUS, 0.4)
_SPEAKING_MOUTH = dict.fromkeys(("AU25", "AU26", "AU27"), 0.3)
_WORDS = 0.5  # words have no intensity: they rank in the middle
_TYPICAL = 0.1  # strength of a voice cue inside its typical range


def cues(observation: Observation) -> list[Cue]:
    """Every action-unit event, voice cue and spoken segment, strongest x most reliable first; ties by time, person and name.

    Voice: the value over all speech of each cue, and those of single spans whose level leaves the typical range and differs
    from it. strength: peak intensity of an event times how telling its unit is; distance of a voice cue from its typical
    range in widths of that range; a constant for words.
    """
    found = [_event(observation, person, au, event) for person in observation for au, event in _events(person)]
    found += _voice(observation)
    if observation.words:
        found += [_said(observation, segment) for segment in observation.words.segments]
    return sorted(found, key=lambda c: (-round(rank(c), 6), c.start_s, c.person or "", c.cue, c.end_s))


def rank(cue: Cue) -> float:
    """strength x weight of reliability, 0..1."""
    return cue.strength * WEIGHTS[cue.reliability]


def speaker(observation: Observation, start_s: float, end_s: float) -> str | None:
    """Who speaks for more than half of the speech-time assigned to anyone in a span, or None."""
    shares = {
        person: sum(max(0.0, min(end, end_s) - max(start, start_s)) for start, end in spans)
        for person, spans in observation.speaking.items()
    }
    best = max(sorted(shares), key=lambda person: shares[person], default=None)
    return best if best is not None and shares[best] > 0.5 * sum(shares.values()) else None


def _events(person: Person) -> list[tuple[str, AuEvent]]:
    return [(au, event) for au, events in person.action_units.events.items() for event in events]


def _event(observation: Observation, person: Person, au: str, event: AuEvent) -> Cue:
    telling = _TELLING.get(au, 1.0)
    spans = observation.speaking.get(person.person, ())
    if au in _SPEAKING_MOUTH and any(start <= event.apex_s <= end for start, end in spans):
        telling = _SPEAKING_MOUTH[au]
    return Cue(
        "face", au, person.person, level(max(event.peak, ACTIVE)), event.side, event.peak, None,
        event.onset_s, event.apex_s, event.offset_s, person.action_units.reliability[au], event.peak * telling,
    )  # fmt: skip


def _voice(observation: Observation) -> list[Cue]:
    if observation.voice is None:
        return []
    whole: dict[str, VoiceCue] = {}
    kept = []
    for cue in observation.voice.cues:  # the values over all speech come first
        first = whole.setdefault(cue.cue, cue)
        if cue is first or cue.level not in ("typical", first.level):
            kept.append(cue)
    return [_voice_cue(observation, cue) for cue in kept]


def _voice_cue(observation: Observation, cue: VoiceCue) -> Cue:
    kind = VOICE_CUES[cue.cue]
    beyond = max(kind.low - cue.value, cue.value - kind.high, 0.0) / (kind.high - kind.low)
    strength = _TYPICAL if cue.level == "typical" else min(1.0, 0.4 + 0.6 * beyond)
    return Cue(
        "voice", cue.cue, speaker(observation, cue.start_s, cue.end_s), cue.level, None, cue.value, cue.unit,
        cue.start_s, (cue.start_s + cue.end_s) / 2, cue.end_s, kind.reliability, strength,
    )  # fmt: skip


def _said(observation: Observation, segment: WordSegment) -> Cue:
    sure = observation.words.language_probability
    reliability: Reliability = "high" if sure >= 0.8 else "medium" if sure >= 0.5 else "low"
    return Cue(
        "words", "said", speaker(observation, segment.start_s, segment.end_s), None, None, segment.text, None,
        segment.start_s, (segment.start_s + segment.end_s) / 2, segment.end_s, reliability, _WORDS,
    )  # fmt: skip
