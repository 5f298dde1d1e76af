"""The engine on ONNX graphs, run by onnxruntime on the CPU: the same tokens as torch in a third of the time, and no torch.

The graph of the language model takes embeddings, so soft tokens enter as they do in torch.
Letters: B batch, S tokens of a prompt, R rows decoded together, T tokens of a pass, L candidate texts, V vocabulary, H width.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os.path import commonprefix
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from scipy.special import log_softmax
from transformers import PreTrainedTokenizerBase

from emoreason import machine
from emoreason.model.batch import as_arrays
from emoreason.model.engines.engine import MOST_TOKENS, OnText, Prompt, Runtime
from emoreason.model.engines.graph_session import Graph
from emoreason.model.engines.layout import LANGUAGE, About
from emoreason.model.engines.parts import Heard, Parts, Seen
from emoreason.model.engines.phrases import Phrases
from emoreason.model.engines.sampling import Sampler, Sampling, Written
from emoreason.model.engines.texts import RowStream, Texts
from emoreason.model.head_spec import HeadCalibration
from emoreason.model.prompt import FACE, VOICE

CACHE_BYTES = 1 << 30  # of keys and values, of all rows together
SPARE = 96  # tokens of room behind a prompt, for labels and what follows it: more are given when they are needed
Choose = Callable[[np.ndarray, Sequence[int]], np.ndarray]  # logits [R, V] of these rows -> their next tokens [R]


class Row:
    """One prompt's keys and values. What lies behind `length` is scratch, unless another row of the same memory goes on there."""

    def __init__(self, graph: Graph, length: int, last: int, store: "_Store"):
        self.graph, self.length, self.last, self.store = graph, length, last, store

    def run(self, embedded: np.ndarray, behind: int = 0, wanted: str | None = None) -> np.ndarray | None:
        """Read embeddings [T, H] into the scratch, `behind` tokens of which count: [T, ...] of the wanted output."""
        start = self.length + behind
        length = start + len(embedded)
        if self.store.used > self.length or length > self.store.cache.shape[3]:  # not its own, or too short
            grown = self.graph.cache(1, length, SPARE)
            grown[..., :start, :] = self.store.cache[..., :start, :]
            self.store = _Store(grown, self.length)
        out = self.graph.run(embedded[None], self.store.cache, [length], wanted)
        return None if out is None else out[0]

    def then(self, tokens: int, last: int) -> "Row":
        """The row with so many of its scratch tokens kept."""
        self.store.used = self.length + tokens
        return Row(self.graph, self.length + tokens, last, self.store)


@dataclass
class _Store:
    """used: tokens that some row relies on."""

    cache: np.ndarray  # [2 layers, 1, K, room, D]
    used: int


@dataclass(frozen=True)
class OnnxPrompt(Prompt):
    """All but the last token of each prompt lies in its row's cache: without padding, so rows differ in length."""

    rows: tuple[Row, ...]


