"""The head on utterances: the one best linear fit on frozen states, and its place in the model.

Letters: N utterances, F features, K emotions.

A linear head on frozen states has one best fit, so it is found by a full-batch solver instead of steps; only how strongly its
weights are held back is chosen, on validation. From there the reading itself may be tuned (words.tuning).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from emoreason.model.config import UTTERANCE_HEAD
from emoreason.model.heads import Head
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.words import new_adapter, words_width
from emoreason.scoring.metrics.classification import confusion, uar, weighted_f1
from emoreason.training.words.tuning import shares
from emoreason.training.words.utterances import LABELS


def give_words(model: EmoReasonForConditionalGeneration, reads: Mapping[str, Any]) -> None:
    """From now on the model reads utterances, by a new head and adapter unless it reads just so already. reads: as
    `EmoReasonConfig.words`.

    Raises ConfigError for layers that the language model does not have.
    """
    device = model.face_connector.length.device
    if model.config.words != dict(reads):
        adapter = new_adapter(model.backbone, reads)
        model.words_adapter = adapter and adapter.train(model.training).to(device)
        model.config.words = dict(reads)
    if UTTERANCE_HEAD.name not in model.heads:
        head = Head(UTTERANCE_HEAD, words_width(model.config.text_width)).train(model.training)
        model.heads[UTTERANCE_HEAD.name] = head.to(device)
        model.config.heads = [*model.config.heads, UTTERANCE_HEAD.to_dict()]


def fit_head(features: Tensor, emotion: Tensor, decay: float) -> Head:
    """features [N, F], emotion [N] -> multinomial logistic regression on standardised features. The head carries its prior."""
    head = Head(UTTERANCE_HEAD, features.shape[1], dropout=0.0)
    head.set_prior(shares(emotion, len(LABELS)))
    plain = F.layer_norm(features, features.shape[1:])
    spread = plain.std(0).clamp_min(1e-4)
    with torch.no_grad():  # the head's own norm does the standardising
        head.norm.weight.copy_(1 / spread)
        head.norm.bias.copy_(-plain.mean(0) / spread)
        torch.nn.init.zeros_(head.out.weight)
        head.out.bias.copy_(head.log_prior)
        scaled = head.norm(features)
    search = torch.optim.LBFGS(head.out.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        value = F.cross_entropy(head.out(scaled), emotion) + 0.5 * decay * head.out.weight.square().sum()
        value.backward()
        return value

    search.step(loss)
    return head.eval().requires_grad_(False)


def choose_head(
    train: tuple[Tensor, Tensor], valid: Mapping[str, tuple[Tensor, Tensor]], decays: Sequence[float]
) -> tuple[Head, dict[str, float]]:
    """The decay with the least cross-entropy on validation, all its sets counting alike; and what it measured there."""
    heads = {decay: fit_head(*train, decay) for decay in decays}
    losses = {decay: loss_of(head, valid) for decay, head in heads.items()}
    best = min(losses, key=losses.__getitem__)
    return heads[best], {"decay": best, "loss": losses[best], **figures(heads[best], valid)}


@torch.no_grad()
def figures(head: Head, sets: Mapping[str, tuple[Tensor, Tensor]]) -> dict[str, float]:
    """weighted_f1_SET: emotions expected as often as in training; uar_even_SET: expected equally often, as in a verdict."""
    found = {}
    for name, (features, emotion) in sets.items():
        logits = head(features)
        said, even = logits.argmax(1).numpy(), head.log_evidence(logits).argmax(1).numpy()
        found[f"weighted_f1_{name}"] = float(weighted_f1(confusion(emotion.numpy(), said, len(LABELS))))
        found[f"uar_{name}"] = float(uar(confusion(emotion.numpy(), said, len(LABELS))))
        found[f"uar_even_{name}"] = float(uar(confusion(emotion.numpy(), even, len(LABELS))))
    return found


@torch.no_grad()
def loss_of(head: Head, sets: Mapping[str, tuple[Tensor, Tensor]]) -> float:
    """Mean cross-entropy, all sets counting alike."""
    return float(torch.stack([F.cross_entropy(head(features), emotion) for features, emotion in sets.values()]).mean())
