"""The judge whose language model runs on a server: the same prompts, scores and texts as the local text-evidence judge.

Only the processor of the model is needed here. A server has no soft tokens, so faces and voice reach it as evidence lines.
"""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from transformers import PreTrainedTokenizerBase

from emoreason import __version__
from emoreason.config import checkpoint_of
from emoreason.errors import EnvironmentProblem
from emoreason.inference.judges.model import ModelJudge
from emoreason.model.batch import as_arrays
from emoreason.model.engines import MOST_TOKENS, OnText, Prompt, Runtime
from emoreason.model.engines.torch_loading import processor_of
from emoreason.model.head_spec import HeadCalibration
from emoreason.model.served import Server

AT_ONCE = 8  # requests at a time: scores and texts of a few segments
Given, Found = TypeVar("Given"), TypeVar("Found")
Listed = Mapping[int | str, float]  # next token, by id or text -> its log-probability


class ServedJudge(ModelJudge):
    """The export, checkpoint or model file `source`, whose merged backbone the server at `url` runs under `served_model` (None =
    the only model that it serves).

    Raises ConfigError for an unknown source or served model, EnvironmentProblem when the server does not answer.
    """

    def __init__(self, source: str | Path, url: str, served_model: str | None = None):
        server = Server.connect(url, served_model)
        folder = checkpoint_of(source)
        processor = processor_of(source, folder)
        engine = ServedEngine(server, processor.tokenizer)
        super().__init__(processor, engine, folder.stem, "text", revision=f"{__version__}, {server.model} at {server.url}")


@dataclass(frozen=True)
class ServedPrompt(Prompt):
    """Left-padded prompts, which are sent whole each time."""

    input_ids: np.ndarray  # [B, S]
    attention_mask: np.ndarray  # [B, S]


class ServedEngine:
    """`Engine` on a server that runs the merged backbone. The server keeps the key-value caches, as far as it has any, and looks
    after its own memory; encoders and their heads it has none."""

    runtime = Runtime("served")
    heads: Mapping[str, HeadCalibration] = {}
    cached_tokens = sys.maxsize

    def __init__(self, server: Server, tokenizer: PreTrainedTokenizerBase):
        self.server, self.tokenizer, self.turn = server, tokenizer, nullcontext()

    def perceive(self, batch: Mapping[str, Any]) -> dict[str, np.ndarray]:
        return {}

    def read(self, batch: Mapping[str, Any]) -> ServedPrompt:
        """Raises ValueError when the batch holds soft tokens."""
        if batch.get("face") is not None or batch.get("voice") is not None:
            raise ValueError("a served model takes text evidence only: process the segments with soft=False")
        return ServedPrompt({}, *(as_arrays(batch[name]) for name in ("input_ids", "attention_mask")))

    def score(self, prompt: ServedPrompt, texts: Sequence[str]) -> np.ndarray:
        """[B, L] log p(text | prompt) but for the tokens that all texts begin with, which no comparison of them needs.

        A token that is not among those that the server lists counts as the last of these, which is an upper bound. Raises
        EnvironmentProblem when it lists no first token of any text: another model runs there.
        """
        pieces = [self.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        shared = len(os.path.commonprefix(pieces))
        stems = sorted({tuple(piece[:n]) for piece in pieces for n in range(shared, len(piece))})
        asked = [[*ids, *stem] for ids in _rows(prompt) for stem in stems]
        listed = iter(_at_once(self.server.next_tokens, asked))
        scores = []
        for _ in prompt.input_ids:
            after = dict(zip(stems, listed, strict=False))  # stem -> what may follow it
            first = [self._listed(after[tuple(piece[:shared])], piece[shared]) for piece in pieces if len(piece) > shared]
            if first and all(log_p is None for log_p in first):
                raise EnvironmentProblem(
                    f"{self.server.url}: '{self.server.model}' expects none of {', '.join(texts)}: is it the exported backbone?"
                )
            scores.append([sum(self._log_p(after, piece, n) for n in range(shared, len(piece))) for piece in pieces])
        return np.array(scores)  # [B, L]

    def _log_p(self, after: Mapping[tuple[int, ...], Listed], piece: Sequence[int], n: int) -> float:
        listed = after[tuple(piece[:n])]
        found = self._listed(listed, piece[n])
        return min(listed.values()) if found is None else found

    def _listed(self, listed: Listed, token: int) -> float | None:
        return listed.get(token, listed.get(self.tokenizer.decode([token])))

    def follow(self, prompt: ServedPrompt, pieces: Sequence[Sequence[int]]) -> ServedPrompt:
        rows = [[*ids, *piece] for ids, piece in zip(_rows(prompt), pieces, strict=True)]
        longest = max(map(len, rows))
        ids = np.array([[0] * (longest - len(row)) + row for row in rows])
        mask = np.array([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
        return replace(prompt, input_ids=ids, attention_mask=mask)

    def write(
        self, prompt: ServedPrompt, most_tokens: int = MOST_TOKENS, until_answer: bool = True, on_text: OnText | None = None
    ) -> list[str]:
        """`on_text` gets each text as a whole."""
        stop = ("<",) if until_answer else ()
        texts = _at_once(lambda ids: self.server.write(ids, most_tokens, stop), _rows(prompt))
        texts = [text.split("<")[0] for text in texts] if until_answer else texts
        for row, text in enumerate(texts):
            if on_text is not None and text:
                on_text(row, text)
        return texts


def _rows(prompt: ServedPrompt) -> list[list[int]]:
    """The prompts without their padding."""
    return [ids[mask > 0].tolist() for ids, mask in zip(prompt.input_ids, prompt.attention_mask, strict=True)]


def _at_once(ask: Callable[[Given], Found], items: Iterable[Given]) -> list[Found]:
    """In order; the first error ends all that has not begun."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(ask, items))
