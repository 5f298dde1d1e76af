"""What a decoder offers. Letters: B batch, L candidate texts."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from emoreason.model.engines.sampling import Sampling, Written
from emoreason.model.head_spec import HeadCalibration

MOST_TOKENS = 120  # of an explanation
OnText = Callable[[int, str], None]  # row of the batch, new text; what it raises ends the writing and passes through


@dataclass(frozen=True)
class Runtime:
    """What computes the language model; version and precision are None where they are not known here."""

    name: Literal["onnx", "torch", "served"]
    version: str | None = None
    precision: str | None = None


@dataclass(frozen=True)
class Prompt:
    """Prompts as an engine has read them; each engine adds its own cache. May be scored, followed and continued any number of
    times: none of these changes what the prompt is."""

    heads: dict[str, np.ndarray]  # name -> logits of the heads whose encoder had input


class Engine(Protocol):
    """What a verdict needs of a decoder. Threads take turns: `turn` is held from `read` to the last use of its prompt."""

    runtime: Runtime
    heads: Mapping[str, HeadCalibration]  # those of the encoders that it runs, by name
    turn: AbstractContextManager
    cached_tokens: int  # whose keys and values fit into memory at a time, of all rows together

    def perceive(self, batch: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Logits of the heads on faces and voices, by name ([B, P, T, K] per frame, [B, K] per clip): encoders and heads only, no
        language model."""

    def read(self, batch: Mapping[str, Any]) -> Prompt:
        """Take in what the processor made: ids, face, voice and pictures, as NumPy arrays or torch tensors."""

    def score(self, prompt: Prompt, texts: Sequence[str]) -> np.ndarray:
        """[B, L] log p(text | prompt), summed over the text's tokens, no length normalisation."""

    def follow(self, prompt: Prompt, pieces: Sequence[Sequence[int]]) -> Prompt:
        """The prompts, each with more tokens behind it (at least one): an answer that was settled on, and the next question."""

    def write(
        self, prompt: Prompt, most_tokens: int = MOST_TOKENS, until_answer: bool = True, on_text: OnText | None = None
    ) -> list[str]:
        """Greedy texts, one per prompt; up to the first `<` (so neither `<answer>` nor any mark is in it) or the whole reply."""


class SamplingEngine(Engine, Protocol):
    """A decoder that also draws several answers, and says how likely its model found them: for rewards and for choosing."""

    def sample(
        self, prompt: Prompt, sampling: Sampling, most_tokens: int = MOST_TOKENS, until_answer: bool = True
    ) -> list[list[Written]]:
        """[B][sampling.answers] answers, the prompt read once for all of them."""
