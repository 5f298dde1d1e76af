"""How the language model reads utterances, tuned along with the head that judges them, from that head's best fit on.

Letters: B utterances of a batch, K emotions.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from emoreason.instructions.mixture import Draw, Mixture, Part
from emoreason.model.batch import WordsBatch, as_tensors
from emoreason.model.heads import Head
from emoreason.model.utterances import words_batch
from emoreason.model.words import WordsAdapter, read_words
from emoreason.training.fit import Evaluate, Fitted, Progress, fit
from emoreason.training.settings.words import WordsTuning

Utterance = tuple[tuple[str, ...], int]  # lines as `SegmentInput.words`, emotion


class WordsTraining(nn.Module):
    """`forward` takes a batch of `collate` and gives the loss. The backbone stays as it is."""

    def __init__(self, backbone: PreTrainedModel, adapter: WordsAdapter, head: Head, layer: int):
        super().__init__()
        self.backbone, self.words_adapter, self.head, self.layer = backbone.requires_grad_(False), adapter, head, layer
        adapter.requires_grad_(True)
        head.requires_grad_(True)

    def forward(self, words: WordsBatch, target: Tensor) -> dict[str, Tensor]:
        """target: int [B], places in the head's labels."""
        return {"loss": F.cross_entropy(self.head(read_words(self.backbone, words, self.layer, self.words_adapter)), target)}


class Drawn:
    """Data sets of utterances, drawn by their weights (1 where there is none) whatever their sizes, each with its emotions as
    frequent as they are."""

    def __init__(self, sets: Mapping[str, Sequence[Utterance]], weights: Mapping[str, float], seed: int):
        self.sets = sets
        self.mixture = Mixture([Part(name, len(rows), weights.get(name, 1.0)) for name, rows in sets.items()], seed)

    def shares(self, emotions: int) -> Tensor:
        """float [K], as `shares` of what is drawn."""
        parts = self.mixture.parts
        emotion, weight = zip(*((k, part.weight / part.size) for part in parts for _, k in self.sets[part.name]), strict=True)
        return shares(torch.tensor(emotion), emotions, torch.tensor(weight))

    def example(self, draw: Draw) -> Utterance:
        return self.sets[draw.part][draw.item]

    def size(self, example: Utterance) -> int:
        return sum(map(len, example[0]))


def shares(emotion: Tensor, emotions: int, weight: Tensor | None = None) -> Tensor:
    """int [N], what each weighs [N] -> float [K], a head's prior: an emotion without an example counts as one in a thousand."""
    counted = emotion.bincount(weight, emotions).float()
    return (counted / counted.sum()).clamp_min(1e-3)


def collate(tokenizer: PreTrainedTokenizerBase) -> Callable[[Sequence[Utterance]], dict]:
    """Of utterances to what `WordsTraining.forward` takes."""

    def of(rows: Sequence[Utterance]) -> dict:
        lines, emotions = zip(*rows, strict=True)
        return {"words": as_tensors(words_batch(tokenizer, lines)), "target": torch.tensor(emotions)}

    return of


def tune_words(
    model: WordsTraining, tokenizer: PreTrainedTokenizerBase, sets: Mapping[str, Sequence[Utterance]], asked: WordsTuning,
    seed: int, folder: Path, evaluate: Evaluate, progress: Progress | None = None,
) -> Fitted:  # fmt: skip
    """Train adapter and head, whose prior becomes that of the draws; `evaluate` chooses among the weights, by its loss. Goes on
    where it was stopped, as `fit`."""
    plan = asked.plan(seed)
    examples = Drawn(sets, asked.weights, plan.seed)
    model.head.set_prior(examples.shares(len(model.head.spec.labels)))
    groups = [{"name": "words", "params": [p for p in model.parameters() if p.requires_grad], "lr": asked.lr}]
    return fit(model, examples, collate(tokenizer), plan, folder, groups, evaluate, progress=progress)
