"""A judgement: what somebody (the composer, later a language model) says about a span of an Observation, unchecked."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from emoreason.labels.emotions import COMPOUNDS, EMOTIONS, valence_arousal
from emoreason.report.schema import Verdict

COMPOUND_SHARE = 0.25  # both of the two strongest emotions need at least this much
SENTIMENT_BOUND = 0.15  # |valence| below it counts as neutral


@dataclass(frozen=True)
class Judgement:
    """`probabilities` [8] or None where no modality was usable; `emotion` None when abstaining, then with a `reason`."""

    start_s: float
    end_s: float
    probabilities: np.ndarray | None
    emotion: str | None
    reason: str | None
    person: str | None
    text: str

    def verdict(self) -> Verdict:
        """With valence, arousal, sentiment and compound derived from the probabilities, and listed as such."""
        if self.probabilities is None:
            return Verdict(emotion=None, confidence=None, abstained=True, reason=self.reason, person=self.person)
        p = by_emotion(self.probabilities)
        valence, arousal = valence_arousal(p)
        compound = _compound(p)
        sentiment = "neutral" if abs(valence) < SENTIMENT_BOUND else "positive" if valence > 0 else "negative"
        return Verdict(
            emotion=self.emotion,
            confidence=None if self.emotion is None else p[self.emotion],
            abstained=self.emotion is None,
            reason=self.reason,
            person=self.person,
            probabilities=p,
            valence=valence,
            arousal=arousal,
            sentiment=sentiment,
            compound=compound,
            derived=["valence", "arousal", "sentiment", *(["compound"] if compound else [])],
        )


@dataclass(frozen=True)
class Judged:
    """All a judge says about one Observation. Arrays are [T, 8] per person for frames and [8] for the rest."""

    clip: Judgement
    segments: list[Judgement]
    frames: Mapping[str, np.ndarray]
    people: Mapping[str, np.ndarray | None]
    voice: np.ndarray | None
    generator: str
    notes: list[str] = field(default_factory=list)


def by_emotion(probabilities: np.ndarray) -> dict[str, float]:
    """Labelled and rounded so that the shown numbers themselves sum to 1 within rounding."""
    return {emotion: float(p) for emotion, p in zip(EMOTIONS, probabilities, strict=True)}


def _compound(p: Mapping[str, float]) -> str | None:
    first, second = sorted(p, key=lambda emotion: -p[emotion])[:2]
    return COMPOUNDS.get(frozenset((first, second))) if p[second] >= COMPOUND_SHARE else None
