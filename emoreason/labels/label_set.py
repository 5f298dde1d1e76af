"""A set of labels that a verdict chooses from: the canonical emotions, or words of one's own with what they stand for."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from emoreason.labels.emotions import EMOTIONS


@dataclass(frozen=True)
class LabelSet:
    """`crosswalk`: the canonical emotion that a label stands for; a label without one stands for none, whatever its word.

    Raises ValueError for fewer than two labels, a label twice, and a crosswalk from or to words that are not there.
    """

    name: str
    labels: tuple[str, ...]
    crosswalk: Mapping[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(set(self.labels)) < max(len(self.labels), 2):
            raise ValueError(f"label set '{self.name}': at least two labels, all distinct, got {list(self.labels)}")
        if wrong := [label for label in self.crosswalk if label not in self.labels]:
            raise ValueError(f"label set '{self.name}': the crosswalk names '{wrong[0]}', which is none of its labels")
        if wrong := [word for word in self.crosswalk.values() if word is not None and word not in EMOTIONS]:
            raise ValueError(f"label set '{self.name}': the crosswalk leads to '{wrong[0]}'; there are {', '.join(EMOTIONS)}")

    @property
    def canonical(self) -> bool:
        """Whether these are the canonical emotions themselves."""
        return self.name == CANONICAL

    def emotion(self, label: str | None) -> str | None:
        """The canonical emotion of a label; None where nobody said."""
        return self.crosswalk.get(label)

    def emotions(self, probabilities: np.ndarray) -> np.ndarray | None:
        """[..., K] over the labels -> [..., 8] over the canonical emotions; None unless every label stands for one."""
        places = [EMOTIONS.index(emotion) for label in self.labels if (emotion := self.emotion(label))]
        if len(places) < len(self.labels):
            return None
        out = np.zeros((*probabilities.shape[:-1], len(EMOTIONS)))
        for k, place in enumerate(places):
            out[..., place] += probabilities[..., k]
        return out


CANONICAL = "emoreason"
EMOTION_SET = LabelSet(CANONICAL, EMOTIONS, {emotion: emotion for emotion in EMOTIONS})
