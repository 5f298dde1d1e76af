"""One verdict: the language model scores the labels, the heads are fused in, and the fused label is explained.

Letters: B segments of a batch, P persons, T frames, K labels.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from emoreason.labels.label_set import EMOTION_SET, LabelSet
from emoreason.model.engines import MOST_TOKENS, Engine, OnText, Prompt
from emoreason.model.fusion import Source, clip_evidence
from emoreason.model.heads import Head
from emoreason.model.prompt import ANSWER_CLOSE, ANSWER_OPEN, answer_text
from emoreason.scoring.answer import Answer, parse_answer
from emoreason.scoring.grammar import parse

LANGUAGE = "language"
WEIGHTS = {LANGUAGE: 1.0, "emotion": 1.0, "voice_emotion": 0.5, "words_emotion": 0.5}  # before calibration
SCORING_STEM = f"{ANSWER_OPEN}emotion="
CONCLUSION = "Taken together this appears as {}."
_QUOTED = re.compile(r'"[^"]*"')
_SENTENCE_END = re.compile(r"[.!?]['\")]*(?=\s|$)")  # not the point of 2.1 s


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


def label_scores(engine: Engine, prompt: Prompt, labels: Sequence[str]) -> Tensor:
    """[B, K] log p of each label's answer right after the prompt, normalised over the labels.

    Scored is the whole text `<answer>emotion=LABEL`: the stem is common to all and drops out. Where one label's text begins
    another's, all are scored with what ends an answer; so the sums are the model's own probabilities and need no correction for
    length.
    """
    begun = any(other != label and other.startswith(label) for label in labels for other in labels)
    end = ANSWER_CLOSE if begun else ""
    return engine.score(prompt, [f"{SCORING_STEM}{label}{end}" for label in labels]).log_softmax(-1)


def language_source(scores: Tensor, labels: Sequence[str], settings: VerdictSettings) -> Source:
    """What the language model's scores [B, K] say beyond its prior. Raises ValueError when the prior has another length."""
    prior = scores.new_zeros(len(labels)) if settings.log_prior is None else scores.new_tensor(settings.log_prior)
    if prior.shape != (len(labels),):
        raise ValueError(f"verdict: log_prior has {len(prior)} entries, the model has {len(labels)} labels")
    evidence = (scores / settings.temperature).log_softmax(-1) - prior.log_softmax(-1)  # [B, K]
    return Source(labels, evidence, settings.weights.get(LANGUAGE, 0.0))


def present_in(batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """Part -> [B] which rows of a processor's batch have it: a voice, an utterance."""
    voice, words = batch.get("voice"), batch.get("words")
    found = {"voice": voice and voice.mel_mask.any(-1), "utterance": words and words.said.any(-1)}
    return {part: rows for part, rows in found.items() if rows is not None}


def head_sources(
    heads: Mapping[str, Head],
    logits: Mapping[str, Tensor],
    quality: Tensor | None,
    present: Mapping[str, Tensor],
    weights: Mapping[str, float],
    label_set: LabelSet = EMOTION_SET,
) -> list[Source]:
    """Sources [B, K] of the heads that `weights` names and whose encoder had input, in the words of `label_set`.

    logits: [B, P, T, K] per frame, [B, K] per clip. quality [B, P, T] weighs frames, 0 = does not count (masked, or another
    person's). present: as `present_in` says.
    """
    sources = []
    for name, value in logits.items():
        if not weights.get(name, 0.0):
            continue
        head = heads[name]
        there = present.get(head.spec.part)
        if head.spec.resolution == "frame":
            counted = quality.flatten(1)  # [B, P*T]
            value, there = clip_evidence(value.flatten(1, 2), counted, counted > 0), (counted > 0).any(-1)  # [B, K], [B]
        source = Source(head.spec.labels, head.log_evidence(value), weights[name], there)
        own = label_set.canonical or name == own_head(label_set.name)
        sources.append(source if own else in_words_of(label_set, source))
    return sources


def own_head(scheme: str) -> str:
    """Name of the head that a label set of one's own gets."""
    return f"label_{scheme}"


def in_words_of(label_set: LabelSet, source: Source) -> Source:
    """What a head on canonical emotions says about the labels that stand for one; of labels that stand for none, nothing."""
    known = [label for label in label_set.labels if label_set.emotion(label) in source.labels]
    columns = [source.labels.index(label_set.emotion(label)) for label in known]
    return replace(source, labels=known, log_evidence=source.log_evidence[..., columns])


def explain(
    engine: Engine,
    prompt: Prompt,
    asked_why: Sequence[Sequence[int]],
    emotions: Sequence[str | None],
    labels: Sequence[str],
    most_tokens: int = MOST_TOKENS,
    on_text: OnText | None = None,
) -> list[Answer]:
    """A greedy text per prompt on why the given emotion (None = unclear) was answered, which concludes in it, then the answer
    field: always readable. asked_why: tokens of that answer and of the question after it (`EmoReasonProcessor.next_turn`).
    most_tokens = 0: nothing is read or written for it, and every text is empty."""
    texts = [""] * len(emotions)
    if most_tokens:
        texts = engine.write(engine.follow(prompt, asked_why), most_tokens, on_text=on_text)
    told = [concluded(finished(text), emotion, labels) for text, emotion in zip(texts, emotions, strict=True)]
    whole = [answer_text(text, "", emotion) for text, emotion in zip(told, emotions, strict=True)]
    return [parse_answer(text, tuple(labels)) for text in whole]


def free_answers(engine: Engine, prompt: Prompt, labels: Sequence[str], most_tokens: int = MOST_TOKENS + 40) -> list[Answer]:
    """What the model answers when nothing is forced: for metrics, where an unreadable answer counts as one."""
    return [parse_answer(text.strip(), tuple(labels)) for text in engine.write(prompt, most_tokens, until_answer=False)]


def concluded(text: str, emotion: str | None, labels: Sequence[str]) -> str:
    """The text without a conclusion other than `emotion`, should the model not keep to its answer. Last sentences
    that state no cue and name another label are dropped, and the verdict is said where the text no longer says it. Quoted words
    name nothing. Of no text nothing is made."""
    if not text.strip():
        return ""
    sentences, start = [], 0
    for end in [found.end() for found in _SENTENCE_END.finditer(text)] or [len(text)]:
        sentences.append(text[start:end].strip())
        start = end
    while sentences and _named(sentences[-1], labels) - {emotion} and not parse(sentences[-1]):
        sentences.pop()
    if emotion is not None and not (sentences and emotion in _named(sentences[-1], labels)):
        if sentences and not _SENTENCE_END.search(sentences[-1]):
            sentences[-1] += "."
        sentences.append(CONCLUSION.format(emotion))
    return " ".join(sentences)


def _named(sentence: str, labels: Sequence[str]) -> set[str]:
    words = _QUOTED.sub("", sentence)
    return {label for label in labels if re.search(rf"\b{re.escape(label)}\b", words, re.IGNORECASE)}


def finished(text: str) -> str:
    """Plain text on one line, without a last sentence that was left unfinished (unless it is the only one)."""
    text = " ".join(text.replace(">", "").split())
    ends = [found.end() for found in _SENTENCE_END.finditer(text)]
    return text[: ends[-1]] if ends else text
