"""Utterances as token ids, for the head that knows what words show (model/words.py runs it)."""

from collections.abc import Sequence

import numpy as np
from transformers import PreTrainedTokenizerBase

from emoreason.model.batch import WordsBatch

MOST_SAID, MOST_BEFORE = 96, 64  # tokens: the last ones of an utterance, and of what was said before it


def words_batch(tokenizer: PreTrainedTokenizerBase, utterances: Sequence[Sequence[str]]) -> WordsBatch | None:
    """Of plain lines (`prompt.sanitize`), the judged one last in each row. None where nobody says anything."""
    if not any(utterances):
        return None
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    rows = [_cut(tokenizer, row) for row in utterances]
    longest = max(len(before) + len(said) for before, said in rows)
    ids = np.full((len(rows), longest), pad, np.int64)
    mask, marked = np.zeros((2, len(rows), longest), bool)
    for b, (before, said) in enumerate(rows):
        length = len(before) + len(said)
        ids[b, :length], mask[b, :length], marked[b, len(before) : length] = [*before, *said], True, True
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
