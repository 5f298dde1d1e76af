"""Calibration: fusion weights, the language model's temperature, and the confidence below which no emotion is named.

`calibrate_run` does all of it after the last stage; OUT/calibration.json holds what was chosen and measured.

Chosen on validation clips of a stage, under the inputs and the question of inference. Letters: N clips, K emotions.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from emoreason.errors import ConfigError
from emoreason.instructions.asked import verdict_inputs
from emoreason.instructions.collator import Source as Records
from emoreason.instructions.record import Record
from emoreason.labels.emotions import EMOTIONS, canonical
from emoreason.labels.label_set import EMOTION_SET
from emoreason.model import verdict
from emoreason.model.engines.transformers import TransformersEngine
from emoreason.model.fusion import Source, fuse
from emoreason.model.refining import refine
from emoreason.perception.store import ObservationStore
from emoreason.scoring.metrics.calibration import brier, ece, risk_coverage
from emoreason.training.features import batched
from emoreason.training.mixtures import class_of
from emoreason.training.parts import FINAL, load_parts
from emoreason.training.run import Run
from emoreason.training.sft import TuningSetup
from emoreason.training.stages.words import set_weights, take_words

FILE = "calibration.json"
BATCH = 8
KEPT = 0.95  # share of the right answers that an abstaining model must still give
MOST_CONFIDENCE = 0.6  # and it never asks for more than this

Progress = Callable[[str, float, float | None], None]


def calibrate_run(
    run: Run, out: Path, roots: Mapping[str, Path], data: str | None, store: ObservationStore, parts: Sequence[str] = (),
    most: int = 80, progress: Progress | None = None,
) -> tuple[dict[str, Any], dict[str, float]]:  # fmt: skip
    """(fields of VerdictSettings, what was measured) of a finished run, on the validation data of its last stage.

    parts: of that stage's mixture; when not given, all but the conflicts, in which two emotions are right. Leave out those whose
    validation data stage 0 has trained on.
    """
    *_, name = run.tuning()
    stage = TuningSetup(run, name, out, roots, data, store)
    load_parts(stage.model, out / name / FINAL)
    take_words(run, out, stage.model)
    chosen = parts or [part for part, spec in stage.spec.mixture.items() if spec.kind != "conflicts"]
    settings, measured = calibrate(votes(stage, chosen, most, progress), set_weights(run))
    text = json.dumps({"verdict": settings, "measured": measured}, indent=1)
    (out / FILE).write_text(text, encoding="utf-8")
    return settings, measured


@dataclass(frozen=True)
class Votes:
    """What was said of N clips: language [N, K] log p; of each head by name its labels, evidence [N, L] and presence [N]."""

    language: np.ndarray
    heads: Mapping[str, Source]
    truth: np.ndarray  # [N] places in EMOTIONS
    parts: Sequence[str]  # of the mixture, one per clip

    def fused(self, temperature: float, weights: Mapping[str, float]) -> np.ndarray:
        """[N, K] log-probabilities of the verdict under these settings."""
        language = Source(EMOTIONS, log_softmax(self.language / temperature, axis=-1), weights[verdict.LANGUAGE])
        heads = [Source(head.labels, head.log_evidence, weights[name], head.present) for name, head in self.heads.items()]
        return fuse([language, *heads], EMOTIONS)

    def balance(self) -> np.ndarray:
        """[N] weights, summing to 1, under which every part counts alike, and within it every emotion."""
        cells = list(zip(self.parts, self.truth.tolist(), strict=True))
        classes = {part: len({true for name, true in cells if name == part}) for part in set(self.parts)}
        return np.array([1 / (len(classes) * classes[cell[0]] * cells.count(cell)) for cell in cells])


def votes(stage: TuningSetup, parts: Sequence[str], most: int = 80, progress: Progress | None = None) -> Votes:
    """Of up to `most` validation clips of each part. Faces and voices go through the encoders, whose heads vote.

    Raises ConfigError for a part that the stage lacks, and where no clip has a label that stands for an emotion.
    """
    if unknown := [part for part in parts if part not in stage.spec.mixture]:
        raise ConfigError(f"stage '{stage.name}' has no part '{unknown[0]}' in its mixture")
    engine = TransformersEngine(stage.model, stage.processor.tokenizer)
    refined = partial(refine, engine, stage.processor)
    labelled = [(part, *row) for part in parts for row in _labelled(stage, part, most)]
    if not labelled:
        raise ConfigError(f"no validation clip of {', '.join(parts)} has a label that stands for an emotion")
    names = [name for name in verdict.WEIGHTS if name != verdict.LANGUAGE]
    settings = verdict.VerdictSettings(weights=dict.fromkeys(names, 1.0))
    rows, languages, sources = [], [], []
    for done, some in enumerate(batched(labelled, BATCH), 1):
        segments = [
            (part, emotion, given)
            for part, record, source, emotion in some
            for given in verdict_inputs(record, source.roots, stage.store, source.words, EMOTIONS, stage.processor, refined)
        ]
        told = verdict.judge_segments(engine, stage.processor, [given for *_, given in segments], settings, EMOTION_SET)
        rows += [(part, emotion) for part, emotion, _ in segments]
        languages.append(told.language)
        sources.append(told.heads)
        if progress is not None:
            progress("calibration clips", min(BATCH * done, len(labelled)), len(labelled))
    counts = [len(language) for language in languages]
    heads = {name: _joined([found.get(name) for found in sources], counts) for name in {n for found in sources for n in found}}
    truth = np.array([EMOTIONS.index(emotion) for _, emotion in rows])
    return Votes(np.concatenate(languages), heads, truth, [part for part, _ in rows])


def _labelled(stage: TuningSetup, part: str, most: int) -> list[tuple[Record, Records, str]]:
    """Validation records of a part, where they come from, and the emotion that their label stands for."""
    source = stage.conversations("valid").sources[part]
    labelled = [(record, canonical(class_of(record) or "")) for record in source.records]
    known = [(record, emotion) for record, emotion in labelled if emotion in EMOTIONS]
    step = max(len(known) / most, 1.0)
    return [(record, source, emotion) for record, emotion in (known[int(i * step)] for i in range(min(most, len(known))))]


def _joined(sources: Sequence[Source | None], counts: Sequence[int]) -> Source:
    """One head's batches one after the other; absent where a batch had no input for it."""
    labels = next(source.labels for source in sources if source is not None)
    evidence = [np.zeros((n, len(labels))) if s is None else s.log_evidence for s, n in zip(sources, counts, strict=True)]
    present = [np.zeros(n, bool) if s is None else s.present for s, n in zip(sources, counts, strict=True)]
    return Source(labels, np.concatenate(evidence), 1.0, np.concatenate(present))


