"""A realistic report on an observation made of numbers: two people, a conversation, hostile text. For writers and pages."""

import numpy as np
from observations import make_observation

from emoreason.labels.action_units import ACTION_UNITS, level
from emoreason.labels.emotions import EMOTIONS
from emoreason.perception.observation import Note, Observation
from emoreason.report import schema
from emoreason.report.emotion_report import EmotionReport

HOSTILE = (
    "<script>alert(1)</script>",
    '</script><img src=x onerror="alert(2)">',
    "--> 00:00:01,000 {\\an8} \\N quotes \" ' & ]]>",
    "line one\n\nline two\x00\x1b[31m\ufffe",
    "שלום עולם 😀 \u202eevil",
)
PATH = '/data/my clips/<b>"x"&y; שלום.mp4'


def two_people(duration_s: float = 12.0, path: str = PATH) -> Observation:
    """p1 smiles, then raises the brows; p2 enters at 3 s, scowls and answers. One gap of half a second without anybody."""
    first = {
        "AU06": [(2.0, 3.1, 4.6, 0.72, "both")],
        "AU12": [(1.8, 3.0, 4.9, 0.86, "both"), (9.0, 9.6, 10.2, 0.4, "left")],
        "AU01": [(6.0, 6.5, 7.2, 0.55, "both")],
        "AU25": [(2.2, 2.9, 3.8, 0.5, "both"), (4.0, 4.3, 4.9, 0.35, "both")],
    }
    second = {"AU04": [(5.0, 6.4, 8.8, 0.78, "both")], "AU24": [(6.0, 6.9, 7.9, 0.48, "both")]}
    gap = [(1.0, 1.5)]
    return make_observation(
        duration_s,
        people=[
            {"au": first, "speaking": [(2.0, 5.0)], "gaps": gap, "pose": (5.0, -12.0, 3.0), "gaze": (4.0, -6.0)},
            {"start_s": 3.0, "au": second, "speaking": [(6.0, 9.0)]},
        ],
        voice={"pitch": (212.0, "typical"), "loudness": (-12.0, "high"), "rate": (5.9, "high")},
        words=[(2.0, 3.4, HOSTILE[0]), (3.5, 5.0, HOSTILE[4]), (6.1, 7.4, HOSTILE[1]), (7.4, 8.9, HOSTILE[2])],
        cuts_s=(7.0,),
        path=path,
        notes=[Note("dark", "the picture is dark from 9.0 s on")],
    )


def probabilities(observation: Observation) -> dict[str, np.ndarray]:
    """person -> [T, 8]: happiness follows AU12, anger AU04, surprise AU01, the rest is neutral."""
    out = {}
    for person in observation.people:
        series = person.action_units
        scores = np.full((len(person.times_s), 8), 0.2)
        scores[:, EMOTIONS.index("neutral")] = 1.0
        for emotion, au in (("happiness", "AU12"), ("anger", "AU04"), ("surprise", "AU01")):
            scores[:, EMOTIONS.index(emotion)] += 8 * series.of(au) ** 2
        out[person.person] = scores / scores.sum(axis=1, keepdims=True)
    return out


def make_report(observation: Observation | None = None, *, abstained: bool = False, **changes) -> EmotionReport:
    """`changes` replace top-level fields of the report."""
    observation = observation or two_people()
    frames = probabilities(observation)
    clip = np.mean([p.mean(axis=0) for p in frames.values()], axis=0) if frames else None
    verdict = _verdict(clip, abstained)
    middle = observation.source.duration_s / 2
    fields = {
        "source": schema.Source(**{name: getattr(observation.source, name) for name in schema.Source.model_fields}),
        "verdict": verdict,
        "segments": [
            schema.SegmentReport(start_s=0, end_s=middle, verdict=verdict, explanation=None),
            schema.SegmentReport(start_s=middle, end_s=2 * middle, verdict=_verdict(None, True), explanation=None),
        ],
        "people": [_person(person, observation, frames[person.person]) for person in observation.people],
        "voice": _voice(observation),
        "words": _words(observation),
        "explanation": _explanation(),
        "warnings": [note.text for note in observation.notes] + [HOSTILE[0]],
        "model": schema.ModelInfo(name="composer", revision="1", config=HOSTILE[1]),
        "timings_s": schema.Timings(decode=0.31, faces=1.2, voice=0.4, words=1.1, model=0.02, total=2.1),
    }
    return EmotionReport(**(fields | changes)).attach(observation, frames)


