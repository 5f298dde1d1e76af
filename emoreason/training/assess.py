"""What a model answers to labelled clips, as inference would ask it: the verdict of `judge_segments`, without any text.

Letters: N samples, K labels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import torch

from emoreason.instructions.answers import label_of
from emoreason.instructions.asked import Refine, as_measured, verdict_inputs
from emoreason.instructions.collator import Source
from emoreason.instructions.record import Record
from emoreason.labels.label_set import LabelSet
from emoreason.model import verdict
from emoreason.model.engines.transformers import TransformersEngine
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.refining import refine
from emoreason.model.segment_input import SegmentInput
from emoreason.model.verdict import judge_segments, segment_weight
from emoreason.perception.store import ObservationStore
from emoreason.scoring.decision import pool
from emoreason.scoring.metrics.classification import accuracy, confusion, uar
from emoreason.scoring.metrics.intervals import Difference, bootstrap, paired_difference
from emoreason.training.features import batched

BATCH = 8
Progress = Callable[[str, float, float | None], None]


@dataclass(frozen=True)
class Clip:
    """A labelled sample. truth: its place among the labels; group: whoever must not be counted twice; inputs: its segments as
    inference shows them to the model of a processor, whose own reading of the action units they hold."""

    record: str
    group: str
    truth: int
    inputs: Callable[[EmoReasonProcessor, Refine], list[SegmentInput]]


@dataclass(frozen=True)
class Answers:
    """Probabilities [N, K] of the labels for N clips."""

    clips: Sequence[Clip]
    labels: tuple[str, ...]
    probabilities: np.ndarray

    @cached_property
    def truth(self) -> np.ndarray:
        return np.array([clip.truth for clip in self.clips])

    @cached_property
    def said(self) -> np.ndarray:
        return self.probabilities.argmax(1)

    @property
    def confusion(self) -> np.ndarray:
        """[K, K] counts of truth by answer."""
        return confusion(self.truth, self.said, len(self.labels))[:, :-1]

    def score(self, statistic: Callable[[np.ndarray], float]) -> tuple[float, tuple[float, float] | None]:
        """(value, 95 % interval over groups) of a statistic of the confusion matrix."""
        of = self._of(statistic)
        return of(self.truth, self.said), bootstrap(of, (self.truth, self.said), [clip.group for clip in self.clips])

    def since(self, before: "Answers", statistic: Callable[[np.ndarray], float]) -> Difference:
        """What the same clips gained."""
        groups = [clip.group for clip in self.clips]
        return paired_difference(self._of(statistic), (self.truth,), self.said, before.said, groups)

    def _of(self, statistic: Callable[[np.ndarray], float]) -> Callable[[np.ndarray, np.ndarray], float]:
        return lambda truth, said: statistic(confusion(truth, said, len(self.labels)))


STATISTICS: Mapping[str, Callable[[np.ndarray], float]] = {"accuracy": accuracy, "UAR": uar}


def clips_of(source: Source, labels: LabelSet, word: Callable[[Record], str | None], store: ObservationStore) -> list[Clip]:
    """Of the source's records that `word` finds a label of the set for."""
    found = [(record, word(record)) for record in source.records]
    return [
        Clip(record.id, record.group, labels.labels.index(truth), partial(_inputs, record, source, labels, store))
        for record, truth in found
        if truth in labels.labels
    ]


def _inputs(
    record: Record, source: Source, labels: LabelSet, store: ObservationStore, processor: EmoReasonProcessor, refine: Refine
) -> list[SegmentInput]:
    return verdict_inputs(record, source.roots, store, source.words, labels.labels, processor, refine)


def native(labels: LabelSet) -> Callable[[Record], str | None]:
    """A record's label in the words of the set."""
    return lambda record: label_of(record, labels.name)


@torch.no_grad()
def answers(
    model: EmoReasonForConditionalGeneration,
    processor: EmoReasonProcessor,
    clips: Sequence[Clip],
    labels: LabelSet,
    settings: verdict.VerdictSettings,
    progress: Progress | None = None,
) -> Answers:
    """The verdicts of a model on clips. Raises ConfigError for media that were not observed, MediaError."""
    engine, out = TransformersEngine(model, processor.tokenizer), []
    refined = partial(refine, engine, processor) if model.config.trained else as_measured
    for some in batched(clips, BATCH):
        segments = [clip.inputs(processor, refined) for clip in some]
        flat = [given for of_clip in segments for given in of_clip]
        judged = [judge_segments(engine, processor, few, settings, labels) for few in batched(flat, BATCH)]
        told = iter([p for batch in judged for p in batch.probabilities])
        out += [_pooled([(given, next(told)) for given in of_clip], labels) for of_clip in segments]
        if progress is not None:
            progress("asking", len(out), len(clips))
    return Answers(clips, labels.labels, np.stack(out))


def _pooled(judged: Sequence[tuple[SegmentInput, np.ndarray | None]], labels: LabelSet) -> np.ndarray:
    """[K] of a clip; all labels alike where nothing could be judged."""
    if len(judged) == 1:
        p = judged[0][1]
    else:
        p = pool([p for _, p in judged], [segment_weight(given, p, labels) for given, p in judged])
    return np.full(len(labels.labels), 1 / len(labels.labels)) if p is None else p


def settings_of(model: EmoReasonForConditionalGeneration, without: Sequence[str] = ()) -> verdict.VerdictSettings:
    """The model's own, some sources without a vote."""
    told = verdict.VerdictSettings(**(model.config.verdict or {}))
    return replace(told, weights={name: weight for name, weight in told.weights.items() if name not in without})
