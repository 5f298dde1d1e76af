"""One label of the set, in its own words. Truth {label}; prediction {label, confidence, probabilities, abstained}.

The best of the set's labels is taken even where the verdict abstains, so that all judges answer the same question; abstention is
noted beside it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.label_mapping import most_likely
from emoreason.evaluation.results import SampleResult
from emoreason.evaluation.sample import EvalSample
from emoreason.evaluation.tasks.task import Benchmark, EvalContext, EvaluationTask, Paired, Prediction, Truths
from emoreason.evaluation.verdicts import judged, verdicts
from emoreason.instructions.record import Record
from emoreason.report.judgement import by_emotion
from emoreason.scoring.answer import parse_answer
from emoreason.scoring.metrics.calibration import calibration_scores
from emoreason.scoring.metrics.classification import (
    CLOSED,
    MICRO_EXPRESSION_OF,
    classification_scores,
    classification_statistics,
    encode,
    micro_expression_scores,
)
from emoreason.scoring.metrics.ratios import mean_defined
from emoreason.scoring.metrics.score import Protocol, Score, measure, renamed
from emoreason.scoring.plain_answer import label_said, spellings

CLOSED_DESCRIPTIONS = {
    "war": "accuracy: share of all samples that are named rightly (weighted average recall)",
    "uar": "recall of each class, averaged without weights",
    "macro_f1": "F1 of each class, averaged without weights",
    "weighted_f1": "F1 of each class, weighted by how often it is true",
}


class EmotionTask(EvaluationTask, kind="emotion"):
    """CREMA-D, FER+, MELD and the like: WAR, UAR, F1, calibration, and what abstaining buys."""

    answers = ("verdict", "free", "head")
    auditable = True
    tabled = ("war", "uar")  # accuracy hides rare classes, so the unweighted recall stands beside it
    descriptions = CLOSED_DESCRIPTIONS | {
        "ece": "expected calibration error: how far confidence is from accuracy; 0 is best",
        "aurc": "area under the risk-coverage curve: mean error rate over all thresholds; 0 is best",
        "brier": "squared error of the probabilities over all classes; 0 is best, 2 worst",
        "coverage": "share of samples for which the verdict names an emotion instead of abstaining",
        "selective_accuracy": "accuracy on those samples alone",
        "megc_*": "MEGC 2019: negative, positive, surprise; the other emotions are left out",
    }
    export_question = "Which emotion is expressed? Answer with one word or phrase of this list: {labels}."
    export_metrics = CLOSED

    def truth(self, record: Record) -> Truths:
        return {"": {"label": self.scored_label(record)}}

    def ask(self, context: EvalContext, inputs: Sequence[SampleInput]) -> list[Prediction]:
        labels = context.scheme.labels
        if self.suite.answer == "head":
            return [self._by_head(whole) for whole in judged(context.judge, inputs)]
        if self.suite.answer == "free" and context.judge.writes:  # the verdict of a judge that does not write is all it answers
            return [
                self._free(text, labels) for text in context.reply([context.question(one, "emotion", labels) for one in inputs])
            ]
        if context.in_writing:
            shares = context.choose([context.question(one, "emotion", labels) for one in inputs])
            return [chosen(self.mapping.counted(p)) for p in shares]
        return closed(context, inputs)

    def _by_head(self, whole) -> Prediction:
        """Of the whole file: what the face of its main person shows to the encoder's head alone, else what its voice does."""
        face = whole.people.get(whole.clip.person)
        logits = whole.voice if face is None else face
        if logits is None:
            return Prediction("silent", reason="neither a face nor a voice that a head could judge")
        return chosen(self.mapping.probabilities(by_emotion(logits)))

    def _free(self, text: str, labels: Sequence[str]) -> Prediction:
        """Whatever label stands in the answer that was written without any constraint; a written label has no confidence."""
        answer = parse_answer(text, tuple(labels))
        if answer.problem:
            return Prediction("unparsable", reason=answer.problem, text=text)
        label = self.mapping.label(answer.emotion)
        if label is None:
            what = "unclear" if answer.emotion is None else f"{answer.emotion}, which is not scored here"
            return Prediction("silent", reason=f"the answer is {what}", text=text)
        sure = {name: float(name == label) for name in self.labels}
        return Prediction("answered", {"label": label, "confidence": 1.0, "probabilities": sure, "abstained": False}, text=text)

    def score(self, rows: Sequence[SampleResult], protocol: Protocol) -> list[Score]:
        scores = label_scores(rows, self.labels, protocol)
        if self.suite.answer == "free":
            return scores  # a written label has no confidence
        confidence, correct = sureness(rows)
        uniform = dict.fromkeys(self.labels, 1 / len(self.labels))  # of a sample without an answer
        table = np.array([[(row.get("probabilities") or uniform)[label] for label in self.labels] for row in rows])  # [N, K]
        table /= table.sum(1, keepdims=True)  # they were written with four decimals
        truth = [self.labels.index(row.truth["label"]) for row in rows]
        named = np.array([bool(row.prediction) and not row.prediction["abstained"] for row in rows])
        return [
            *scores,
            *calibration_scores(confidence, correct, table, truth, protocol),
            measure("coverage", mean_defined, (named.astype(float),), protocol),
            measure("selective_accuracy", mean_defined, (correct.astype(float),), protocol, counted=named),
        ]

    def _micro_expressions(self, rows: Sequence[SampleResult], protocol: Protocol) -> list[Score]:
        truth, answers = [row.truth["label"] for row in rows], [row.get("label") for row in rows]
        return renamed(micro_expression_scores(truth, answers, protocol), "megc_{}")

    benchmarks = {"micro_expressions": Benchmark(lambda row: row.truth["label"] in MICRO_EXPRESSION_OF, _micro_expressions)}

    def pair(self, rows: Sequence[SampleResult]) -> Paired:
        return pair_labels(rows, self.labels)

    def mistake(self, truth: dict, prediction: dict) -> float:
        return prediction["confidence"] if prediction["label"] != truth["label"] else 0.0

    def figures(self, rows: Sequence[SampleResult], scores: Sequence[Score]) -> dict[str, Any]:
        confusion = {"confusion": (self.labels, rows)}
        return confusion if self.suite.answer == "free" else confusion | {"confidence": sureness(rows)}

    def read(self, text: str) -> dict | None:
        label = label_said(text, spellings(self.labels))
        return label and {"label": label}

    def export_choice(self, sample: EvalSample) -> tuple[str, Sequence[str], str] | None:
        return "Which emotion is expressed?", self.shuffled(sample), sample.truth["label"]