def _verdict(p: np.ndarray | None, abstained: bool) -> schema.Verdict:
    by_emotion = None if p is None else dict(zip(EMOTIONS, map(float, p), strict=True))
    if abstained or p is None:
        return schema.Verdict(emotion=None, confidence=None, abstained=True, reason="too little to see", probabilities=by_emotion)
    return schema.Verdict(
        emotion=EMOTIONS[int(p.argmax())],
        confidence=float(p.max()),
        abstained=False,
        person="p1",
        probabilities=by_emotion,
        valence=0.31,
        arousal=0.22,
        sentiment="positive",
        compound="happily surprised",
        open_vocabulary=["cheerful", HOSTILE[0]],
        derived=["valence", "arousal", "compound"],
    )


def _person(person, observation: Observation, p: np.ndarray) -> schema.PersonReport:
    series, best = person.action_units, p.argmax(axis=1)
    edges = [0, *(np.flatnonzero(np.diff(best)) + 1), len(best)]
    return schema.PersonReport(
        person=person.person,
        face_id=person.face_id,
        start_s=person.start_s,
        end_s=person.end_s,
        speaking=[schema.Span(start_s=a, end_s=b) for a, b in observation.speaking[person.person]],
        emotion=EMOTIONS[int(p.mean(axis=0).argmax())],
        probabilities=dict(zip(EMOTIONS, map(float, p.mean(axis=0)), strict=True)),
        action_units=[_unit(au, events, series) for au, events in series.events.items()],
        emotions_over_time=[
            schema.EmotionSpan(
                start_s=person.times_s[a],
                end_s=person.times_s[min(b, len(best) - 1)],
                emotion=EMOTIONS[best[a]],
                confidence=float(p[a:b, best[a]].mean()),
            )
            for a, b in zip(edges, edges[1:], strict=False)
        ],
    )


def _unit(au, events, series) -> schema.ActionUnitSummary:
    top = max(events, key=lambda event: event.peak)
    return schema.ActionUnitSummary(
        au=au,
        name=ACTION_UNITS[au].name,
        source=series.source[au],
        reliability=series.reliability[au],
        probability=None,
        intensity=top.peak,
        level=level(top.peak),
        side=top.side,
        events=[schema.AuEvent(onset_s=e.onset_s, apex_s=e.apex_s, offset_s=e.offset_s, peak=e.peak) for e in events],
    )


def _voice(observation: Observation) -> schema.VoiceReport | None:
    voice = observation.voice
    if voice is None:
        return None
    cues = [
        schema.VoiceCueReport(cue=c.cue, value=c.value, unit=c.unit, level=c.level, start_s=c.start_s, end_s=c.end_s)
        for c in voice.cues
    ]
    return schema.VoiceReport(person="p1", speech_s=voice.speech_s, emotion=None, probabilities=None, cues=cues)


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


def _explanation() -> schema.Explanation:
    text = (
        "p1 shows happiness: the lip corners are strongly pulled up from 1.8 to 4.9 s and the cheeks are raised. "
        "The voice is soft. p2 leans forward while the brows are lowered. " + HOSTILE[0]
    )
    smile = "the lip corners are strongly pulled up from 1.8 to 4.9 s"
    claims = [
        (smile, "face", "AU12", "p1", 1.8, 4.9, "supported", "AU12 0.86, 1.8-4.9 s"),
        ("the cheeks are raised", "face", "AU06", "p1", 1.8, 4.9, "supported", "AU06 0.72, 2.0-4.6 s"),
        ("The voice is soft", "voice", "loudness", None, 2.0, 8.9, "contradicted", "-12 dBFS, high"),
        ("p2 leans forward", "scene", "posture", "p2", None, None, "unverifiable", None),
        ("the brows are lowered", "face", "AU04", "p2", 5.0, 8.8, "supported", HOSTILE[0]),
    ]
    fields = ("text", "modality", "cue", "person", "start_s", "end_s", "verdict", "measured")
    made = [schema.Claim(**dict(zip(fields, claim, strict=True))) for claim in claims]
    return schema.Explanation(text=text, claims=made, faithfulness=0.75, coverage=0.8, generator="composer")
