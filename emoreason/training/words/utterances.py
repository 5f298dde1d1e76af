"""Utterances that the head on words learns from: which ones, and how the language model reads them.

Letters: N utterances, F features, K emotions.

What takes time is reading the utterances, which is kept in shards.
"""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from emoreason.errors import ConfigError
from emoreason.instructions.conversation import said_in
from emoreason.instructions.leaks import without_texts_of
from emoreason.instructions.record import Record
from emoreason.labels.emotions import canonical
from emoreason.model.batch import as_tensors
from emoreason.model.config import UTTERANCE_HEAD
from emoreason.model.utterances import words_batch
from emoreason.model.words import WordsAdapter, read_words
from emoreason.training.checkpoint import save_file_whole
from emoreason.training.features import add_weights, batched
from emoreason.training.mixtures import class_of

LABELS = UTTERANCE_HEAD.labels
SHARD, BATCH = 1024, 32
Progress = Callable[[str, float, float | None], None]


@dataclass(frozen=True)
class Utterances:
    """Of one data set and split. lines: as `SegmentInput.words`; emotion: int [N], places in LABELS; groups: whose, or which
    dialogue's, they are."""

    lines: Sequence[tuple[str, ...]]
    emotion: np.ndarray
    groups: Sequence[str]


def utterances_of(
    records: Sequence[Record],
    split: str,
    tested: Collection[str],
    languages: Collection[str],
    limit: int | None = None,
    seed: int = 0,
) -> Utterances:
    """Those of a split whose emotion the head knows and whose words are not among `tested` (`leaks.passages`)."""
    kept, _ = without_texts_of([record for record in records if record.split == split], tested)
    rows = [(said_in(record, languages), canonical(class_of(record) or ""), record.group) for record in kept]
    rows = [row for row in rows if row[0] and row[1] in LABELS]
    if limit is not None and limit < len(rows):
        rows = [rows[n] for n in sorted(np.random.default_rng(seed).permutation(len(rows))[:limit])]
    if not rows:
        raise ConfigError(f"no {split} utterance in {' or '.join(languages)} shows one of {', '.join(LABELS)}")
    lines, emotions, groups = zip(*rows, strict=True)
    return Utterances(list(lines), np.array([LABELS.index(emotion) for emotion in emotions], np.int64), list(groups))


@dataclass(frozen=True)
class Reading:
    """Who reads, and up to where."""

    backbone: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    layer: int
    adapter: WordsAdapter | None = None

    def source(self) -> str:
        """Hash of layer and weights, which what is kept goes by."""
        total = hashlib.sha256(str(self.layer).encode())
        for part in (self.backbone, self.adapter):
            if part is not None:
                add_weights(total, part.state_dict())
        return total.hexdigest()

    @torch.no_grad()
    def __call__(self, lines: Sequence[tuple[str, ...]]) -> Tensor:
        """float32 [N, F]; utterances of like length are read together."""
        order = sorted(range(len(lines)), key=lambda n: sum(map(len, lines[n])))
        batches = (as_tensors(words_batch(self.tokenizer, [lines[n] for n in some])) for some in batched(order, BATCH))
        read = [read_words(self.backbone, batch, self.layer, self.adapter) for batch in batches]
        return torch.cat(read)[torch.tensor(order).argsort()]


def read_all(reading: Reading, lines: Sequence[tuple[str, ...]], folder: Path, progress: Progress | None = None) -> Tensor:
    """float32 [N, F]. Shards are kept in `folder`, named by what was read and by whom; those that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    out, done, source = [], 0, reading.source()
    for shard in batched(lines, SHARD):
        file = folder / f"{hashlib.sha256(repr((source, shard)).encode()).hexdigest()[:24]}.safetensors"
        if not file.is_file():
            save_file_whole({"features": reading(shard).half()}, file)
        out.append(load_file(file)["features"].float())
        done += len(shard)
        if progress is not None:
            progress("utterances read", done, len(lines))
    return torch.cat(out)
