"""Emotion scores from measured cues, per modality: log-probabilities under a uniform prior, linear in the cues, so that
every cue's share is known.

Letters: T frames of one person, A action units, E the eight emotions in the order of labels.emotions.EMOTIONS.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from emoreason.labels.action_units import AUS
from emoreason.labels.emotion_words import score_words
from emoreason.labels.emotions import EMOTIONS
from emoreason.labels.voice_weights import VOICE_WEIGHTS
from emoreason.perception.observation import Cue, Observation, Person, VoiceCue
from emoreason.perception.people import seen_s
from emoreason.report.face_weights import FACE_BIAS, FACE_WEIGHTS, ONE_SIDED_WEIGHTS
from emoreason.scoring.decision import shown_weight

MODALITY_WEIGHTS = {"face": 1.0, "voice": 0.4, "words": 0.6}
# Below these the modality says nothing: a face this poor, or this little speech, is as good as none.
MIN_QUALITY, MIN_SPEECH_S, MIN_FACE_S = 0.1, 0.5, 0.4
SPEAKING_MOUTH = 0.3
_MOUTH_OPENS = [AUS.index(au) for au in ("AU25", "AU26", "AU27")]

Spans = Sequence[tuple[float, float]]  # start and end seconds


@dataclass(frozen=True)
class Affect:
    """What one modality says about a span: log-probabilities [E] and how much it saw (seconds x quality)."""

    log_p: np.ndarray
    weight: float

    @property
    def p(self) -> np.ndarray:
        return np.exp(self.log_p)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def face_logits(person: Person, speaking: Spans = ()) -> np.ndarray:
    """[T, E] from the action-unit series; NaN where the face has no mesh (whole-picture fallback).

    While the person speaks an open mouth is speech, not surprise or rage: its units then count for SPEAKING_MOUTH of theirs.
    """
    series = person.action_units
    strongest = series.intensity.max(axis=2)  # [T, A], a copy
    for start, end in speaking:
        during = (person.times_s >= start) & (person.times_s <= end)
        strongest[np.ix_(during, _MOUTH_OPENS)] *= SPEAKING_MOUTH
    one_sided = np.abs(series.intensity[..., 0] - series.intensity[..., 1])  # [T, A]
    measured = np.nan_to_num(strongest), np.nan_to_num(one_sided)  # a unit that cannot be measured adds nothing
    logits = measured[0] @ FACE_WEIGHTS.T + measured[1] @ ONE_SIDED_WEIGHTS.T + FACE_BIAS  # [T, E]
    logits[np.isnan(strongest).all(axis=1)] = np.nan
    return logits


def face_frames(person: Person, speaking: Spans = ()) -> np.ndarray:
    """[T, E] probabilities per frame; NaN where nothing was measured."""
    return np.exp(_log_softmax(face_logits(person, speaking)))


def face_weights(person: Person, probabilities: np.ndarray) -> np.ndarray:
    """[T] quality x `expressed`; 0 where nothing was measured."""
    weights = np.nan_to_num(person.quality[:, 3] * expressed(probabilities))
    return np.where(person.quality[:, 3] < MIN_QUALITY, 0.0, weights)


def expressed(probabilities: np.ndarray) -> np.ndarray:
    """[...] weight of [..., E] in a mean over time."""
    return shown_weight(probabilities[..., EMOTIONS.index("neutral")])


def face_affect(person: Person, start_s: float, end_s: float, speaking: Spans = ()) -> Affect | None:
    """Weighted mean of the frame logits in a span; None when the face was seen for less than MIN_FACE_S (pictures excepted)."""
    inside = (person.times_s >= start_s) & (person.times_s <= end_s)
    logits = face_logits(person, speaking)
    weights = np.where(inside, face_weights(person, np.exp(_log_softmax(logits))), 0.0)
    seconds = seen_s(person.times_s[weights > 0])
    if weights.sum() <= 0 or (len(person.times_s) > 1 and seconds < min(MIN_FACE_S, (end_s - start_s) / 2)):
        return None
    mean = np.average(np.nan_to_num(logits), axis=0, weights=weights)
    return Affect(_log_softmax(mean), float(weights.mean() * max(seconds, 1e-3)))


def voice_affect(cues: Iterable[VoiceCue], speech_s: float) -> Affect | None:
    """From the levels of the vocal cues. Weak by design: prosody tells arousal better than which emotion it is."""
    if speech_s < MIN_SPEECH_S:
        return None
    logits = np.zeros(len(EMOTIONS))
    for cue in cues:
        logits += VOICE_WEIGHTS.get((cue.cue, cue.level), 0.0)
    return Affect(_log_softmax(logits), speech_s)


def words_affect(text: str) -> Affect | None:
    """From emotion words; None when the text holds none (nothing said is not 'neutral')."""
    scores = score_words(text)
    return Affect(_log_softmax(np.array([scores.get(e, 0.0) for e in EMOTIONS])), float(len(scores))) if scores else None


def fuse(parts: dict[str, Affect]) -> np.ndarray | None:
    """[E] probabilities: sum of weighted log-likelihood ratios under a uniform prior; a missing modality adds nothing."""
    if not parts:
        return None
    total = sum(MODALITY_WEIGHTS[modality] * part.log_p for modality, part in parts.items())
    return np.exp(_log_softmax(np.asarray(total)))


def cue_shares(cue: Cue) -> np.ndarray:
    """[E] what one cue adds to each emotion's score."""
    if cue.modality == "face":
        index = AUS.index(cue.cue)
        one_sided = ONE_SIDED_WEIGHTS[:, index] if cue.side in ("left", "right") else 0.0
        return float(cue.value) * (FACE_WEIGHTS[:, index] + one_sided)
    if cue.modality == "voice":
        return MODALITY_WEIGHTS["voice"] * np.asarray(VOICE_WEIGHTS.get((cue.cue, cue.level), np.zeros(len(EMOTIONS))))
    scores = score_words(str(cue.value))
    return MODALITY_WEIGHTS["words"] * np.array([scores.get(e, 0.0) for e in EMOTIONS])


def voice_cues_in(observation: Observation, start_s: float, end_s: float) -> Sequence[VoiceCue]:
    """Cues of the speech spans in a segment; the clip-wide ones where no single span was long enough."""
    if observation.voice is None:
        return ()
    cues = observation.voice.cues
    inside = [c for c in cues if min(c.end_s, end_s) - max(c.start_s, start_s) > 0.5 * (c.end_s - c.start_s)]
    return inside or cues