def closed(context: EvalContext, inputs: Sequence[SampleInput]) -> list[Prediction]:
    """The verdict, as the likeliest of the scored labels."""
    return [chosen(context.shares(one), one.abstained, one.reason) for one in verdicts(context.judge, inputs)]


def chosen(p: dict[str, float] | None, abstained: bool = False, reason: str | None = None) -> Prediction:
    """The likeliest label of `p`; silent where there is none, or a tie."""
    label = most_likely(p)
    if label is None:
        return Prediction("silent", reason=reason)
    shares = {name: round(value, 4) for name, value in p.items()}
    answer = {"label": label, "confidence": round(p[label], 4), "probabilities": shares, "abstained": abstained}
    return Prediction("answered", answer, reason)


def sureness(rows: Sequence[SampleResult]) -> tuple[np.ndarray, np.ndarray]:
    """Confidence and correctness of the named label, [N] each; 0 and wrong without an answer."""
    confidence = np.array([row.get("confidence") or 0.0 for row in rows])
    return confidence, np.array([row.get("label") == row.truth["label"] for row in rows])


def label_scores(rows: Sequence[SampleResult], labels: Sequence[str], protocol: Protocol) -> list[Score]:
    """WAR, UAR and F1 of closed labels."""
    return classification_scores([row.truth["label"] for row in rows], [row.get("label") for row in rows], labels, protocol)


def pair_labels(rows: Sequence[SampleResult], labels: Sequence[str]) -> Paired:
    """The same metrics for a comparison."""
    truth, answers = encode([row.truth["label"] for row in rows], [row.get("label") for row in rows], labels)
    return Paired((truth,), answers, classification_statistics(len(labels)))