class OnnxEngine:
    """`SamplingEngine` on the graphs in `folder` (`layout`). `about`: what they are graphs of.

    Threads take turns, and may not share a prompt.
    """

    def __init__(self, folder: Path, about: About, tokenizer: PreTrainedTokenizerBase, threads: int | None = None):
        """`threads`: `machine.threads()` when not given. Raises onnxruntime's own errors when a file cannot be run."""
        threads = threads or machine.threads()
        self.tokenizer, self.turn, self.special = tokenizer, threading.RLock(), about.interface.special_token_ids
        self.own_labels = not about.interface.label_set().canonical  # then a head on the prompt's end votes
        self.graph, self.parts = Graph(folder / LANGUAGE, threads), Parts(folder, about.heads, threads)
        self.texts = Texts.of(tokenizer, about.ends, self.special.values())
        self.phrases, self.table = Phrases(), self.parts.table

    @property
    def runtime(self) -> Runtime:
        return Runtime("onnx", onnxruntime.__version__, "float32")

    @property
    def heads(self) -> Mapping[str, HeadCalibration]:
        return self.parts.heads

    @property
    def cached_tokens(self) -> int:
        return CACHE_BYTES // (len(self.graph.names) * self.graph.heads * self.graph.head_width * 4)

    def perceive(self, batch: Mapping[str, Any]) -> dict[str, np.ndarray]:
        batch = as_arrays(batch)
        with self.turn:
            return self.parts.logits(self.parts.see(batch.get("face")), self.parts.hear(batch.get("voice")))

    def read(self, batch: Mapping[str, Any]) -> OnnxPrompt:
        """Raises ValueError when placeholders and encoder tokens disagree, or a prompt has fewer than two tokens."""
        batch = as_arrays(batch)
        ids, mask = batch["input_ids"], batch["attention_mask"].astype(bool)
        if ids.shape[1] < 2:
            raise ValueError(f"a prompt needs at least two tokens, got {ids.shape[1]}")
        if not mask[:, -1].all():
            raise ValueError("prompts must be padded on the left to be continued")
        seen, heard = self.parts.see(batch.get("face")), self.parts.hear(batch.get("voice"))
        embedded = self._embedded(ids, seen, heard)  # [B, S, H]
        rows = tuple(self._read(embedded[b][mask[b]], int(ids[b, -1])) for b in range(len(ids)))
        ends = np.stack([self._last_state(row) for row in rows]) if self.own_labels else None  # [B, H]
        return OnnxPrompt(self.parts.logits(seen, heard, ends, self.parts.read(batch.get("words"))), rows)

    def _embedded(self, ids: np.ndarray, seen: Seen | None, heard: Heard | None) -> np.ndarray:
        """[B, S, H]: placeholders stand for the encoders' tokens, in order."""
        embedded = self.table[ids]
        for part, token, given in (("face", FACE, seen), ("voice", VOICE, heard)):
            here = ids == self.special[token]
            tokens = np.zeros((0, embedded.shape[-1])) if given is None else given.tokens.reshape(-1, embedded.shape[-1])
            if here.sum() != len(tokens):
                raise ValueError(
                    f"the prompt holds {here.sum()} {part} placeholders, but the encoder gives {len(tokens)} {part} tokens"
                )
            embedded[here] = tokens
        return embedded

    def _read(self, embedded: np.ndarray, last: int) -> Row:
        """embedded [S, H] without padding."""
        length = len(embedded) - 1
        row = Row(self.graph, 0, last, _Store(self.graph.cache(1, length, SPARE), 0))
        row.run(embedded[:-1])
        return row.then(length, last)

    def _last_state(self, row: Row) -> np.ndarray:
        return row.run(self.table[[row.last]], wanted="hidden_states")[-1]

    def score(self, prompt: OnnxPrompt, texts: Sequence[str]) -> np.ndarray:
        pieces = [self.texts.ids(text) for text in texts]
        scores = np.zeros((len(prompt.rows), len(pieces)), np.float64)
        for row, totals in zip(prompt.rows, scores, strict=True):
            self._score(row, 0, [row.last], dict(enumerate(pieces)), totals)
        return scores.astype(np.float32)  # [B, L]

    def _score(self, row: Row, behind: int, ahead: list[int], pieces: dict[int, list[int]], totals: np.ndarray) -> None:
        """Add to `totals` the log p of what is left of the pieces after `behind` scratch tokens and those `ahead`, which have not
        been read. What the pieces share is read once; siblings overwrite each other's scratch."""
        shared = commonprefix(list(pieces.values()))
        fed = [*ahead, *shared]
        if all(len(piece) == len(shared) for piece in pieces.values()):
            fed.pop()  # nothing comes behind the last one
        log_p = log_softmax(row.run(self.table[fed], behind, "logits"), axis=-1)[
            len(ahead) - 1 :
        ]  # from the first shared token on
        totals[list(pieces)] += sum(log_p[n, token] for n, token in enumerate(shared))
        branches: dict[int, dict[int, list[int]]] = {}
        for number, piece in pieces.items():
            if len(piece) > len(shared):
                totals[number] += log_p[len(shared), piece[len(shared)]]
                branches.setdefault(piece[len(shared)], {})[number] = piece[len(shared) + 1 :]
        for token, rest in branches.items():
            if longer := {number: piece for number, piece in rest.items() if piece}:
                self._score(row, behind + len(fed), [token], longer, totals)

    def follow(self, prompt: OnnxPrompt, pieces: Sequence[Sequence[int]]) -> OnnxPrompt:
        rows = []
        for row, piece in zip(prompt.rows, pieces, strict=True):
            row.run(self.table[[row.last, *piece[:-1]]])
            rows.append(row.then(len(piece), piece[-1]))
        return OnnxPrompt(prompt.heads, tuple(rows))

    def write(
        self, prompt: OnnxPrompt, most_tokens: int = MOST_TOKENS, until_answer: bool = True, on_text: OnText | None = None
    ) -> list[str]:
        def choose(logits: np.ndarray, rows: Sequence[int]) -> np.ndarray:
            logits[:, self.texts.banned] = -np.inf
            tokens = logits.argmax(-1)
            for row, token in zip(rows, tokens.tolist(), strict=True):
                if stream is not None:
                    stream.put(row, token)
            return tokens

        stream = on_text and RowStream(len(prompt.rows), lambda tokens: self.texts.text(tokens, until_answer), on_text)
        written = self._decode(prompt.rows, most_tokens, self.texts.stops(until_answer), choose)
        for row, tokens in zip(prompt.rows, written, strict=True):
            self.phrases.add([row.last, *tokens])
        return [self.texts.text(tokens, until_answer) for tokens in written]

    def sample(
        self, prompt: OnnxPrompt, sampling: Sampling, most_tokens: int = MOST_TOKENS, until_answer: bool = True
    ) -> list[list[Written]]:
        sampler, count = Sampler(sampling, len(prompt.rows), self.texts.banned), sampling.answers
        rows = [row for row in prompt.rows for _ in range(count)]
        log_probs: list[list[float]] = [[] for _ in rows]

        def choose(logits: np.ndarray, rows: Sequence[int]) -> np.ndarray:
            tokens, log_p = sampler.choose(logits, rows)
            for row, value in zip(rows, log_p.tolist(), strict=True):
                log_probs[row].append(value)
            return tokens

        written = self._decode(rows, most_tokens, self.texts.stops(until_answer), choose)
        answers = [
            Written(self.texts.text(tokens, until_answer), tuple(tokens), tuple(values))
            for tokens, values in zip(written, log_probs, strict=True)
        ]
        return [answers[b : b + count] for b in range(0, len(answers), count)]

    def _decode(self, rows: Sequence[Row], most: int, stops: set[int], choose: Choose) -> list[list[int]]:
        """Tokens of every row, the one that ended it included. All rows take a step together; one that has ended makes room: the
        last of those that go on takes its place in the cache. A row that is alone guesses ahead."""
        written: list[list[int]] = [[] for _ in rows]
        going = list(range(len(rows)))  # place in the cache -> row
        lengths, tokens = [row.length for row in rows], [row.last for row in rows]
        cache = self.graph.cache(len(rows), max(lengths) + most)
        for place, row in enumerate(rows):
            cache[:, place, :, : row.length] = row.store.cache[:, 0, :, : row.length]
        while len(going) > 1 and len(written[going[0]]) < most:
            lengths = [length + 1 for length in lengths]
            logits = self.graph.run(self.table[tokens][:, None], cache[:, : len(going)], lengths, "logits")[:, 0]  # [R, V]
            tokens = choose(logits, going).tolist()
            for row, token in zip(going, tokens, strict=True):
                written[row].append(token)
            for place in [place for place, token in enumerate(tokens) if token in stops][::-1]:
                end = len(going) - 1
                if place < end:
                    cache[:, place, :, : lengths[end]] = cache[:, end, :, : lengths[end]]
                for values in (going, lengths, tokens):
                    values[place] = values[end]
                    values.pop()
        if going:
            row = going[0]
            self._decode_alone(rows[row], row, cache[:, :1], written[row], most, stops, choose)
        return written

    def _decode_alone(
        self, row: Row, number: int, cache: np.ndarray, written: list[int], most: int, stops: set[int], choose: Choose
    ) -> None:
        """Go on with what is written. Of a guess those tokens count that are chosen all the same; behind them the cache is
        scratch again."""
        while len(written) < most and not (written and written[-1] in stops):
            text = [row.last, *written]
            guess = self.phrases.guess(text)[: most - len(text)]  # the pass gives one token more
            lengths = [row.length + len(text) + len(guess)]
            logits = self.graph.run(self.table[[text[-1], *guess]][None], cache, lengths, "logits")[0]  # [T, V]
            for step, guessed in enumerate([*guess, None]):
                written.append(int(choose(logits[step : step + 1], [number])[0]))
                if written[-1] != guessed or written[-1] in stops:
                    break
