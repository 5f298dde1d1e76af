"""A label set of one's own: taken from a recipe, given to a model with a fresh head beside the old ones, and learned.

Letters: B batch, K labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from emoreason.errors import ConfigError
from emoreason.instructions.collator import Conversations, Example, Source
from emoreason.instructions.recipe import load_recipe
from emoreason.instructions.record import Record
from emoreason.labels.label_set import CANONICAL, LabelSet
from emoreason.model.head_spec import HeadSpec
from emoreason.model.heads import Head
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.verdict import LANGUAGE, VerdictSettings, own_head

SEED = 0  # of the fresh head: the same before every fine-tuning


def label_set_of(recipe: str) -> LabelSet:
    """The scheme of a recipe. Raises ConfigError for a recipe without labels, and for one that calls its scheme as ours."""
    scheme = load_recipe(recipe).scheme
    if scheme is None:
        raise ConfigError(f"labels: recipe '{recipe}' has no scheme; name a recipe whose samples are labelled")
    if scheme.name == CANONICAL:
        raise ConfigError(f"labels: recipe '{recipe}' calls its scheme '{CANONICAL}', as the eight emotions are; rename it there")
    try:
        return LabelSet(scheme.name, scheme.offered, {label: scheme.crosswalk.get(label) for label in scheme.offered})
    except ValueError as error:
        raise ConfigError(f"labels: recipe '{recipe}': {error}") from error


def give_labels(model: EmoReasonForConditionalGeneration, labels: LabelSet) -> None:
    """From now on the model's verdicts choose among `labels`. A head of that scheme is added unless it has one already.

    The head reads the language model's state at the end of the prompt, where faces, voice and evidence have been read. The
    language model's prior and temperature, which were those of other labels, are uniform and 1. Raises ConfigError where the
    model knows other labels by that name.
    """
    config, name = model.config, own_head(labels.name)
    known = {spec.name: spec for spec in config.head_specs()}
    if name in known and known[name].labels != labels.labels:
        raise ConfigError(f"the base knows other labels as '{labels.name}' ({', '.join(known[name].labels)}): rename your scheme")
    if name not in known:
        spec = HeadSpec(name, "words", "distribution", "clip", labels.labels)
        with torch.random.fork_rng():
            torch.manual_seed(SEED)
            model.heads[name] = Head(spec, config.text_width).to(model.face_connector.length.device)
        config.heads = [*config.heads, spec.to_dict()]
    before = VerdictSettings(**(config.verdict or {}))
    weights = {head: weight for head, weight in before.weights.items() if not head.startswith(own_head(""))}
    config.verdict = {"weights": weights | {LANGUAGE: 1.0, name: 1.0}, "most_tokens": before.most_tokens}
    config.scheme, config.labels, config.crosswalk = labels.name, list(labels.labels), dict(labels.crosswalk)


def shares(record: Record, labels: LabelSet) -> list[float] | None:
    """[K] of a record that is labelled in the scheme: votes, several labels in equal parts, or one; None for any other."""
    given = record.label(labels.name)
    if given is None:
        return None
    told = given.shares or {given.value: 1.0}
    out = [told.get(label, 0.0) for label in labels.labels]
    return [share / sum(out) for share in out] if sum(out) > 0 else None


@dataclass(frozen=True)
class LabelledExample(Example):
    """`label`: shares [K] of the label set, None where the sample is not labelled in it."""

    label: Sequence[float] | None = None


class LabelledConversations(Conversations):
    """Conversations whose batches hold `label` [B, K], NaN where nothing is known."""

    def __init__(self, labels: LabelSet, *given: Any, **options: Any):
        super().__init__(*given, **options)
        self.labels = labels

    def make(self, record: Record, source: Source, rng: np.random.Generator) -> LabelledExample | None:
        example = super().make(record, source, rng)
        return example and LabelledExample(**vars(example), label=shares(record, self.labels))

    def collate(self, examples: Sequence[LabelledExample | None]) -> dict[str, Any]:
        unknown = [float("nan")] * len(self.labels.labels)
        rows = [example.label or unknown for example in examples if example is not None]
        return {**super().collate(examples), "label": torch.tensor(rows)}
