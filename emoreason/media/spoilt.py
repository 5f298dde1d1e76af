"""A clip whose pictures are changed as they are read, for measuring what bad pictures do."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from emoreason.media.clip import Clip, Frame


class SpoiltClip(Clip):
    """A file whose every frame is changed as it is read. `change` gives the new picture, of the same size; the sound stays."""

    def __init__(self, path: str, change: Callable[[Frame], np.ndarray]):
        super().__init__(path)
        self.change = change

    def sample(self, *arguments: Any, **named: Any) -> Iterator[Frame]:
        return map(self._changed, super().sample(*arguments, **named))

    def frames(self, *arguments: Any, **named: Any) -> list[Frame]:
        return [self._changed(frame) for frame in super().frames(*arguments, **named)]

    def _changed(self, frame: Frame) -> Frame:
        return replace(frame, image=self.change(frame))
