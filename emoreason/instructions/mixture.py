"""Mixture: several data sets as one endless stream, at exact rates, the same on every run, and resumable at any draw.

Which part comes next is decided by a schedule, not by chance (Tijdeman's chairman assignment): after any number of draws each
part has been drawn weight x draws times, give or take less than one. Chance only orders the items inside a part.
"""

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from emoreason.errors import ConfigError

_FINEST = 1_000_000  # weights are taken as fractions with at most this denominator, so that the schedule is exact


@dataclass(frozen=True)
class Part:
    """`classes`, one name per item, asks for class balance: every class is drawn equally often, small ones repeat sooner."""

    name: str
    size: int
    weight: float = 1.0
    classes: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ConfigError(f"mixture part '{self.name}' is empty: build its records first or take it out")
        if not self.weight > 0 or self.weight == float("inf"):
            raise ConfigError(f"mixture part '{self.name}' has weight {self.weight}; give a positive number or take it out")
        if self.classes is not None and len(self.classes) != self.size:
            raise ConfigError(f"mixture part '{self.name}' has {self.size} items, but {len(self.classes)} class names")


@dataclass(frozen=True)
class Draw:
    """The `index`-th sample of the run: item `item` of part `part`, drawn before `epoch` times (of its class, if balanced)."""

    index: int
    part: str
    item: int
    epoch: int
    seed: int

    def rng(self) -> np.random.Generator:
        """All chance in making this sample; the same for the same (seed, index, epoch) whatever was drawn before."""
        return np.random.default_rng([self.seed, self.index, self.epoch])


class Mixture:
    """Iterate to get draws. One process of many takes `shard` of `shards` (rank x workers + worker): together they cover
    every draw exactly once. `state()` after any draw, given to `resume`, goes on with the next one.

    >>> mixture = Mixture([Part("faces", 28_000, 3), Part("voices", 1_200, 1)], seed=7)
    >>> draw = next(mixture)
    """

    def __init__(self, parts: Sequence[Part], seed: int, shard: int = 0, shards: int = 1):
        names = Counter(part.name for part in parts)
        if not parts or max(names.values()) > 1:
            raise ConfigError(f"a mixture needs parts of different names, got: {', '.join(names.elements()) or 'none'}")
        if not 0 <= shard < shards:
            raise ConfigError(f"shard {shard} of {shards}: shards count from 0 to {shards - 1}")
        self.parts, self.seed, self.shard, self.shards = tuple(parts), seed, shard, shards
        self._weights = whole_weights([part.weight for part in parts])
        self._pools = [_pools(part) for part in parts]
        self._counts = [0] * len(parts)  # draws of all shards so far

    def __iter__(self) -> Iterator[Draw]:
        return self

    def __next__(self) -> Draw:
        """One draw of each block of `shards` is ours. Which one changes by chance: else a shard could meet one part only."""
        start = sum(self._counts)
        mine = int(np.random.default_rng([self.seed, start]).permutation(self.shards)[self.shard]) if self.shards > 1 else 0
        for place in range(self.shards):
            chosen = next_part(self._weights, self._counts)
            if place == mine:
                draw = self._draw(start + place, chosen, self._counts[chosen])
            self._counts[chosen] += 1
        return draw

    def _draw(self, index: int, chosen: int, count: int) -> Draw:
        part, pools = self.parts[chosen], self._pools[chosen]
        stream = zlib.crc32(part.name.encode())  # of its name: adding a part does not reorder the others
        turn, place = divmod(count, len(pools))
        which = int(_order(len(pools), self.seed, stream, turn)[place])
        epoch, place = divmod(turn, len(pools[which]))
        item = pools[which][_order(len(pools[which]), self.seed, stream, epoch, which)[place]]
        return Draw(index, part.name, int(item), epoch, self.seed)

    def state(self) -> dict[str, Any]:
        """Small and JSON-able: to be saved with a checkpoint. Shards that have drawn equally often have the same state."""
        sizes = {part.name: part.size for part in self.parts}
        counts = dict(zip(sizes, self._counts, strict=True))
        return {"seed": self.seed, "sizes": sizes, "weights": self._weights, "counts": counts}

    def resume(self, state: Mapping[str, Any]) -> "Mixture":
        """Go on after `state`; the number of shards may have changed. Raises ConfigError if the mixture itself has."""
        here = self.state()
        for key in ("seed", "sizes", "weights"):
            if state.get(key) != here[key]:
                raise ConfigError(f"saved mixture: {key} {state.get(key)}, here {here[key]}; resume with the same data and seed")
        self._counts = [state["counts"][part.name] for part in self.parts]
        return self


def next_part(weights: Sequence[int], counts: Sequence[int]) -> int:
    """Of the parts that are behind their share, the one that must come soonest. R. Tijdeman, The chairman assignment problem,
    Discrete Mathematics 32 (1980): no part is ever off its share by more than 1 - 1/(2m - 2), m parts."""
    if len(weights) == 1:
        return 0
    total, step, fine = sum(weights), sum(counts) + 1, 2 * len(weights) - 2
    due = [(weight * step - count * total) * fine for weight, count in zip(weights, counts, strict=True)]  # x total x fine
    behind = [i for i in range(len(weights)) if due[i] >= total]
    return min(behind, key=lambda i: ((fine - 1) * total - due[i]) / weights[i])


def whole_weights(weights: Sequence[float]) -> list[int]:
    """The smallest whole numbers in the same proportion."""
    shares = [Fraction(weight / sum(weights)).limit_denominator(_FINEST) for weight in weights]
    if not all(shares):
        raise ConfigError(f"mixture weights {list(weights)} differ by more than {_FINEST} to 1: the least would never be drawn")
    common = np.lcm.reduce([share.denominator for share in shares], dtype=object)
    whole = [int(share * common) for share in shares]
    divisor = int(np.gcd.reduce(whole, dtype=object))
    return [weight // divisor for weight in whole]


def _pools(part: Part) -> list[np.ndarray]:
    """Item numbers: of each class where balance is asked for, else of all together."""
    if part.classes is None:
        return [np.arange(part.size)]
    classes = np.asarray(part.classes)
    return [np.flatnonzero(classes == name) for name in sorted(set(part.classes))]


@lru_cache(maxsize=256)
def _order(size: int, *seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(size)
