"""Interface: what prompts, verdicts and reports need to know of a model, without its weights.

`EmoReasonConfig` tells it of a model in torch; `SavedInterface` was written down beside a graph, so that running one loads
neither torch nor a configuration class of Transformers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from emoreason.labels.emotions import EMOTIONS
from emoreason.labels.label_set import CANONICAL, EMOTION_SET, LabelSet
from emoreason.model.prompt import Layout


class FaceView(Protocol):
    """How faces are cut. image_size: side of a crop in pixels; margin: around the face, as a share of its size; at most so many
    frames of a person, and persons of a segment."""

    image_size: int
    margin: float
    max_frames: int
    max_persons: int


class Interface(Protocol):
    """Fields mean what they mean in `EmoReasonConfig`."""

    labels: list[str]
    scheme: str
    crosswalk: dict[str, str | None] | None
    verdict: dict[str, Any] | None
    trained: bool
    words: dict[str, Any] | None
    special_token_ids: dict[str, int] | None
    face_config: FaceView

    @property
    def layout(self) -> Layout:
        """Soft tokens per person and per voice."""

    @property
    def mel_bins(self) -> int:
        """Of the voice encoder's log-mel."""

    @property
    def family(self) -> str:
        """Of the language model, as Transformers calls it."""

    @property
    def positions(self) -> int:
        """Tokens that the language model takes at most."""

    @property
    def sees_pictures(self) -> bool:
        """Whether the language model has a vision tower of its own."""

    def label_set(self) -> LabelSet:
        """What verdicts choose from. Raises ValueError for labels that are no set."""


@dataclass(frozen=True)
class SavedFaceView:
    """A `FaceView` as it was written down."""

    image_size: int
    margin: float
    max_frames: int
    max_persons: int


@dataclass(frozen=True)
class SavedInterface:
    """An `Interface` as it was written down."""

    layout: Layout
    mel_bins: int
    family: str
    positions: int
    face_config: SavedFaceView
    special_token_ids: dict[str, int]
    words: dict[str, Any] | None = None
    sees_pictures: bool = False
    labels: list[str] = field(default_factory=lambda: list(EMOTIONS))
    scheme: str = CANONICAL
    crosswalk: dict[str, str | None] | None = None
    verdict: dict[str, Any] | None = None
    trained: bool = False

    def label_set(self) -> LabelSet:
        return label_set_of(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SavedInterface":
        """Raises TypeError or KeyError for values that are no interface."""
        layout, face = Layout(**values["layout"]), SavedFaceView(**values["face_config"])
        return cls(**{**values, "layout": layout, "face_config": face})


def to_dict(interface: Interface) -> dict[str, Any]:
    """As JSON takes it; `SavedInterface.from_dict` reads it."""
    values = {one.name: getattr(interface, one.name) for one in fields(SavedInterface)}
    face = {one.name: getattr(interface.face_config, one.name) for one in fields(SavedFaceView)}
    return {**values, "layout": {"face": interface.layout.face, "voice": interface.layout.voice}, "face_config": face}


def to_json(interface: Interface) -> str:
    """The same for every way of running the same model."""
    return json.dumps(to_dict(interface), sort_keys=True)


def label_set_of(interface: Interface) -> LabelSet:
    """Raises ValueError for labels that are no set."""
    if interface.scheme == CANONICAL:
        return EMOTION_SET
    return LabelSet(interface.scheme, tuple(interface.labels), interface.crosswalk or {})
