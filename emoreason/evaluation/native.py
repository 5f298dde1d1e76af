"""From canonical emotions to a data set's own labels: the recipe's crosswalk read backwards, where it is one to one.

A closed question offers its labels, so what a judge thinks of other emotions (contempt, in a set without it) is left out and the
rest renormalised: every judge chooses among the same candidates. A canonical emotion that stands for several labels of the set
could only be guessed to mean one of them; such labels cannot be answered, which `unreachable` tells and the page shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emoreason.instructions.recipe import Recipe

SAME = 1e-9


@dataclass(frozen=True)
class Native:
    """`labels`: what is scored. `merged`: label of the files -> label it counts as. `of`: canonical emotion -> label."""

    labels: tuple[str, ...]
    merged: Mapping[str, str]
    of: Mapping[str, str]

    @property
    def unreachable(self) -> tuple[str, ...]:
        return tuple(label for label in self.labels if label not in self.of.values())

    def label(self, word: str | None) -> str | None:
        """A truth as it is counted; None for what is not among the scored labels."""
        word = self.merged.get(word, word) if word is not None else None
        return word if word in self.labels else None

    def probabilities(self, canonical: Mapping[str, float] | None) -> dict[str, float] | None:
        """Over the scored labels, summing to 1; None where nothing was said about any of them."""
        if canonical is None:
            return None
        shares = {label: 0.0 for label in self.labels}
        for emotion, p in canonical.items():
            if emotion in self.of:
                shares[self.of[emotion]] += p
        total = sum(shares.values())
        return {label: p / total for label, p in shares.items()} if total > 0 else None


def native(recipe: Recipe, merge: Mapping[str, str], only: Sequence[str] | None = None) -> Native:
    """The labels of a recipe after `merge`, of them `only` some; which canonical emotion leads to which."""
    if recipe.scheme is None:
        return Native((), {}, {})
    offered = [label for label in recipe.scheme.offered if label not in merge and (only is None or label in only)]
    meanings: dict[str, list[str]] = {}
    for label in offered:
        if emotion := recipe.scheme.crosswalk.get(label):
            meanings.setdefault(emotion, []).append(label)
    one_to_one = {emotion: labels[0] for emotion, labels in meanings.items() if len(labels) == 1}
    return Native(tuple(offered), dict(merge), one_to_one)


def most_likely(probabilities: Mapping[str, float] | None) -> str | None:
    """None without probabilities and where two labels share the lead: taking the first of a list would be luck, not an answer."""
    if probabilities is None:
        return None
    first = max(probabilities, key=lambda label: probabilities[label])
    shared = [label for label, p in probabilities.items() if p >= probabilities[first] - SAME]
    return first if len(shared) == 1 else None
