"""The course of what is shown: the phases that an expression goes through, and the headline that tells them.

Letters: N judged frames of one person, E the eight emotions in the order of labels.emotions.EMOTIONS.
"""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from emoreason.labels.emotions import EMOTIONS
from emoreason.perception.observation import Observation
from emoreason.report.clock import clock
from emoreason.report.judgement import Judged, Judgement
from emoreason.report.schema import EmotionSpan, Verdict

SHORTEST_S = 0.5  # no phase is shorter
# A change has to gain this much: half a second of frames that are sure of the new emotion and sure that the old one is gone. On
# eleven real clips and fourteen made of stills, all values from 0.4 to 1.5 give the same phases; at 0.35 and less the stretch
# in which a hand covers the face of the sample clip is told apart, at 0.25 a face between surprise and fear is split, too.
CHANGE_S = 0.5
GAP_S = 1.0  # a longer time without a judged frame is a gap between phases
LEAST = 0.35  # mean probability of a phase below which it names nothing; chance is 0.125
MOST_TOLD = 4  # phases of a headline; of more it tells the emotions that last longest


def phases(times_s: np.ndarray, frames: np.ndarray) -> list[EmotionSpan]:
    """Of the probabilities [T, E] of one person's frames at times_s [T]; NaN where nothing was judged. Empty for a picture.

    Of all sequences of emotions in which each lasts SHORTEST_S or longer, the one with the highest sum of squared probability x
    seconds, less CHANGE_S for each change. Squared, as a frame that is torn between emotions should not decide: it goes with the
    frames around it, and flicker makes no phase.
    """
    known = np.isfinite(frames).all(axis=1)
    times_s, frames = times_s[known], frames[known]
    if len(times_s) < 2:
        return []
    reach = max(GAP_S, 2.5 * float(np.median(np.diff(times_s))))  # faces may be sampled more slowly than GAP_S
    seconds = np.append(np.minimum(np.diff(times_s), reach), 0.0)  # each frame stands for the time to the next
    emotions = _best(times_s, frames**2 * seconds[:, None])
    found = []
    for start, stop in _runs(emotions, times_s, reach):
        next_follows = stop < len(times_s) and times_s[stop] - times_s[stop - 1] <= reach
        end_s = float(times_s[stop if next_follows else stop - 1])
        confidence = float(np.average(frames[start:stop, emotions[start]], weights=np.maximum(seconds[start:stop], 1e-3)))
        if end_s - times_s[start] >= SHORTEST_S and confidence >= LEAST:
            found.append(_phase(float(times_s[start]), end_s, EMOTIONS[emotions[start]], confidence))
    return found


def segment_phases(segments: Sequence[Judgement]) -> list[EmotionSpan]:
    """Of the segments' verdicts in order of time: neighbours of one emotion merged, those that abstain left out."""
    named = [part for part in segments if part.emotion is not None]
    found: list[list[Judgement]] = []
    for part in named:
        if found and found[-1][-1].emotion == part.emotion and part.start_s - found[-1][-1].end_s <= GAP_S:
            found[-1].append(part)
        else:
            found.append([part])
    told = [_phase(run[0].start_s, run[-1].end_s, run[0].emotion, _mean_confidence(run)) for run in found]
    return [phase for phase in told if phase.end_s - phase.start_s >= SHORTEST_S]


def clip_course(observation: Observation, judged: Judged, faces: dict[str, list[EmotionSpan]]) -> list[EmotionSpan] | None:
    """Of the clip's person; faces: the phases of each person whose frames were judged.

    The face tells when something changes. Where it never shows what the verdict names, the segments' verdicts tell the course:
    voice or words decided it, or there is no face. Without a voice a face that changes is believed all the same, as its average
    may look like neither of its phases. None for labels of a scheme of one's own: the phases are canonical emotions, and a
    headline in other words than the verdict's would contradict it.
    """
    if not judged.clip.scheme.canonical:
        return None
    shown = faces.get(judged.clip.person, [])
    emotions, named = {phase.emotion for phase in shown}, judged.clip.emotion
    heard = observation.voice is not None or observation.words is not None
    changes = len(emotions) > 1 and (named is None or not heard)
    return shown if named in emotions or changes else segment_phases(judged.segments)


