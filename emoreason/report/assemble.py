"""From an Observation and what a judge said about it to a checked EmotionReport. The checker does not know who the judge was."""

import numpy as np

from emoreason.labels.action_units import ACTION_UNITS, level
from emoreason.labels.emotions import EMOTIONS
from emoreason.perception.au_series import AuEvent
from emoreason.perception.observation import Observation, Person
from emoreason.report import schema
from emoreason.report.claims import check, coverage, faithfulness
from emoreason.report.course import clip_course, phases
from emoreason.report.emotion_report import EmotionReport
from emoreason.report.judgement import Judged, Judgement, by_emotion

SHORTEST_SPAN_S = 0.5  # a shorter spell of another emotion joins the spell before it
MOST_EVENTS = 200  # per unit and person; an hour of blinks would swell the report


def assemble(
    observation: Observation, judged: Judged, model: schema.ModelInfo, timings_s: dict[str, float]
) -> EmotionReport:
    """`timings_s` in the fields of schema.Timings."""
    single = len(judged.segments) == 1
    clip_explanation = _explanation(judged.clip, observation, judged.generator)
    seen = ((person, judged.frames.get(person.person)) for person in observation.people)
    courses = {person.person: phases(person.times_s, frames) for person, frames in seen if frames is not None}
    report = EmotionReport(
        source=schema.Source(**{name: getattr(observation.source, name) for name in schema.Source.model_fields}),
        verdict=judged.clip.verdict().model_copy(update={"course": clip_course(observation, judged, courses)}),
        segments=[
            schema.SegmentReport(
                start_s=segment.start_s,
                end_s=segment.end_s,
                verdict=segment.verdict(),
                explanation=clip_explanation if single else _explanation(segment, observation, judged.generator),
            )
            for segment in judged.segments
        ],
        people=[_person(person, observation, judged, courses.get(person.person)) for person in observation.people],
        voice=_voice(observation, judged),
        words=_words(observation),
        explanation=clip_explanation,
        warnings=[note.text for note in observation.notes] + judged.notes,
        model=model,
        timings_s=schema.Timings(**timings_s),
    )
    report.attach(observation, dict(judged.frames))
    return report


def explanation(text: str, observation: Observation, generator: str, start_s: float, end_s: float) -> schema.Explanation:
    """`text` about start_s..end_s with each of its claims checked."""
    claims = check(text, observation)
    return schema.Explanation(
        text=text,
        claims=claims,
        faithfulness=faithfulness(claims),
        coverage=coverage(claims, observation, start_s=start_s, end_s=end_s),
        generator=generator,
    )


def _explanation(judgement: Judgement, observation: Observation, generator: str) -> schema.Explanation:
    return explanation(judgement.text, observation, generator, judgement.start_s, judgement.end_s)


def _person(
    person: Person, observation: Observation, judged: Judged, course: list[schema.EmotionSpan] | None
) -> schema.PersonReport:
    probabilities, frames = judged.people.get(person.person), judged.frames.get(person.person)
    return schema.PersonReport(
        person=person.person,
        face_id=person.face_id,
        start_s=person.start_s,
        end_s=person.end_s,
        speaking=[schema.Span(start_s=a, end_s=b) for a, b in observation.speaking.get(person.person, ())],
        emotion=None if probabilities is None else EMOTIONS[int(probabilities.argmax())],
        probabilities=None if probabilities is None else by_emotion(probabilities),
        action_units=[_action_unit(person, au, events) for au, events in sorted(person.action_units.events.items())],
        emotions_over_time=[] if frames is None else emotion_spans(person.times_s, frames),
        course=course,
    )


def _action_unit(person: Person, au: str, events: list[AuEvent]) -> schema.ActionUnitSummary:
    strongest = max(events, key=lambda event: event.peak)
    kept = sorted(sorted(events, key=lambda event: -event.peak)[:MOST_EVENTS], key=lambda event: event.onset_s)
    return schema.ActionUnitSummary(
        au=au,
        name=ACTION_UNITS[au].name,
        source=person.action_units.source[au],
        reliability=person.action_units.reliability[au],
        probability=None,  # the geometric estimate is an intensity; a probability needs the trained head
        intensity=strongest.peak,
        level=level(strongest.peak) or "slight",
        side=strongest.side if ACTION_UNITS[au].sided else None,
        events=[schema.AuEvent(onset_s=e.onset_s, apex_s=e.apex_s, offset_s=e.offset_s, peak=e.peak) for e in kept],
    )


def emotion_spans(times_s: np.ndarray, frames: np.ndarray) -> list[schema.EmotionSpan]:
    """Spells of one leading emotion, from frame probabilities [T, 8] smoothed over about half a second."""
    known = ~np.isnan(frames).any(axis=1)
    if not known.any():
        return []
    times_s, frames = times_s[known], smoothed(times_s[known], frames[known])
    leading = frames.argmax(axis=1)
    edges = [0, *(np.flatnonzero((np.diff(leading) != 0) | (np.diff(times_s) > 1.0)) + 1).tolist(), len(leading)]
    spans: list[list[int]] = []
    for start, stop in zip(edges, edges[1:], strict=False):
        brief = times_s[stop - 1] - times_s[start] < SHORTEST_SPAN_S
        if spans and brief and times_s[start] - times_s[start - 1] <= 1.0:
            spans[-1][1] = stop
        elif spans and leading[spans[-1][0]] == leading[start] and times_s[start] - times_s[start - 1] <= 1.0:
            spans[-1][1] = stop
        else:
            spans.append([start, stop])
    return [
        schema.EmotionSpan(
            start_s=times_s[a], end_s=times_s[b - 1], emotion=EMOTIONS[leading[a]], confidence=frames[a:b, leading[a]].mean()
        )
        for a, b in spans
    ]


def smoothed(times_s: np.ndarray, frames: np.ndarray, width_s: float = 0.5) -> np.ndarray:
    """Running mean over `width_s` of real seconds, [T, 8]."""
    total = np.vstack([np.zeros(frames.shape[1]), np.cumsum(frames, axis=0)])
    first = np.searchsorted(times_s, times_s - width_s / 2, side="left")
    last = np.searchsorted(times_s, times_s + width_s / 2, side="right")
    return (total[last] - total[first]) / (last - first)[:, None]


def _voice(observation: Observation, judged: Judged) -> schema.VoiceReport | None:
    voice = observation.voice
    if voice is None:
        return None
    speakers = {person: sum(b - a for a, b in spans) for person, spans in observation.speaking.items() if spans}
    return schema.VoiceReport(
        person=max(sorted(speakers), key=lambda person: speakers[person], default=None),
        speech_s=voice.speech_s,
        emotion=None if judged.voice is None else EMOTIONS[int(judged.voice.argmax())],
        probabilities=None if judged.voice is None else by_emotion(judged.voice),
        cues=[
            schema.VoiceCueReport(cue=c.cue, value=c.value, unit=c.unit, level=c.level, start_s=c.start_s, end_s=c.end_s)
            for c in voice.cues
        ],
    )


def _words(observation: Observation) -> schema.WordsReport | None:
    words = observation.words
    if words is None:
        return None
    return schema.WordsReport(
        language=words.language,
        language_probability=words.language_probability,
        text=words.text,
        segments=[schema.WordSegmentReport(start=s.start_s, end=s.end_s, text=s.text) for s in words.segments],
    )
