"""Decoding behind one small interface: read a prompt once, score candidate texts on its key-value cache, write on from it.

Letters: B batch, S prompt tokens, L candidate texts, C tokens of the longest one, V vocabulary.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass, is_dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import Cache, GenerationConfig, PreTrainedTokenizerBase
from transformers.generation.streamers import BaseStreamer

from emoreason.model.cache import with_room
from emoreason.model.heads import Head
from emoreason.model.modeling import EmoReasonForConditionalGeneration

MOST_TOKENS = 120  # of an explanation
CACHE_BYTES = 1 << 30  # of keys and values (at times in three copies), which fill the memory with a large model
ROWS = 16  # candidates scored in one pass: each carries its own copy of the prompt's cache
OnText = Callable[[int, str], None]  # row of the batch, new text
_ALIKE = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")  # inputs of one entry per prompt token


@dataclass(frozen=True)
class Prompt:
    """Left-padded prompts as the model has read them: all but their last token lies in `cache`, so that every continuation
    starts with a real step and the cache never has to be cut. May be scored and continued any number of times until the next
    `read` (families with mRoPE keep the offsets of the last prompt in the model).
    """

    input_ids: Tensor  # [B, S]
    attention_mask: Tensor  # [B, S]
    cache: Cache  # of S - 1 tokens
    heads: dict[str, Tensor]  # name -> logits of the heads whose encoder had input


class Engine(Protocol):
    """What a verdict needs of a decoder. Threads take turns: `turn` is held from `read` to the last use of its prompt."""

    heads: Mapping[str, Head]  # those of the encoders that it runs, by name
    turn: AbstractContextManager
    cached_tokens: int  # keys and values that fit into memory at a time, of all rows together

    def perceive(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Logits of the heads on faces and voices, by name ([B, P, T, K] per frame, [B, K] per clip): encoders and heads only, no
        language model."""

    def read(self, batch: Mapping[str, Any]) -> Prompt:
        """Take in what the processor made: ids, face, voice and pictures."""

    def score(self, prompt: Prompt, texts: Sequence[str]) -> Tensor:
        """[B, L] log p(text | prompt), summed over the text's tokens, no length normalisation."""

    def follow(self, prompt: Prompt, pieces: Sequence[Sequence[int]]) -> Prompt:
        """The prompts, each with more tokens behind it (at least one): an answer that was settled on, and the next question."""

    def write(
        self, prompt: Prompt, most_tokens: int = MOST_TOKENS, until_answer: bool = True, on_text: OnText | None = None
    ) -> list[str]:
        """Greedy texts, one per prompt; up to the first `<` (so neither `<answer>` nor any mark is in it) or the whole reply."""


