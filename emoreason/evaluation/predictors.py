"""Judges under test, behind one interface: the composer, and any model that `EmotionReasoner` can load.

A predictor is never given a truth. It judges what was measured (the product's own road: judge, then `assemble`), and a model
answers questions in writing, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from emoreason import __version__
from emoreason.errors import ConfigError
from emoreason.evaluation.shown import Shown
from emoreason.evaluation.suite import Suite
from emoreason.labels.label_set import EMOTION_SET, LabelSet
from emoreason.report import affect, composer
from emoreason.report.assemble import assemble
from emoreason.report.emotion_report import EmotionReport
from emoreason.report.judgement import Judged, Judgement
from emoreason.report.schema import ModelInfo, Verdict


@dataclass(frozen=True)
class Question:
    """Asked about `shown`; `labels` are the candidates of a closed question, empty for an open one."""

    shown: Shown
    text: str
    labels: tuple[str, ...] = ()


class Predictor(Protocol):
    """`identity` goes into the result folder: samples of another identity are never mixed with these.

    writes: whether `choose` and `reply` can be called; a judge that cannot write answers questions by its verdict alone.
    label_set: among which its verdict chooses. left_out: parts of its prompt that it is never shown.
    """

    name: str
    writes: bool
    batch: int
    label_set: LabelSet
    left_out: tuple[str, ...]

    @property
    def identity(self) -> dict[str, Any]: ...

    def judge(self, shown: Sequence[Shown], explain: bool) -> list[Judged]:
        """`explain=False`: the verdicts are the same, their texts may be missing."""

    def units(self, shown: Sequence[Shown]) -> list[dict[str, float] | None] | None:
        """Probability of each action unit by a trained head, None without a face; None instead of a list without such a head."""

    def without(self, part: str) -> "Predictor":
        """The same judge, never shown this part of its prompt. Raises ConfigError where it has no prompt."""

    def read(self, text: str) -> Verdict:
        """What words alone show. Only of judges that do not write."""

    def choose(self, questions: Sequence[Question]) -> list[dict[str, float]]:
        """Probabilities of each question's labels."""

    def reply(self, questions: Sequence[Question]) -> list[str]:
        """Whole written answers, answer fields included."""


class Composer:
    """The deterministic judge without weights."""

    name, writes, batch = composer.NAME, False, 16
    label_set, left_out = EMOTION_SET, ()

    @property
    def identity(self) -> dict[str, Any]:
        return {"name": self.name, "revision": __version__}

    def judge(self, shown: Sequence[Shown], explain: bool) -> list[Judged]:
        return [composer.judge(one.observation) for one in shown]

    def units(self, shown: Sequence[Shown]) -> None:
        return None

    def without(self, part: str) -> "Composer":
        raise ConfigError(f"'{self.name}' reads no prompt, so there is no {part} to leave out; name a model")

    def read(self, text: str) -> Verdict:
        """By its list of words, where it has any of them; else nothing is said, least of all "neutral"."""
        found = affect.words_affect(text)
        p = None if found is None else affect.fuse({"words": found})
        emotion, reason = (None, "no listed word shows an emotion") if p is None else composer.decide(None, p)
        return Judgement(0.0, 0.0, p, emotion, reason, None, "").verdict()

    def choose(self, questions: Sequence[Question]) -> list[dict[str, float]]:
        raise NotImplementedError("the composer does not read questions: ask `writes` first")

    def reply(self, questions: Sequence[Question]) -> list[str]:
        raise NotImplementedError("the composer does not write answers: ask `writes` first")


def verdicts(predictor: Predictor, shown: Sequence[Shown]) -> list[Verdict]:
    """Of the seconds that each record is about, or of its words where there is nothing else."""
    judged = iter(predictor.judge([one for one in shown if one.observation is not None], explain=False))
    return [predictor.read(one.text) if one.observation is None else _verdict(next(judged), one) for one in shown]


def _verdict(judged: Judged, shown: Shown) -> Verdict:
    return judged.clip.verdict() if shown.record.span is None else within(judged, shown).verdict()


def within(judged: Judged, shown: Shown) -> Judgement:
    """The record's span of a longer clip: mean of the segments' log-probabilities, weighted by the seconds they share with it."""
    span, scheme = shown.record.span, judged.clip.scheme
    shared = [(part.probabilities, min(part.end_s, span.end_s) - max(part.start_s, span.start_s)) for part in judged.segments]
    usable = [(p, seconds) for p, seconds in shared if p is not None and seconds > 0]
    emotion, reason, p = None, "nothing was seen or heard in the span", None
    if usable:
        logs = np.log(np.clip([p for p, _ in usable], 1e-6, 1))
        p = np.exp(np.average(logs, axis=0, weights=[seconds for _, seconds in usable]))
        p /= p.sum()
        emotion, reason = composer.decide(shown.observation, p, labels=scheme.labels)
    return Judgement(span.start_s, span.end_s, p, emotion, reason, judged.clip.person, judged.clip.text, scheme)


def reports(predictor: Predictor, shown: Sequence[Shown]) -> list[EmotionReport]:
    """The whole report of each sample, claims checked, as `EmotionReasoner` makes it."""
    known = {key: value for key, value in predictor.identity.items() if key in ModelInfo.model_fields}
    judged = predictor.judge(shown, explain=True)
    return [assemble(one.observation, told, ModelInfo(**known), {}) for one, told in zip(shown, judged, strict=True)]


def as_asked(predictor: Predictor, suite: Suite) -> Predictor:
    """Without the part of the prompt that the suite leaves out, where the judge has a prompt at all."""
    return predictor.without(suite.without) if suite.without and predictor.writes else predictor


def load_predictor(model: str) -> Predictor:
    """ "composer", or whatever `EmotionReasoner.from_pretrained` takes."""
    if model == composer.NAME:
        return Composer()
    from emoreason.evaluation.model_predictor import ModelPredictor  # the model's libraries take seconds to import

    return ModelPredictor.load(model)
