"""Verdict: the only place that turns scores into one. The language model scores the labels, the heads are fused in, and the fused
probabilities name a label or none.

Inference, calibration, the page of a fine-tuning and evaluation all call `judge_segments`, with inputs that the processor's
`prepare` made, so that they come to the same numbers.

Letters: B segments of a batch, P persons, T frames, K labels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.special import log_softmax

from emoreason.labels.label_set import EMOTION_SET, LabelSet
from emoreason.model.engines import MOST_TOKENS, Engine, Prompt
from emoreason.model.fusion import Source, clip_evidence, fuse
from emoreason.model.head_spec import HeadCalibration
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.prompt import ANSWER_CLOSE, ANSWER_OPEN
from emoreason.model.segment_input import SegmentInput
from emoreason.perception.people import seen_s
from emoreason.scoring.decision import decide, shown_weight

LANGUAGE = "language"
WEIGHTS = {LANGUAGE: 1.0, "emotion": 1.0, "voice_emotion": 0.5, "words_emotion": 0.5}  # before calibration
SCORING_STEM = f"{ANSWER_OPEN}emotion="


@dataclass(frozen=True)
class VerdictSettings:
    """Saved with the weights. `weights`: fusion weight of the language model and of each head that votes, by name.

    `log_prior` is the language model's log-prior per label, divided out as every head's is (measured on prompts without
    content, or label shares of its training); None = uniform. `temperature` calibrates its label scores. Below
    `least_confidence` no emotion is named; None = as the composer does.
    """

    weights: Mapping[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    temperature: float = 1.0
    log_prior: Sequence[float] | None = None
    most_tokens: int = MOST_TOKENS
    least_confidence: float | None = None

    def __post_init__(self) -> None:
        if self.temperature <= 0 or any(weight < 0 for weight in self.weights.values()):
            raise ValueError(f"verdict: temperature must be positive and weights not negative, got {self}")
        if self.least_confidence is not None and not 0 <= self.least_confidence <= 1:
            raise ValueError(f"verdict: least_confidence must lie in 0..1, got {self.least_confidence}")


@dataclass(frozen=True)
class SegmentVerdicts:
    """What was concluded about B segments.

    prompt: as the engine has read them, to be continued. language: [B, K] log p of each label by the language model, before its
    temperature and prior. heads: evidence of each head that votes, by name, with its weight. log_p: [B, K] all of it fused.
    labels, reasons: the named label of each segment, or None and why. Of a segment that shows nothing at all probabilities, label
    and reason are None.
    """

    prompt: Prompt
    language: np.ndarray
    heads: Mapping[str, Source]
    log_p: np.ndarray
    probabilities: Sequence[np.ndarray | None]  # [K] each
    labels: Sequence[str | None]
    reasons: Sequence[str | None]


def judge_segments(
    engine: Engine,
    processor: EmoReasonProcessor,
    inputs: Sequence[SegmentInput],
    settings: VerdictSettings,
    label_set: LabelSet | None = None,
    soft: bool = True,
    room: int = 0,
) -> SegmentVerdicts:
    """The verdict of each segment. label_set: the labels to choose from (None: the model's own); a head on canonical emotions
    then speaks about the labels that stand for them. soft=False: evidence lines alone. room: tokens kept free for what will be
    written after the prompt.

    Raises ContextError for a prompt that is too long, ValueError when the language model's prior has another length.
    """
    own = processor.config.label_set()
    label_set = own if label_set is None else label_set
    asked = tuple(processor.config.labels) if label_set == own else label_set.labels
    if label_set != own:
        settings = replace(settings, log_prior=None)  # which is of the model's own labels
    batch = processor(inputs, soft=soft, room=room, return_tensors="np")
    prompt = engine.read(batch)
    language = label_scores(engine, prompt, asked)
    heads = head_sources(engine.heads, prompt.heads, frame_weights(inputs, batch), present_in(batch), settings.weights, label_set)
    log_p = fuse([language_source(language, asked, settings), *heads.values()], label_set.labels)  # [B, K]
    shares = [p if given.shows_anything else None for p, given in zip(np.exp(log_p.astype(float)), inputs, strict=True)]
    decided = [(None, None) if p is None else decide(p, label_set.labels, settings.least_confidence) for p in shares]
    return SegmentVerdicts(prompt, language, heads, log_p, shares, [label for label, _ in decided], [why for _, why in decided])


def segment_weight(given: SegmentInput, p: np.ndarray | None, label_set: LabelSet) -> float:
    """Weight of a segment in its clip's verdict: how many seconds were seen and heard, by quality, x how much was shown."""
    if p is None or given.segment is None:
        return 0.0
    seconds = given.speech_s
    if given.main in given.persons:
        row = given.persons.index(given.main)
        frames = given.frame_mask[row]
        if frames.any():
            quality = np.nan_to_num(given.quality[row, frames]).astype(np.float32)
            seconds += seen_s(given.times_s[row, frames].astype(float)) * float(quality.mean())
    length = max(given.segment.end_s - given.segment.start_s, 1e-3)
    neutral = sum(float(share) for label, share in zip(label_set.labels, p, strict=True) if label_set.emotion(label) == "neutral")
    return min(max(seconds, 1e-3), length) * float(shown_weight(neutral))


def label_scores(engine: Engine, prompt: Prompt, labels: Sequence[str]) -> np.ndarray:
    """[B, K] log p of each label's answer right after the prompt, normalised over the labels.

    Scored is the whole text `<answer>emotion=LABEL`: the stem is common to all and drops out. Where one label's text begins
    another's, all are scored with what ends an answer; so the sums are the model's own probabilities and need no correction for
    length.
    """
    begun = any(other != label and other.startswith(label) for label in labels for other in labels)
    end = ANSWER_CLOSE if begun else ""
    return log_softmax(engine.score(prompt, [f"{SCORING_STEM}{label}{end}" for label in labels]), axis=-1)


def language_source(scores: np.ndarray, labels: Sequence[str], settings: VerdictSettings) -> Source:
    """What the language model's scores [B, K] say beyond its prior. Raises ValueError when the prior has another length."""
    prior = np.zeros(len(labels)) if settings.log_prior is None else np.array(settings.log_prior, float)
    if prior.shape != (len(labels),):
        raise ValueError(f"verdict: log_prior has {len(prior)} entries, the model has {len(labels)} labels")
    evidence = log_softmax(scores / settings.temperature, axis=-1) - log_softmax(prior)  # [B, K]
    return Source(labels, evidence, settings.weights.get(LANGUAGE, 0.0))


def present_in(batch: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Part -> [B] which rows of a processor's batch have it: a voice, an utterance."""
    voice, words = batch.get("voice"), batch.get("words")
    found = {"voice": voice and voice.mel_mask.any(-1), "utterance": words and words.said.any(-1)}
    return {part: rows for part, rows in found.items() if rows is not None}


def frame_weights(inputs: Sequence[SegmentInput], batch: Mapping[str, Any]) -> np.ndarray | None:
    """[B, P, T] quality of the frames that count for the verdict: those of its person. None where no face goes through the
    encoder."""
    mask = getattr(batch.get("face"), "frame_mask", None)
    if mask is None:
        return None
    out = np.zeros(mask.shape, np.float32)
    for b, given in enumerate(inputs):
        if given.main in given.persons:
            row = given.persons.index(given.main)
            values = np.nan_to_num(given.quality[row])  # [T]
            out[b, row, : len(values)] = values
    return out * mask


def head_sources(
    heads: Mapping[str, HeadCalibration],
    logits: Mapping[str, np.ndarray],
    quality: np.ndarray | None,
    present: Mapping[str, np.ndarray],
    weights: Mapping[str, float],
    label_set: LabelSet = EMOTION_SET,
) -> dict[str, Source]:
    """Sources [B, K], by name, of the heads that `weights` names and whose encoder had input, in the words of `label_set`.

    logits: [B, P, T, K] per frame, [B, K] per clip. quality [B, P, T] weighs frames, 0 = does not count (masked, or another
    person's). present: as `present_in` says.
    """
    sources = {}
    for name, value in logits.items():
        if not weights.get(name, 0.0):
            continue
        head = heads[name]
        there = present.get(head.spec.part)
        if head.spec.resolution == "frame":
            counted = quality.reshape(len(quality), -1)  # [B, P*T]
            frames = value.reshape(*counted.shape, -1)  # [B, P*T, K]
            value, there = clip_evidence(frames, counted, counted > 0), (counted > 0).any(-1)  # [B, K], [B]
        source = Source(head.spec.labels, head.log_evidence(value), weights[name], there)
        own = label_set.canonical or name == own_head(label_set.name)
        sources[name] = source if own else in_words_of(label_set, source)
    return sources


def own_head(scheme: str) -> str:
    """Name of the head that a label set of one's own gets."""
    return f"label_{scheme}"


def in_words_of(label_set: LabelSet, source: Source) -> Source:
    """What a head on canonical emotions says about the labels that stand for one; of labels that stand for none, nothing."""
    known = [label for label in label_set.labels if label_set.emotion(label) in source.labels]
    columns = [source.labels.index(label_set.emotion(label)) for label in known]
    return replace(source, labels=known, log_evidence=source.log_evidence[..., columns])