class TransformersEngine:
    """`Engine` on the model's own backbone with transformers' `generate`: positions and masks by each family's own code."""

    def __init__(self, model: EmoReasonForConditionalGeneration, tokenizer: PreTrainedTokenizerBase):
        self.model, self.tokenizer = model.eval(), tokenizer
        self.turn = threading.RLock()  # soft tokens and the reading of utterances change the model while they last

    @property
    def heads(self) -> Mapping[str, Head]:
        return dict(self.model.heads.items())

    @cached_property
    def cached_tokens(self) -> int:
        text = self.model.config.language_config.get_text_config()
        width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
        return CACHE_BYTES // (2 * text.num_hidden_layers * heads * width * self.model.backbone.dtype.itemsize)

    @torch.no_grad()
    def perceive(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        with self.turn:
            seen, heard = self.model.encode(*(_on(batch.get(part), self.model.device) for part in ("face", "voice")))
            return self.model.head_logits(seen, heard)

    @torch.no_grad()
    def read(self, batch: Mapping[str, Any]) -> Prompt:
        """Raises ValueError when placeholders and encoder tokens disagree, or a prompt has fewer than two tokens."""
        inputs = {name: _on(value, self.model.device) for name, value in batch.items()}
        seen, heard = self.model.encode(inputs.pop("face", None), inputs.pop("voice", None))
        utterance = self.model.read(inputs.pop("words", None))
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        if ids.shape[1] < 2:
            raise ValueError(f"a prompt needs at least two tokens, got {ids.shape[1]}")
        if not mask[:, -1].all():
            raise ValueError("prompts must be padded on the left to be continued")
        inputs |= {name: inputs[name][:, :-1] for name in _ALIKE if inputs.get(name) is not None}
        config = GenerationConfig(max_new_tokens=1, do_sample=False, pad_token_id=self._pad, return_dict_in_generate=True)
        with self.model.soft_tokens(inputs["input_ids"], seen, heard):
            cache = self.model.backbone.generate(**inputs, generation_config=config).past_key_values
        own = not self.model.config.label_set().canonical  # then a head on the prompt's end votes
        words = self._last_state(ids, mask, cache) if own else None
        return Prompt(ids, mask, cache, self.model.head_logits(seen, heard, words, utterance))

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
    def score(self, prompt: Prompt, texts: Sequence[str]) -> Tensor:
        pieces = [self.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        step = max(1, ROWS // len(prompt.input_ids))
        return torch.cat([self._score(prompt, pieces[i : i + step]) for i in range(0, len(pieces), step)], dim=1)  # [B, L]

    def _score(self, prompt: Prompt, pieces: list[list[int]]) -> Tensor:
        batch, count, length = len(prompt.input_ids), len(pieces), max(map(len, pieces))
        padded = torch.tensor([piece + [self._pad] * (length - len(piece)) for piece in pieces])
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
    def follow(self, prompt: Prompt, pieces: Sequence[Sequence[int]]) -> Prompt:
        length = max(map(len, pieces))
        ids = torch.tensor([[self._pad] * (length - len(piece)) + [*piece] for piece in pieces]).to(prompt.input_ids)  # [B, C]
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
        self, prompt: Prompt, most_tokens: int = MOST_TOKENS, until_answer: bool = True, on_text: OnText | None = None
    ) -> list[str]:
        stops = sorted(self._ends | self._marks if until_answer else self._ends)
        config = GenerationConfig(
            max_new_tokens=most_tokens,
            do_sample=False,
            eos_token_id=stops,
            pad_token_id=self._pad,
            suppress_tokens=sorted(self._special - self._ends),
        )
        written = self.model.backbone.generate(
            input_ids=prompt.input_ids,
            attention_mask=prompt.attention_mask,
            past_key_values=with_room(prompt.cache, most_tokens),
            generation_config=config,
            streamer=on_text and TextStream(lambda row: self._text(row, until_answer), on_text),
        )
        return [self._text(row, until_answer) for row in written[:, prompt.input_ids.shape[1] :].tolist()]

    def _text(self, tokens: list[int], until_answer: bool) -> str:
        ended = next((i for i, token in enumerate(tokens) if token in self._ends), len(tokens))
        text = self.tokenizer.decode(tokens[:ended], skip_special_tokens=True)
        return text.split("<")[0] if until_answer else text

    @cached_property
    def _pad(self) -> int:
        pad = self.tokenizer.pad_token_id
        return min(self._ends) if pad is None else pad

    @cached_property
    def _ends(self) -> set[int]:
        """What ends a turn: the tokenizer's and the generation settings' own (families have one for turns and one for texts)."""
        named = self.model.backbone.generation_config.eos_token_id
        named = named if isinstance(named, list) else [named]
        return {token for token in (self.tokenizer.eos_token_id, *named) if token is not None}

    @cached_property
    def _special(self) -> set[int]:
        return {*self.tokenizer.all_special_ids, *(self.model.config.special_token_ids or {}).values()}

    @cached_property
    def _marks(self) -> set[int]:
        """Every token whose text holds a `<`: stops of a constrained text, by transformers' own stopping on token ids."""
        texts = self.tokenizer.batch_decode([[token] for token in range(len(self.tokenizer))])
        return {token for token, text in enumerate(texts) if "<" in text} - self._special


def _on(value: Any, device: torch.device) -> Any:
    """Tensors, and those inside the encoders' batches, on the model's device."""
    if is_dataclass(value):
        return replace(value, **{name: _on(inner, device) for name, inner in vars(value).items()})
    return value.to(device) if isinstance(value, Tensor) else value


class TextStream(BaseStreamer):
    """Hands out the text of each row as it grows; half a character waits for its other half."""

    def __init__(self, decode: Callable[[list[int]], str], on_text: OnText):
        self.decode, self.on_text = decode, on_text
        self.tokens: list[list[int]] | None = None  # None until the prompt, which comes first, has passed

    def put(self, value: Tensor) -> None:
        if self.tokens is None:
            self.tokens, self.told = [[] for _ in value], [0] * len(value)
            return
        for row, token in enumerate(value.tolist()):
            self.tokens[row].append(token)
            text = self.decode(self.tokens[row])
            if len(text) > self.told[row] and not text.endswith("\ufffd"):
                self.on_text(row, text[self.told[row] :])
                self.told[row] = len(text)

    def end(self) -> None:
        """Nothing is held back."""
