"""Batches: the endless stream of a mixture, cut into batches that can be taken up again at any one of them.

A batch depends on its number alone, never on what was made before it, so a resumed run goes on with exactly the next one.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

import numpy as np
from torch.utils.data import IterableDataset, get_worker_info

from emoreason.instructions.mixture import Draw, Mixture

Collate = Callable[[Sequence[Any]], dict[str, Any]]


class Examples(Protocol):
    """Where training samples come from. `example` takes all its chance from `draw.rng()`.

    A source with `size(example) -> int` (tokens, frames) has its batches put together from examples of like size.
    """

    mixture: Mixture

    def example(self, draw: Draw) -> Any: ...


class Batches(IterableDataset):
    """Yields (draws, collated batch), from batch number `start` on, for one process of `processes`.

    `window`: so many batches are made of neighbouring examples after sorting them by size, and come in random order.
    """

    def __init__(
        self,
        examples: Examples,
        collate: Collate,
        batch: int,
        start: int = 0,
        window: int = 1,
        process: int = 0,
        processes: int = 1,
    ):
        self.examples, self.collate, self.batch, self.start, self.window = examples, collate, batch, start, window
        self.process, self.processes = process, processes

    def __iter__(self) -> Iterator[tuple[list[Draw], dict[str, Any]]]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        mine = (self.start - worker + workers - 1) // workers  # batches that this worker has made: they take turns
        shard = self.process * workers + worker
        mixture = Mixture(self.examples.mixture.parts, self.examples.mixture.seed, shard, self.processes * workers)
        window, inside = divmod(mine, self.window)
        for _ in range(window * self.window * self.batch):
            next(mixture)
        while True:
            yield from list(self._window(mixture, window))[inside:]
            window, inside = window + 1, 0

    def _window(self, mixture: Mixture, number: int) -> Iterator[tuple[list[Draw], dict[str, Any]]]:
        draws = list(islice(mixture, self.window * self.batch))
        made = [(draw, self.examples.example(draw)) for draw in draws]
        order = np.arange(self.window)
        if self.window > 1:
            made.sort(key=lambda pair: self.examples.size(pair[1]))
            order = np.random.default_rng([mixture.seed, number]).permutation(self.window)
        for place in order:
            some = made[place * self.batch : (place + 1) * self.batch]
            yield [draw for draw, _ in some], self.collate([example for _, example in some])
