"""From canonical emotions to a data set's own labels: the recipe's crosswalk read backwards, where it is one to one.

A closed question offers its labels, so what a judge thinks of other emotions (contempt, in a set without it) is left out and the
rest renormalised: every judge chooses among the same candidates. A canonical emotion that stands for several labels of the set
could only be guessed to mean one of them; such labels cannot be answered, which `unreachable` lists and the page shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emoreason.instructions.recipe import Recipe

SAME = 1e-9


@dataclass(frozen=True)
class LabelMapping:
    """`labels`: what is scored. `merged`: label of the files -> label it counts as. `label_of`: canonical emotion -> label."""

    labels: tuple[str, ...]
    merged: Mapping[str, str]
    label_of: Mapping[str, str]

    @property
    def unreachable(self) -> tuple[str, ...]:
        return tuple(label for label in self.labels if label not in self.label_of.values())

    def label(self, word: str | None) -> str | None:
        """A label of the files as it is counted; None for one that is not scored."""
        word = self.merged.get(word, word) if word is not None else None
        return word if word in self.labels else None

    def counted(self, probabilities: Mapping[str, float]) -> dict[str, float] | None:
        """From labels of the files to the scored labels, renormalised; None where nothing is left."""
        return self._shares((self.label(word), p) for word, p in probabilities.items())

    def probabilities(self, canonical: Mapping[str, float] | None) -> dict[str, float] | None:
        """From canonical emotions to the scored labels, renormalised; None where nothing is left."""
        return None if canonical is None else self._shares((self.label_of.get(word), p) for word, p in canonical.items())

    def _shares(self, pairs) -> dict[str, float] | None:
        shares = dict.fromkeys(self.labels, 0.0)
        for label, p in pairs:
            if label is not None:
                shares[label] += p
        total = sum(shares.values())
        return {label: p / total for label, p in shares.items()} if total > 0 else None


def label_mapping(recipe: Recipe, merge: Mapping[str, str], only: Sequence[str] | None = None) -> LabelMapping:
    """The labels of a recipe after `merge`, of them `only` some; which canonical emotion leads to which."""
    if recipe.scheme is None:
        return LabelMapping((), {}, {})
    offered = [label for label in recipe.scheme.offered if label not in merge and (only is None or label in only)]
    meanings: dict[str, list[str]] = {}
    for label in offered:
        if emotion := recipe.scheme.crosswalk.get(label):
            meanings.setdefault(emotion, []).append(label)
    one_to_one = {emotion: labels[0] for emotion, labels in meanings.items() if len(labels) == 1}
    return LabelMapping(tuple(offered), dict(merge), one_to_one)


def most_likely(probabilities: Mapping[str, float] | None) -> str | None:
    """None without probabilities and where two labels share the lead: taking the first of a list would be luck, not an answer."""
    if probabilities is None:
        return None
    first = max(probabilities, key=lambda label: probabilities[label])
    shared = [label for label, p in probabilities.items() if p >= probabilities[first] - SAME]
    return first if len(shared) == 1 else None
