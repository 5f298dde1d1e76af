"""Dry run: what a stage would train on, how much of it there is, and what it would cost; nothing is trained or kept."""

import resource
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import psutil
import torch

from emoreason.errors import ConfigError
from emoreason.instructions.collator import Conversations, Example, Place
from emoreason.instructions.leaks import find_leaks, media_paths
from emoreason.instructions.observe_all import files_of, find
from emoreason.instructions.store import read_records
from emoreason.model.processing import IGNORED, EmoReasonProcessor
from emoreason.model.stages import PartRow
from emoreason.training.mixtures import SPLITS, read
from emoreason.training.run import Run
from emoreason.training.sft import MIXTURES, TuningSetup

SAMPLES = 10
DRAWN = 200  # samples at most that are looked at for so many that were observed
LOOKED_UP = 50  # records a part whose observation is looked for: each takes some milliseconds


@dataclass(frozen=True)
class DryRun:
    """`samples`: rendered conversations, answers between marks. tokens, supervised: mean a sample. memory_mb: peak of the process
    after one step, checkpoints not counted, of free_mb before it. missing: files that are not there, or not observed (of the
    first records)."""

    stage: str
    trains: list[PartRow]
    parts: dict[str, int]
    samples: list[str]
    steps: int
    tokens: float
    supervised: float
    step_s: float
    hours: float
    memory_mb: float
    free_mb: float
    missing: list[str]
    leaks: list[str]


class Blanks:
    """Stands for encoder tokens that were not computed yet: zeros of the right shape."""

    def __init__(self, processor: EmoReasonProcessor):
        config = processor.config
        self.face_shape = (processor.layout.face, config.face_config.dim)
        self.voice_shape = (processor.layout.voice, config.voice_config.whisper_config.d_model)

    def face(self, place: Place) -> np.ndarray | None:
        return np.zeros((len(place.people), *self.face_shape), np.float32) if place.people else None

    def voice(self, place: Place) -> np.ndarray | None:
        return None if place.voice_key is None else np.zeros(self.voice_shape, np.float32)


def dry_run(stage: TuningSetup) -> DryRun:
    """One real forward and backward pass tells time and memory. Raises ConfigError where not one sample can be asked."""
    source, free = stage.conversations(), psutil.virtual_memory().available
    source.features = Blanks(stage.processor)
    plan, gone = stage.spec.plan(stage.run.seed), missing(source)
    examples = list(islice(_examples(source), max(SAMPLES, plan.batch)))
    if not examples:
        raise ConfigError(f"stage '{stage.name}': nothing can be asked: {'; '.join(gone) or 'no task applies to its records'}")
    lengths, supervised = _lengths(source, examples)
    step_s = _one_step(stage, source.collate(examples[: plan.batch])) * plan.accumulate
    return DryRun(
        stage=stage.name,
        trains=[row for row in stage.table if row.trainable],
        parts={name: len(given.records) for name, given in source.sources.items()},
        samples=[rendered(stage.processor, example) for example in examples[:SAMPLES]],
        steps=plan.steps,
        tokens=float(np.mean(lengths)),
        supervised=float(np.mean(supervised)),
        step_s=step_s,
        hours=step_s * plan.steps / 3600,
        memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        free_mb=free / 2**20,
        missing=gone,
        leaks=leaks(stage.run, stage.out),
    )


def _examples(source: Conversations) -> Iterator[Example]:
    """Of the first draws, those that were observed and that can be asked something."""
    for draw in islice(source.mixture, DRAWN):
        given = source.sources[draw.part]
        record = given.records[draw.item]
        if record.media is not None and find(record, given.roots, source.store, words=given.words) is None:
            continue
        if (example := source.example(draw)) is not None:
            yield example


def rendered(processor: EmoReasonProcessor, example) -> str:
    """The conversation as the model reads it; what is learned stands between « and »."""
    return "".join(f"«{text}»" if spoken else text for text, spoken in processor.pieces(example.inputs, example.answer))


def missing(source: Conversations) -> list[str]:
    """Files of the mixture that are not there, and those of the first records that were not observed."""
    out = []
    for name, given in source.sources.items():
        files = {path for record in given.records if record.media for path in files_of(record, given.roots)}
        gone = sorted(str(path) for path in files if not path.is_file())
        out += [f"{name}: {len(gone)} files are not there, the first {gone[0]}"] if gone else []
        shown = [record for record in given.records if record.media][:LOOKED_UP]
        unseen = [record.id for record in shown if find(record, given.roots, source.store, words=given.words) is None]
        hint = f"run `emoreason data observe --no-words` first ({unseen[0]}, for one)" if unseen else ""
        out += [f"{name}: {len(unseen)} of {len(shown)} were not observed: {hint}"] if unseen else []
    return out


def leaks(run: Run, out: Path) -> list[str]:
    """Of every part: whether groups or files occur in both splits, or in a test split; and what was dropped for its words."""
    index: Mapping = read(out / MIXTURES) or {"parts": {}, "dropped_as_tested": {}}
    found = [f"{name}: {count} records dropped, their words are tested on" for name, count in index["dropped_as_tested"].items()]
    for name in index["parts"]:
        records = [record for split in SPLITS for record in read_records(out / MIXTURES / name / split)]
        strange = [record for record in records if record.split not in SPLITS]
        found += [f"{name}: {record.id} is of split {record.split}" for record in strange]
        shared = find_leaks(records, {path: path for record in records for path in media_paths(record)})
        found += [f"{name}: {leak.kind} {leak.what} is in {' and '.join(leak.splits)}" for leak in shared[:3]]
    return found


def _lengths(source: Conversations, examples) -> tuple[list[int], list[int]]:
    batch = source.collate(examples)
    return batch["attention_mask"].sum(1).tolist(), (batch["labels"] != IGNORED).sum(1).tolist()


def _one_step(stage: TuningSetup, batch) -> float:
    device = next(stage.model.parameters()).device
    started = time.perf_counter()
    with torch.autocast(device.type, torch.bfloat16, enabled=stage.spec.plan(0).bf16(device)):
        loss = stage.tuning(**batch).loss
    loss.backward()
    stage.tuning.zero_grad(set_to_none=True)
    return time.perf_counter() - started