def changing(verdict: Verdict) -> list[EmotionSpan]:
    """The phases of a verdict's course where they differ, those of one emotion on both sides of a gap as one; else none."""
    found = [_joined(list(run)) for _, run in groupby(verdict.course or (), key=lambda phase: phase.emotion)]
    return found if len(found) > 1 else []


def headline(verdict: Verdict, duration_s: float = 0.0) -> str | None:
    """`sadness, then happiness from 9.5 s` where the phases differ, else the verdict's label; None where nothing is named."""
    told = changing(verdict)
    if not told:
        return verdict.label
    if len(told) <= MOST_TOLD:
        further = [f"then {phase.emotion} from {clock(phase.start_s, duration_s)}" for phase in told[1:]]
        return ", ".join([told[0].emotion, *further])
    seconds = {emotion: sum(p.end_s - p.start_s for p in told if p.emotion == emotion) for emotion in EMOTIONS}
    longest = sorted((emotion for emotion in EMOTIONS if seconds[emotion]), key=lambda emotion: -seconds[emotion])[:3]
    return f"mostly {longest[0]}, also {' and '.join(longest[1:])}, in {len(told)} phases"


def confidences(verdict: Verdict) -> list[float]:
    """What stands beside the headline: the confidence of each phase that it tells, or that of the verdict."""
    told = changing(verdict)
    if told:
        return [phase.confidence for phase in told] if len(told) <= MOST_TOLD else []
    return [] if verdict.confidence is None else [verdict.confidence]


def _phase(start_s: float, end_s: float, emotion: str, confidence: float) -> EmotionSpan:
    return EmotionSpan(start_s=start_s, end_s=end_s, emotion=emotion, confidence=confidence)


def _joined(run: list[EmotionSpan]) -> EmotionSpan:
    weights = [max(phase.end_s - phase.start_s, 1e-3) for phase in run]
    mean = float(np.average([phase.confidence for phase in run], weights=weights))
    return _phase(run[0].start_s, run[-1].end_s, run[0].emotion, mean)


def _mean_confidence(run: list[Judgement]) -> float:
    weights = [max(part.end_s - part.start_s, 1e-3) for part in run]
    return float(np.average([part.probabilities[part.scheme.labels.index(part.emotion)] for part in run], weights=weights))


def _best(times_s: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """[N] index of the emotion in each frame, the best sequence by gains [N, E]. Dynamic programming, O(N E).

    Clips shorter than SHORTEST_S are one phase.
    """
    count, kinds = gains.shape
    total = np.vstack([np.zeros(kinds), np.cumsum(gains, axis=0)])  # [N + 1, E]
    latest = np.searchsorted(times_s, times_s - SHORTEST_S + 1e-6, side="right") - 1  # [N] where a phase ending here begins
    latest[-1] = max(latest[-1], 0)
    score, begun = np.full((count, kinds), -np.inf), np.zeros((count, kinds), int)  # of the best that has emotion e in frame i
    before = np.full(count + 1, -np.inf)  # of the best that ends with the frame before i
    before[0] = CHANGE_S  # the first phase is not a change
    for i in range(count):
        if i:
            score[i], begun[i] = score[i - 1] + gains[i], begun[i - 1]
        if (start := latest[i]) >= 0:
            new = before[start] - CHANGE_S + total[i + 1] - total[start]  # [E]
            begun[i] = np.where(new > score[i], start, begun[i])
            score[i] = np.maximum(new, score[i])
        before[i + 1] = score[i].max()
    emotions, stop = np.zeros(count, int), count
    while stop:
        emotion = int(score[stop - 1].argmax())
        start = begun[stop - 1, emotion]
        emotions[start:stop], stop = emotion, start
    return emotions


def _runs(emotions: np.ndarray, times_s: np.ndarray, reach: float) -> list[tuple[int, int]]:
    """Half-open ranges of frames of one emotion without a gap."""
    edges = (np.flatnonzero((np.diff(emotions) != 0) | (np.diff(times_s) > reach)) + 1).tolist()
    return list(zip([0, *edges], [*edges, len(emotions)], strict=True))
