"""What a model answers to labelled clips, as inference would ask it: label scores fused with the heads, without any text.

Letters: N samples, K labels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from emoreason.instructions.answers import label_of
from emoreason.instructions.collator import Conversations, Source
from emoreason.instructions.mixture import Mixture, Part
from emoreason.instructions.record import Record
from emoreason.instructions.tasks import in_words
from emoreason.labels.label_set import LabelSet
from emoreason.model import verdict
from emoreason.model.engines.transformers import TransformersEngine
from emoreason.model.fusion import fuse
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.prompt import emotion_question
from emoreason.model.segment_input import SegmentInput
from emoreason.perception.store import ObservationStore
from emoreason.scoring.metrics.classification import accuracy, confusion, uar
from emoreason.scoring.metrics.intervals import Difference, bootstrap, paired_difference
from emoreason.training.features import batched

BATCH = 8
Progress = Callable[[str, float, float | None], None]


@dataclass(frozen=True)
class Clip:
    """A labelled sample as inference is shown it. truth: its place among the labels; group: whoever must not be counted twice."""

    record: str
    group: str
    truth: int
    shown: SegmentInput


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


def clips_of(
    source: Source, labels: LabelSet, word: Callable[[Record], str | None], processor: EmoReasonProcessor, store: ObservationStore
) -> list[Clip]:
    """Of the source's records that `word` finds a label for, asked as inference asks. Where words alone are judged they stand
    before the question. Raises ConfigError for media that were not observed."""
    whole = Conversations({"all": source}, Mixture([Part("all", 1, 1)], 0), processor, store)  # faces and voices from the files
    out = []
    for record in source.records:
        truth = word(record)
        example = whole.make(record, source, np.random.default_rng(0)) if truth in labels.labels else None
        if example is not None:
            shown = replace(example.inputs, question=in_words(record, emotion_question(labels.labels)), turns=())
            out.append(Clip(record.id, record.group, labels.labels.index(truth), shown))
    return out


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
    """The verdicts of a model on clips, each one segment; all frames count alike."""
    engine, out, done = TransformersEngine(model, processor.tokenizer), [], 0
    for some in batched(clips, BATCH):
        batch = processor([clip.shown for clip in some])
        prompt = engine.read(batch)
        language = verdict.language_source(verdict.label_scores(engine, prompt, labels.labels), labels.labels, settings)
        seen = None if batch.get("face") is None else batch["face"].frame_mask.float()
        heads = verdict.head_sources(model.heads, prompt.heads, seen, verdict.present_in(batch), settings.weights, labels)
        out.append(fuse([language, *heads], labels.labels).exp().double().cpu())
        done += len(some)
        if progress is not None:
            progress("asking", done, len(clips))
    return Answers(clips, labels.labels, torch.cat(out).numpy())


def settings_of(model: EmoReasonForConditionalGeneration, without: Sequence[str] = ()) -> verdict.VerdictSettings:
    """The model's own, some sources without a vote."""
    told = verdict.VerdictSettings(**(model.config.verdict or {}))
    return replace(told, weights={name: weight for name, weight in told.weights.items() if name not in without})
