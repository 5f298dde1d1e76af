"""The folder of a graph: what lies where, and what it says of its model. Written by `graph.py`, run by `onnx.py`.

model.onnx (.data)    the language model, from embeddings to logits
frames.onnx           the face encoder, one frame at a time
people.onnx           its frames over time, to features and soft tokens
voice.onnx            the voice encoder, to features and soft tokens
words/model.onnx      the first layers of the language model as they read utterances; only where a head asks for it
parts.safetensors     embeddings and heads
about.json            the model's interface, its heads, and when its texts end
tokenizer/            as Transformers saves it
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoreason.errors import EnvironmentProblem
from emoreason.model.head_spec import HeadSpec
from emoreason.model.interface import Interface, SavedInterface, to_dict

LANGUAGE, FRAMES, PEOPLE, VOICE = "model.onnx", "frames.onnx", "people.onnx", "voice.onnx"
WORDS = f"words/{LANGUAGE}"
PARTS, ABOUT, TOKENIZER = "parts.safetensors", "about.json", "tokenizer"
EMBEDDINGS = "embeddings"
_SETTINGS = (
    "labels",
    "scheme",
    "crosswalk",
    "verdict",
    "trained",
)  # those of the checkpoint count: they change without the graph


class GraphProblem(EnvironmentProblem):
    """There is no graph to run, and why; the torch engine does the same work more slowly."""


@dataclass(frozen=True)
class About:
    """ends: tokens after which a text is over, as the model's generation settings say."""

    interface: SavedInterface
    heads: tuple[HeadSpec, ...]
    ends: int | list[int] | None

    @classmethod
    def read(cls, folder: Path, settings: Mapping[str, Any]) -> "About":
        """`settings`: the checkpoint's configuration, of which the labels and the verdict's settings are taken."""
        values = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        known = {name: settings[name] for name in _SETTINGS if settings.get(name) is not None}
        heads = tuple(HeadSpec(**{**head, "labels": tuple(head["labels"])}) for head in values["heads"])
        return cls(SavedInterface.from_dict({**values["interface"], **known}), heads, values["ends"])


def write_about(folder: Path, interface: Interface, heads: Sequence[HeadSpec], ends: int | list[int] | None) -> None:
    """`ends`: as in `About`. The labels and the verdict's settings stay with the checkpoint. Raises OSError."""
    values = {name: value for name, value in to_dict(interface).items() if name not in _SETTINGS}
    said = {"interface": values, "heads": [head.to_dict() for head in heads], "ends": ends}
    (folder / ABOUT).write_text(json.dumps(said, indent=1), encoding="utf-8")
