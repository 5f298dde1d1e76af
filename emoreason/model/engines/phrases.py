"""Phrases: what usually comes next, from texts that were written before, so that several tokens can be checked in one pass.

A guess never changes a text: the model reads the guessed tokens at once and keeps those that it would have written itself
(speculative decoding, Leviathan et al. 2023, arXiv:2211.17192, with a table in place of the small model).
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

LONGEST = 4  # tokens that a guess is made from, at most
GUESSED = 3  # tokens of a guess: a pass over four takes a fifth longer than over one, over eight three quarters
FULL = 200  # texts: phrases repeat, and later ones would hardly add any


class Phrases:
    """Texts as tokens, each with the token before it."""

    def __init__(self, texts: Sequence[Sequence[int]] = ()):
        self._next: dict[tuple[int, ...], Counter[tuple[int, ...]]] = defaultdict(Counter)
        self._count = 0
        for text in texts:
            self.add(text)

    def add(self, text: Sequence[int]) -> None:
        if self._count == FULL:
            return
        self._count += 1
        for end in range(1, len(text)):
            for start in range(max(0, end - LONGEST), end):
                self._next[tuple(text[start:end])][tuple(text[end : end + GUESSED])] += 1

    def guess(self, text: Sequence[int]) -> list[int]:
        """What most often followed the longest known end of the text; nothing when not even its last token is known."""
        for length in range(min(LONGEST, len(text)), 0, -1):
            if followed := self._next.get(tuple(text[-length:])):
                return [*max(followed, key=followed.get)]
        return []
