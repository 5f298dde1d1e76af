"""The course: phases where something changes, one where nothing does, and never a flicker; the headline that tells them."""

import numpy as np
import pytest
from observations import make_observation

from emoreason.labels.emotions import EMOTIONS
from emoreason.labels.label_set import LabelSet
from emoreason.report.assemble import assemble
from emoreason.report.course import changing, confidences, headline, phases, segment_phases
from emoreason.report.judgement import Judged, Judgement
from emoreason.report.schema import EmotionSpan, ModelInfo, Verdict

FPS = 12.0


def one(emotion: str, p: float = 0.9) -> np.ndarray:
    """[8] with the rest spread evenly."""
    out = np.full(8, (1 - p) / 7)
    out[EMOTIONS.index(emotion)] = p
    return out


def frames(*parts: tuple[float, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(times_s, [T, 8]) of parts that last so many seconds."""
    values = np.concatenate([np.tile(p, (round(seconds * FPS), 1)) for seconds, p in parts])
    return np.arange(len(values)) / FPS, values


def told(found: list[EmotionSpan]) -> list[tuple[str, float, float]]:
    return [(phase.emotion, round(phase.start_s, 1), round(phase.end_s, 1)) for phase in found]


def test_a_change_makes_two_phases_that_touch():
    found = phases(*frames((9.5, one("sadness", 0.8)), (10, one("happiness", 0.95))))
    assert told(found) == [("sadness", 0.0, 9.5), ("happiness", 9.5, 19.4)]
    assert [phase.confidence for phase in found] == pytest.approx([0.8, 0.95])


@pytest.mark.parametrize("p", [0.4, 0.6, 0.9])
def test_a_steady_expression_is_one_phase_whatever_flickers(p):
    rng = np.random.default_rng(0)
    times, values = frames((20, one("anger", p)))
    logits = np.log(values) + rng.normal(0, 0.6, values.shape)
    values = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    values[50:53], values[120:122] = one("surprise", 0.99), one("fear", 0.99)
    assert told(phases(times, values)) == [("anger", 0.0, 19.9)]


def test_frames_that_are_torn_go_with_their_neighbours():
    torn = np.array([0.1, 0.05, 0.05, 0.3, 0.05, 0.25, 0.15, 0.05])
    assert torn.argmax() != EMOTIONS.index("sadness")
    found = phases(*frames((6, one("sadness")), (3, torn), (10, one("happiness"))))
    assert [phase.emotion for phase in found] == ["sadness", "happiness"]
    assert abs(found[1].start_s - 9) < 0.2 and found[0].end_s == found[1].start_s


def test_no_phase_is_shorter_than_half_a_second():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        parts = [(rng.uniform(0.1, 3), one(str(rng.choice(EMOTIONS)), rng.uniform(0.3, 1))) for _ in range(12)]
        found = phases(*frames(*parts))
        assert all(phase.end_s - phase.start_s >= 0.5 - 1e-6 for phase in found)
        for before, after in zip(found, found[1:], strict=False):
            assert before.end_s <= after.start_s and (before.emotion != after.emotion or before.end_s < after.start_s)


def test_what_was_not_judged_is_a_gap_and_a_short_one_is_none():
    times, values = frames((3, one("fear")), (4, one("fear")), (3, one("fear")))
    values[36:84] = np.nan
    assert told(phases(times, values)) == [("fear", 0.0, 2.9), ("fear", 7.0, 9.9)]
    values[36:84] = one("fear")
    values[40:48] = np.nan
    assert told(phases(times, values)) == [("fear", 0.0, 9.9)]


def test_a_phase_that_no_emotion_leads_clearly_is_left_out():
    found = phases(*frames((5, one("disgust")), (8, np.full(8, 0.125)), (5, one("happiness"))))
    assert {phase.emotion for phase in found} == {"disgust", "happiness"}
    assert phases(*frames((8, np.full(8, 0.125)))) == []


@pytest.mark.parametrize(
    "values",
    [np.zeros((0, 8)), np.tile(one("fear"), (1, 1)), np.full((30, 8), np.nan), np.tile(one("fear"), (4, 1))],
    ids=["nobody", "picture", "not judged", "a moment"],
)
def test_a_picture_a_moment_and_nothing_have_no_phase(values):
    assert phases(np.arange(len(values)) / FPS, values) == []


def test_faces_sampled_slowly_have_a_course():
    assert told(phases(np.arange(0.0, 60, 5), np.stack([one("fear")] * 6 + [one("anger")] * 6))) == [
        ("fear", 0.0, 30.0),
        ("anger", 30.0, 55.0),
    ]


def test_uneven_times_count_by_their_seconds():
    times = np.concatenate([np.arange(0, 4, 0.5), np.arange(4, 5, 0.02)])  # the second is shorter and has more frames
    values = np.stack([one("neutral")] * 8 + [one("surprise")] * 50)
    assert told(phases(times, values)) == [("neutral", 0.0, 4.0), ("surprise", 4.0, 5.0)]
    assert told(phases(times[:28], values[:28])) == [("neutral", 0.0, 4.4)]  # twenty frames, but less than half a second


def judgement(start_s, end_s, emotion, p=0.6, person="p1", scheme=None) -> Judgement:
    extra = {} if scheme is None else {"scheme": scheme}
    labels = EMOTIONS if scheme is None else scheme.labels
    values = np.full(len(labels), (1 - p) / (len(labels) - 1))
    if emotion is not None:
        values[labels.index(emotion)] = p
    else:
        values = np.full(len(labels), 1 / len(labels))
    return Judgement(start_s, end_s, values, emotion, None if emotion else "unclear", person, "", **extra)


def test_segments_tell_the_course_where_no_face_was_judged():
    parts = [("fear", 0.6), ("fear", 0.8), (None, 0), ("anger", 0.7), ("fear", 0.5)]
    found = segment_phases([judgement(2 * n, 2 * n + 2, emotion, p) for n, (emotion, p) in enumerate(parts)])
    assert told(found) == [("fear", 0, 4), ("anger", 6, 8), ("fear", 8, 10)]
    assert [phase.confidence for phase in found] == pytest.approx([0.7, 0.7, 0.5])


def report_of(emotion, face, segments=(), voice=None, scheme=None):
    """A report on one person in view for ten seconds; face: parts of frame probabilities, None = not judged."""
    observation = make_observation(10, people=[{}], voice=voice)
    judged = Judged(
        clip=judgement(0, 10, emotion, scheme=scheme),
        segments=[judgement(*part, scheme=scheme) for part in segments or [(0, 10, emotion)]],
        frames={} if face is None else {"p1": frames(*face)[1]},
        people={"p1": None},
        voice=None,
        generator="test",
    )
    return assemble(observation, judged, ModelInfo(name="test"), {})


CHANGE = [(5, one("sadness")), (5, one("happiness"))]
SPEECH = {"pitch": (200.0, "high")}


@pytest.mark.parametrize(
    ("emotion", "face", "voice", "expected"),
    [
        ("happiness", CHANGE, None, ["sadness", "happiness"]),
        ("happiness", CHANGE, SPEECH, ["sadness", "happiness"]),
        (None, CHANGE, SPEECH, ["sadness", "happiness"]),  # the change is why the whole abstains
        ("contempt", CHANGE, None, ["sadness", "happiness"]),  # an average of the two that is neither
        ("contempt", CHANGE, SPEECH, ["contempt"]),  # which the voice or the words said
        ("anger", [(10, one("neutral"))], SPEECH, ["anger"]),
        ("neutral", [(10, one("neutral"))], SPEECH, ["neutral"]),
        (None, [(10, one("neutral"))], SPEECH, []),
        ("fear", None, SPEECH, ["fear"]),
    ],
)
def test_one_phase_agrees_with_the_verdict_and_a_change_is_told(emotion, face, voice, expected):
    report = report_of(emotion, face, voice=voice)
    assert [phase.emotion for phase in report.verdict.course] == expected
    shown = None if face is None else [phase.emotion for phase in report.people[0].course]
    assert shown == (None if face is None else ["sadness", "happiness"] if face is CHANGE else ["neutral"])
    assert [segment.verdict.course for segment in report.segments] == [None]


def test_labels_of_ones_own_have_no_course_of_the_verdict_but_persons_do():
    own = LabelSet("moods", ("up", "down"), {"up": "happiness", "down": "sadness"})
    report = report_of("up", CHANGE, scheme=own)
    assert report.verdict.course is None and headline(report.verdict) == "up"
    assert [phase.emotion for phase in report.people[0].course] == ["sadness", "happiness"]


def verdict(course, emotion="sadness") -> Verdict:
    spans = [EmotionSpan(start_s=a, end_s=b, emotion=e, confidence=p) for a, b, e, p in course]
    reason = None if emotion else "unclear"
    confidence = 0.5 if emotion else None
    return Verdict(emotion=emotion, confidence=confidence, abstained=emotion is None, reason=reason, course=spans)


def test_the_headline_is_the_course_where_phases_differ():
    two = verdict([(0, 9.5, "sadness", 0.55), (9.5, 19.6, "happiness", 0.96)])
    assert headline(two, 19.7) == "sadness, then happiness from 9.5 s" and confidences(two) == [0.55, 0.96]
    abstaining = verdict([(0, 70, "fear", 0.5), (70, 200, "anger", 0.9)], emotion=None)
    assert headline(abstaining, 200) == "fear, then anger from 1:10"


def test_the_headline_is_the_label_where_they_do_not():
    gap = verdict([(0, 3, "sadness", 0.8), (6, 9, "sadness", 0.4)])
    for same in (gap, verdict([(0, 3, "anger", 0.8)], emotion="sadness"), verdict([])):
        assert headline(same) == "sadness" and confidences(same) == [0.5] and changing(same) == []
    assert headline(verdict([], emotion=None)) is None and confidences(verdict([], emotion=None)) == []


def test_a_long_course_is_told_by_its_longest_emotions():
    names = ["neutral", "happiness", "neutral", "surprise", "neutral", "anger"]
    long = verdict([(10 * n, 10 * n + 10 - n, name, 0.5) for n, name in enumerate(names)])
    assert headline(long, 60) == "mostly neutral, also happiness and surprise, in 6 phases" and confidences(long) == []
