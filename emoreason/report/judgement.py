"""A judgement: what somebody (the composer, later a language model) says about a span of an Observation, unchecked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from emoreason.labels.emotions import COMPOUNDS, EMOTIONS, valence_arousal
from emoreason.labels.label_set import EMOTION_SET, LabelSet
from emoreason.perception.observation import Observation
from emoreason.report.schema import Verdict
from emoreason.scoring.decision import decide, pool

COMPOUND_SHARE = 0.25  # both of the two strongest emotions need at least this much
TOLD_APART = 0.01  # between the most and the least likely emotion, where anything is said about them
SENTIMENT_BOUND = 0.15  # |valence| below it counts as neutral


@dataclass(frozen=True)
class Judgement:
    """`probabilities` [K] over the labels of `scheme`, or None where no modality was usable; `emotion`, one of those labels, is
    None when abstaining, then with a `reason`."""

    start_s: float
    end_s: float
    probabilities: np.ndarray | None
    emotion: str | None
    reason: str | None
    person: str | None
    text: str
    scheme: LabelSet = EMOTION_SET

    def verdict(self) -> Verdict:
        """With valence, arousal, sentiment and compound derived from the probabilities, and listed as such; null for labels of
        one's own that do not all stand for canonical emotions."""
        told = {"scheme": self.scheme.name, "reason": self.reason, "person": self.person}
        if self.probabilities is None:
            return Verdict(emotion=None, confidence=None, abstained=True, **told)
        p = {label: float(share) for label, share in zip(self.scheme.labels, self.probabilities, strict=True)}
        return Verdict(
            emotion=self.scheme.emotion(self.emotion),
            label=self.emotion,
            confidence=None if self.emotion is None else p[self.emotion],
            abstained=self.emotion is None,
            probabilities=p,
            **told,
            **_derived(self.scheme.emotions(self.probabilities)),
        )


@dataclass(frozen=True)
class Judged:
    """All a judge says about one Observation. Arrays are [T, 8] per person for frames and [8] for people and the voice, which are
    judged by the canonical emotions in any case. least_confidence: below which the judge names no emotion; None: the default."""

    clip: Judgement
    segments: list[Judgement]
    frames: Mapping[str, np.ndarray]
    people: Mapping[str, np.ndarray | None]
    voice: np.ndarray | None
    generator: str
    notes: list[str] = field(default_factory=list)
    least_confidence: float | None = None

    def within(self, start_s: float, end_s: float, observation: Observation) -> Judgement:
        """What it says about a stretch of the clip: the segments pooled by the seconds that they share with it."""
        seconds = [min(part.end_s, end_s) - max(part.start_s, start_s) for part in self.segments]
        p = pool([part.probabilities for part in self.segments], seconds)
        told = conclude(p, observation, start_s, end_s, self.clip.person, self.clip.scheme, self.least_confidence)
        return replace(told, text=self.clip.text)


def conclude(
    p: np.ndarray | None,
    observation: Observation,
    start_s: float,
    end_s: float,
    person: str | None = None,
    scheme: LabelSet = EMOTION_SET,
    least_confidence: float | None = None,
) -> Judgement:
    """The verdict that `p` [K] comes to, without a text yet; None: nothing was measured well enough."""
    emotion, reason = (None, nothing_measured(observation)) if p is None else decide(p, scheme.labels, least_confidence)
    return Judgement(start_s, end_s, p, emotion, reason, person, "", scheme)


def nothing_measured(observation: Observation) -> str:
    """Why there is nothing that a verdict could be about."""
    face = "no face was measured well enough" if observation.people else "no face was found"
    heard = "no speech was heard" if observation.source.has_audio else "there is no sound"
    return f"{face} and {heard}" if observation.source.has_video else heard


def by_emotion(probabilities: np.ndarray) -> dict[str, float]:
    """Labelled and rounded so that the shown numbers themselves sum to 1 within rounding."""
    return {emotion: float(p) for emotion, p in zip(EMOTIONS, probabilities, strict=True)}


def _derived(probabilities: np.ndarray | None) -> dict[str, Any]:
    """Of the probabilities [8] of the canonical emotions; of ones that are all alike nothing follows, although more emotions are
    unpleasant than pleasant."""
    if probabilities is None or float(np.ptp(probabilities)) < TOLD_APART:
        return {}
    p = by_emotion(probabilities)
    valence, arousal = valence_arousal(p)
    compound = _compound(p)
    sentiment = "neutral" if abs(valence) < SENTIMENT_BOUND else "positive" if valence > 0 else "negative"
    derived = ["valence", "arousal", "sentiment", *(["compound"] if compound else [])]
    return {"valence": valence, "arousal": arousal, "sentiment": sentiment, "compound": compound, "derived": derived}


def _compound(p: Mapping[str, float]) -> str | None:
    first, second = sorted(p, key=lambda emotion: -p[emotion])[:2]
    return COMPOUNDS.get(frozenset((first, second))) if p[second] >= COMPOUND_SHARE else None