def calibrate(told: Votes, given: Mapping[str, float] | None = None) -> tuple[dict[str, Any], dict[str, float]]:
    """(fields of VerdictSettings, what was measured): least cross-entropy with parts and emotions balanced, then the threshold.

    One temperature and one weight a source, all positive (their logarithms are what is searched); `given` weights stay.
    """
    given = given or {}
    names = [verdict.LANGUAGE, *told.heads]
    searched = [name for name in names if name not in given]
    share, rows = told.balance(), np.arange(len(told.truth))

    def loss(free: np.ndarray) -> float:
        """free: log temperature, log weights."""
        temperature, *weights = np.exp(free)
        log_p = told.fused(temperature, {**dict(zip(searched, weights, strict=True)), **given})
        return float(-(share * log_p[rows, told.truth]).sum() + 1e-3 * np.square(free).sum())

    found = minimize(loss, np.zeros(1 + len(searched)), method="L-BFGS-B")
    temperature, *weights = [round(float(value), 4) for value in np.exp(found.x)]
    chosen = {**dict(zip(searched, weights, strict=True)), **given}
    log_p = told.fused(temperature, chosen)
    threshold = confidence_threshold(log_p, told.truth)
    measured = {
        "cross_entropy_before": _cross_entropy(told, told.fused(1.0, verdict.VerdictSettings().weights)),
        "cross_entropy": _cross_entropy(told, log_p),
        **_described(log_p, told.truth, threshold),
    }
    for name in names:
        alone = dict.fromkeys(names, 0.0) | {name: 1.0}
        where = np.ones(len(told.truth), bool) if name == verdict.LANGUAGE else told.heads[name].present
        measured[f"accuracy_{name}"] = float(_right(told.fused(1.0, alone)[where], told.truth[where]).mean())
    for part in dict.fromkeys(told.parts):
        where = np.array([other == part for other in told.parts])
        measured[f"accuracy_of_{part}"] = float(_right(log_p[where], told.truth[where]).mean())
    return {"temperature": temperature, "weights": chosen, "least_confidence": threshold}, measured


def confidence_threshold(log_p: np.ndarray, truth: np.ndarray) -> float:
    """The confidence that KEPT of the right answers reach: what lies below on the risk-coverage curve is mostly wrong."""
    right = np.exp(log_p).max(1)[_right(log_p, truth) > 0]
    return min(float(np.quantile(right, 1 - KEPT)), MOST_CONFIDENCE) if len(right) else MOST_CONFIDENCE


def _described(log_p: np.ndarray, truth: np.ndarray, threshold: float) -> dict[str, float]:
    sure, right = np.exp(log_p).max(1).astype(float), _right(log_p, truth)
    accepted = sure >= threshold
    return {
        "accuracy": float(right.mean()),
        "ece": ece(sure, right),
        "brier": brier(np.exp(log_p).astype(float), truth),
        "aurc": float(risk_coverage(sure, right).area),
        "coverage": float(accepted.mean()),
        "accuracy_accepted": float(right[accepted].mean()),
    }


def _right(log_p: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return (log_p.argmax(1) == truth).astype(float)


def _cross_entropy(told: Votes, log_p: np.ndarray) -> float:
    return -float((told.balance() * log_p[np.arange(len(told.truth)), told.truth]).sum())
