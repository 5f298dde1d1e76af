"""The engine on the model's own backbone, of any family, by transformers' `generate`.

Letters: B batch, S prompt tokens, L candidate texts, C tokens of the longest one, N rows (B x answers), V vocabulary.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import Cache, GenerationConfig, LogitsProcessor, PreTrainedConfig, PreTrainedTokenizerBase
from transformers.generation.streamers import BaseStreamer

from emoreason.model.batch import as_tensors
from emoreason.model.engines.cache import with_room
from emoreason.model.engines.engine import MOST_TOKENS, OnText, Prompt, Runtime
from emoreason.model.engines.sampling import Sampler, Sampling, Written
from emoreason.model.engines.texts import RowStream, Texts
from emoreason.model.head_spec import HeadCalibration
from emoreason.model.modeling import EmoReasonForConditionalGeneration

CACHE_BYTES = 1 << 30  # of keys and values (at times in three copies), which fill the memory with a large model
ROWS = 16  # candidates scored in one pass: each carries its own copy of the prompt's cache
_ALIKE = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")  # inputs of one entry per prompt token


@dataclass(frozen=True)
class TransformersPrompt(Prompt):
    """Left-padded prompts: all but their last token lies in `cache`, so that every continuation starts with a real step and the
    cache never has to be cut. Families with mRoPE keep the offsets of the last prompt in the model: good until the next `read`.
    """

    input_ids: Tensor  # [B, S]
    attention_mask: Tensor  # [B, S]
    cache: Cache  # of S - 1 tokens


class TransformersEngine:
    """`SamplingEngine` on the model's own backbone with transformers' `generate`: positions and masks by each family's own code.

    Soft tokens and the reading of utterances change the model while they last, so threads take turns."""

    def __init__(self, model: EmoReasonForConditionalGeneration, tokenizer: PreTrainedTokenizerBase):
        self.model, self.tokenizer, self.turn = model.eval(), tokenizer, threading.RLock()
        ours = (model.config.special_token_ids or {}).values()
        self.texts = Texts.of(tokenizer, model.backbone.generation_config.eos_token_id, ours)

    @property
    def heads(self) -> Mapping[str, HeadCalibration]:
        return {name: head.calibration() for name, head in self.model.heads.items()}

    @cached_property
    def cached_tokens(self) -> int:
        return CACHE_BYTES // cached_bytes(self.model.config.language_config, self.model.backbone.dtype.itemsize)

    @torch.no_grad()
    def perceive(self, batch: Mapping[str, Any]) -> dict[str, np.ndarray]:
        with self.turn:
            seen, heard = self.model.encode(*(as_tensors(batch.get(part), self.model.device) for part in ("face", "voice")))
            return _arrays(self.model.head_logits(seen, heard))

    @property
    def runtime(self) -> Runtime:
        return Runtime("torch", torch.__version__, str(self.model.backbone.dtype).removeprefix("torch."))

    @torch.no_grad()
    def read(self, batch: Mapping[str, Any]) -> TransformersPrompt:
        """Raises ValueError when placeholders and encoder tokens disagree, or a prompt has fewer than two tokens."""
        inputs = as_tensors(batch, self.model.device)
        seen, heard = self.model.encode(inputs.pop("face", None), inputs.pop("voice", None))
        utterance = self.model.read(inputs.pop("words", None))
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        if ids.shape[1] < 2:
            raise ValueError(f"a prompt needs at least two tokens, got {ids.shape[1]}")
        if not mask[:, -1].all():
            raise ValueError("prompts must be padded on the left to be continued")
        inputs |= {name: inputs[name][:, :-1] for name in _ALIKE if inputs.get(name) is not None}
        config = GenerationConfig(max_new_tokens=1, do_sample=False, pad_token_id=self.texts.pad, return_dict_in_generate=True)
        with self.model.soft_tokens(inputs["input_ids"], seen, heard):
            cache = self.model.backbone.generate(**inputs, generation_config=config).past_key_values
        own = not self.model.config.label_set().canonical  # then a head on the prompt's end votes
        words = self._last_state(ids, mask, cache) if own else None
        return TransformersPrompt(_arrays(self.model.head_logits(seen, heard, words, utterance)), ids, mask, cache)

    def _last_state(self, ids: Tensor, mask: Tensor, cache: Cache) -> Tensor:
        """[B, D] of the prompt's last token, which the cache does not hold."""
        with self.model.states_read() as states:
            self.model.backbone(
                input_ids=ids[:, -1:],
                attention_mask=mask,
                position_ids=self._positions(mask, cache)[..., -1:],
                past_key_values=deepcopy(cache),
                use_cache=True,
            )
        return states[0][:, -1]

    @torch.no_grad()
    def score(self, prompt: TransformersPrompt, texts: Sequence[str]) -> np.ndarray:
        pieces = [self.texts.ids(text) for text in texts]
        step = max(1, ROWS // len(prompt.input_ids))
        scores = [self._score(prompt, pieces[i : i + step]) for i in range(0, len(pieces), step)]
        return torch.cat(scores, dim=1).cpu().numpy()  # [B, L]

    def _score(self, prompt: TransformersPrompt, pieces: list[list[int]]) -> Tensor:
        batch, count, length = len(prompt.input_ids), len(pieces), max(map(len, pieces))
        padded = torch.tensor([piece + [self.texts.pad] * (length - len(piece)) for piece in pieces])
        real = torch.tensor([[1.0] * len(piece) + [0.0] * (length - len(piece)) for piece in pieces])
        padded, real = padded.to(prompt.input_ids.device).repeat(batch, 1), real.to(prompt.input_ids.device)  # [B*L, C], [L, C]
        last = prompt.input_ids[:, -1:].repeat_interleave(count, dim=0)  # [B*L, 1]
        cache = deepcopy(prompt.cache)
        cache.batch_repeat_interleave(count)
        mask = torch.cat([prompt.attention_mask, prompt.attention_mask.new_ones(batch, length - 1)], dim=1)  # [B, S+C-1]
        logits = self.model.backbone(
            input_ids=torch.cat([last, padded[:, :-1]], dim=1),  # [B*L, C]: each token predicts the next one
            attention_mask=mask.repeat_interleave(count, dim=0),
            position_ids=self._positions(mask, prompt.cache)[..., -length:].repeat_interleave(count, dim=-2),
            past_key_values=cache,
            use_cache=True,
        ).logits  # [B*L, C, V]
        log_p = logits.float().log_softmax(-1).gather(-1, padded[..., None]).squeeze(-1)  # [B*L, C]
        return (log_p.unflatten(0, (batch, count)) * real).sum(-1)  # [B, L]

    @torch.no_grad()
    def follow(self, prompt: TransformersPrompt, pieces: Sequence[Sequence[int]]) -> TransformersPrompt:
        length = max(map(len, pieces))
        padded = [[self.texts.pad] * (length - len(piece)) + [*piece] for piece in pieces]
        ids = torch.tensor(padded).to(prompt.input_ids)  # [B, C]
        real = torch.tensor([[0] * (length - len(piece)) + [1] * len(piece) for piece in pieces]).to(prompt.attention_mask)
        ids, mask = torch.cat([prompt.input_ids, ids], dim=1), torch.cat([prompt.attention_mask, real], dim=1)  # [B, S+C]
        cache = deepcopy(prompt.cache)
        self.model.backbone(
            input_ids=ids[:, -length - 1 : -1],
            attention_mask=mask[:, :-1],
            position_ids=self._positions(mask[:, :-1], prompt.cache)[..., -length:],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return replace(prompt, input_ids=ids, attention_mask=mask, cache=cache)

    def _positions(self, mask: Tensor, cache: Cache) -> Tensor:
        """[..., B, S+C-1] by the family's own code, which `generate` calls too."""
        return self.model.backbone._prepare_position_ids_for_generation(mask, {"attention_mask": mask, "past_key_values": cache})

    @torch.no_grad()
    def write(
        self, prompt: TransformersPrompt, most_tokens: int = MOST_TOKENS, until_answer: bool = True, on_text: OnText | None = None
    ) -> list[str]:
        config = GenerationConfig(
            max_new_tokens=most_tokens,
            do_sample=False,
            eos_token_id=sorted(self.texts.stops(until_answer)),
            pad_token_id=self.texts.pad,
            suppress_tokens=self.texts.banned,
        )
        written = self.model.backbone.generate(
            input_ids=prompt.input_ids,
            attention_mask=prompt.attention_mask,
            past_key_values=with_room(prompt.cache, most_tokens),
            generation_config=config,
            streamer=on_text and _Streamer(lambda row: self.texts.text(row, until_answer), on_text),
        )
        return [self.texts.text(row, until_answer) for row in written[:, prompt.input_ids.shape[1] :].tolist()]

    @torch.no_grad()
    def sample(
        self, prompt: TransformersPrompt, sampling: Sampling, most_tokens: int = MOST_TOKENS, until_answer: bool = True
    ) -> list[list[Written]]:
        count, start = sampling.answers, prompt.input_ids.shape[1]
        cache = deepcopy(prompt.cache)
        if count > 1:
            cache.batch_repeat_interleave(count)
        mask = prompt.attention_mask
        stops = self.texts.stops(until_answer)
        chooser = _Chooser(Sampler(sampling, len(mask), self.texts.banned))
        written = self.model.backbone.generate(
            input_ids=prompt.input_ids.repeat_interleave(count, dim=0),
            attention_mask=mask.repeat_interleave(count, dim=0),
            position_ids=self._positions(mask, prompt.cache).repeat_interleave(count, dim=-2),
            past_key_values=with_room(cache, most_tokens),
            generation_config=GenerationConfig(
                max_new_tokens=most_tokens, do_sample=False, eos_token_id=sorted(stops), pad_token_id=self.texts.pad
            ),
            logits_processor=[chooser],
        )
        rows = written[:, start:].tolist()  # [N][C], padded behind what ended
        answers = [self._written(row, log_p, stops, until_answer) for row, log_p in zip(rows, chooser.log_probs(), strict=True)]
        return [answers[b : b + count] for b in range(0, len(answers), count)]

    def _written(self, row: list[int], log_probs: list[float], stops: set[int], until_answer: bool) -> Written:
        length = next((i + 1 for i, token in enumerate(row) if token in stops), len(row))
        return Written(self.texts.text(row, until_answer), tuple(row[:length]), tuple(log_probs[:length]))


def cached_bytes(config: PreTrainedConfig, of_a_number: int) -> int:
    """That the keys and values of one token take."""
    text = config.get_text_config()
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    return 2 * text.num_hidden_layers * heads * width * of_a_number


def _arrays(logits: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: value.float().cpu().numpy() for name, value in logits.items()}


class _Streamer(BaseStreamer):
    """Passes the tokens of every row on, without the prompt, which comes first."""

    def __init__(self, decode: Callable[[list[int]], str], on_text: OnText):
        self.decode, self.on_text = decode, on_text
        self.rows: RowStream | None = None

    def put(self, value: Tensor) -> None:
        if self.rows is None:
            self.rows = RowStream(len(value), self.decode, self.on_text)
            return
        for row, token in enumerate(value.tolist()):
            self.rows.put(row, token)

    def end(self) -> None:
        """Nothing is held back."""


class _Chooser(LogitsProcessor):
    """Lets the sampler choose: the greedy search that follows finds its token the only possible one."""

    def __init__(self, sampler: Sampler):
        self.sampler = sampler
        self.steps: list[np.ndarray] = []  # log-probabilities [N] of each step

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        tokens, log_p = self.sampler.choose(scores.float().cpu().numpy(), range(len(scores)))
        self.steps.append(log_p)
        chosen = torch.from_numpy(tokens).to(scores.device)[:, None]
        return torch.full_like(scores, -torch.inf).scatter(1, chosen, 0.0)

    def log_probs(self) -> list[list[float]]:
        """[N][steps]"""
        return np.stack(self.steps, axis=1).tolist()
