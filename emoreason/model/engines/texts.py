"""From token ids to texts: what ends an answer, what is never written, and texts that are handed out as they grow."""

from collections.abc import Callable, Iterable
from functools import cached_property

from transformers import PreTrainedTokenizerBase

from emoreason.model.engines.engine import OnText


class Texts:
    """The vocabulary of one model. `ends`: tokens that end a turn; `special`: control tokens, ours included."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, ends: Iterable[int], special: Iterable[int]):
        self.tokenizer, self.ends, self.special = tokenizer, set(ends), set(special)

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, ends: int | list[int] | None, ours: Iterable[int]) -> "Texts":
        """`ends`: those of the model's generation settings, beside the tokenizer's own (families have one for turns and one for
        texts)."""
        named = ends if isinstance(ends, list) else [ends]
        ends = {token for token in (tokenizer.eos_token_id, *named) if token is not None}
        return cls(tokenizer, ends, {*tokenizer.all_special_ids, *ours})

    @cached_property
    def pad(self) -> int:
        return min(self.ends) if self.tokenizer.pad_token_id is None else self.tokenizer.pad_token_id

    @cached_property
    def banned(self) -> list[int]:
        """Never written."""
        return sorted(self.special - self.ends)

    def stops(self, until_answer: bool) -> set[int]:
        """Tokens after which nothing more is written."""
        return self.ends | self._marks if until_answer else self.ends

    @cached_property
    def _marks(self) -> set[int]:
        """Every token whose text holds a `<`."""
        texts = self.tokenizer.batch_decode([[token] for token in range(len(self.tokenizer))])
        return {token for token, text in enumerate(texts) if "<" in text} - self.special

    def ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def text(self, tokens: list[int], until_answer: bool) -> str:
        """Up to the end of the turn, or to the first `<`."""
        ended = next((i for i, token in enumerate(tokens) if token in self.ends), len(tokens))
        text = self.tokenizer.decode(tokens[:ended], skip_special_tokens=True)
        return text.split("<")[0] if until_answer else text


class RowStream:
    """Hands out the text of each row as it grows; half a character waits for its other half."""

    def __init__(self, rows: int, decode: Callable[[list[int]], str], on_text: OnText):
        self.decode, self.on_text = decode, on_text
        self.tokens: list[list[int]] = [[] for _ in range(rows)]
        self.told = [0] * rows

    def put(self, row: int, token: int) -> None:
        self.tokens[row].append(token)
        text = self.decode(self.tokens[row])
        if len(text) > self.told[row] and not text.endswith("\ufffd"):
            new, self.told[row] = text[self.told[row] :], len(text)
            self.on_text(row, new)
