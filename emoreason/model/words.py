"""Words: what was said, as the language model reads it, halfway up, for a head that knows what words show.

They are read alone: what a face or a voice shows has heads of its own. Letters: B segments, S tokens, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

MOST_SAID, MOST_BEFORE = 96, 64  # tokens: the last ones of an utterance, and of what was said before it


@dataclass(frozen=True)
class WordsBatch:
    """Earlier utterances, a line each, and then the judged one: `said` marks its tokens. A row without any has no words."""

    input_ids: Tensor  # int [B, S], padded on the right
    mask: Tensor  # bool [B, S]
    said: Tensor  # bool [B, S]


def words_batch(tokenizer: PreTrainedTokenizerBase, utterances: Sequence[Sequence[str]]) -> WordsBatch | None:
    """Of plain lines (`prompt.sanitize`), the judged one last in each row. None where nobody says anything."""
    if not any(utterances):
        return None
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    rows = [_cut(tokenizer, row) for row in utterances]
    longest = max(len(before) + len(said) for before, said in rows)
    ids = torch.full((len(rows), longest), pad)
    mask, marked = torch.zeros(2, len(rows), longest, dtype=torch.bool)
    for b, (before, said) in enumerate(rows):
        whole = torch.tensor([*before, *said], dtype=ids.dtype)
        ids[b, : len(whole)], mask[b, : len(whole)], marked[b, len(before) : len(whole)] = whole, True, True
    return WordsBatch(ids, mask, marked)


def _cut(tokenizer: PreTrainedTokenizerBase, lines: Sequence[str]) -> tuple[list[int], list[int]]:
    """The last tokens of what was said before, and of the utterance. Something always comes before: a language model makes its
    first token the sink of its attention (Xiao et al. 2024, arXiv:2309.17453), whose state, a hundred times as long as any other,
    would be all that is left of a mean."""
    before, said = "".join(f"\n{line}" for line in lines[:-1]) + "\n", "".join(lines[-1:])
    if not said:
        return [], []
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] if text else [] for text in (before, said)]
    return ids[0][-MOST_BEFORE:], ids[1][-MOST_SAID:]


@torch.no_grad()
def read_words(backbone: PreTrainedModel, words: WordsBatch, layer: int) -> Tensor:
    """[B, 2 D]: mean of the utterance's states after `layer`, and the last of them; zeros for a row without words."""
    given = {"input_ids": words.input_ids, "attention_mask": words.mask.long()}
    out = backbone(**given, output_hidden_states=True, use_cache=False, logits_to_keep=1)
    states, said = out.hidden_states[layer].float(), words.said.float()  # [B, S, D], [B, S]
    mean = torch.einsum("bsd,bs->bd", states, said) / said.sum(1, keepdim=True).clamp_min(1)
    steps = torch.arange(said.shape[1], device=said.device)
    last = torch.where(words.said, steps, 0).amax(1)  # [B]
    end = states[torch.arange(len(said), device=said.device), last] * said.amax(1, keepdim=True)
    return torch.cat([mean, end], dim=1)


def words_width(text_width: int) -> int:
    """Of what `read_words` gives."""
    return 2 * text_width
