"""Polarity, or a number in -1..1. Truth {label, score}, either may be None; prediction {label, score, probabilities}.

The score is the expected valence of a verdict, or p(positive) - p(negative).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.label_mapping import most_likely
from emoreason.evaluation.results import SampleResult, of_rows
from emoreason.evaluation.sample import EvalSample
from emoreason.evaluation.tasks.emotion import CLOSED_DESCRIPTIONS, label_scores, pair_labels
from emoreason.evaluation.tasks.task import Benchmark, EvalContext, EvaluationTask, LeftOut, Paired, Prediction, Truths
from emoreason.evaluation.verdicts import verdicts
from emoreason.instructions.label_tasks import SENTIMENTS
from emoreason.instructions.record import Record
from emoreason.scoring.metrics.affect import farthest, mae
from emoreason.scoring.metrics.classification import CLOSED
from emoreason.scoring.metrics.score import Protocol, Score, renamed
from emoreason.scoring.metrics.sentiment import mosi_scores, polarity_scores, sims_scores
from emoreason.scoring.plain_answer import label_said, spellings

MOSI_SCALE = 3.0  # of the published numbers; records hold -1..1


def _graded(row: SampleResult) -> bool:
    return row.truth["score"] is not None


class SentimentTask(EvaluationTask, kind="sentiment"):
    """Three polarities where the set has words for them, and the CH-SIMS figures where it has numbers in -1..1."""

    tabled = ("war", "uar")
    descriptions = CLOSED_DESCRIPTIONS | {
        "mae": "mean absolute error, in units of the scale",
        "pearson": "correlation with the human score",
        "polarity_waf": "F1 of positive against the rest, weighted by how often each is true, zeros left out",
        "polarity_acc": "positive against the rest, zeros left out; a neutral answer counts as not positive",
        "mosi_*": "as MMSA scores CMU-MOSI, on its scale of -3 to 3",
    }
    export_question = "Which sentiment is expressed? Answer with one word or phrase of this list: {labels}."
    export_metrics = CLOSED

    @property
    def labels(self) -> tuple[str, ...]:
        return SENTIMENTS

    def truth(self, record: Record) -> Truths:
        if record.sentiment is None and record.sentiment_score is None:
            raise LeftOut("without sentiment")
        return {"": {"label": record.sentiment, "score": record.sentiment_score}}

    def ask(self, context: EvalContext, inputs: Sequence[SampleInput]) -> list[Prediction]:
        if context.in_writing:
            shares = context.choose([context.question(one, "sentiment", SENTIMENTS) for one in inputs])
            scored = [(p, round(p["positive"] - p["negative"], 4)) for p in shares]
            return [Prediction("answered", {"label": most_likely(p), "score": x, "probabilities": p}) for p, x in scored]
        return [
            Prediction("silent", reason=one.reason)
            if one.sentiment is None
            else Prediction("answered", {"label": one.sentiment, "score": one.valence})
            for one in verdicts(context.judge, inputs)
        ]

    def score(self, rows: Sequence[SampleResult], protocol: Protocol) -> list[Score]:
        scores: list[Score] = []
        if named := [row for row in rows if row.truth["label"] is not None]:
            scores += label_scores(named, SENTIMENTS, of_rows(protocol, named))
        if graded := [row for row in rows if _graded(row)]:
            truth, answers = [row.truth["score"] for row in graded], [row.get("score") for row in graded]
            scores += sims_scores(truth, answers, of_rows(protocol, graded))
        return scores

    def _mosi(self, rows: Sequence[SampleResult], protocol: Protocol) -> list[Score]:
        """CMU-MOSI and MOSEI: Acc-2/5/7, F1, MAE, correlation, on their scale of -3..3."""
        answers = [None if row.get("score") is None else MOSI_SCALE * row.get("score") for row in rows]
        return renamed(mosi_scores([MOSI_SCALE * row.truth["score"] for row in rows], answers, protocol), "mosi_{}")

    def _polarity(self, rows: Sequence[SampleResult], protocol: Protocol) -> list[Score]:
        """MER-UniBench: positive against the rest, zeros left out."""
        return polarity_scores([row.truth["score"] for row in rows], [row.get("label") for row in rows], protocol)

    benchmarks = {"mosi": Benchmark(_graded, _mosi), "polarity": Benchmark(_graded, _polarity)}

    def pair(self, rows: Sequence[SampleResult]) -> Paired:
        if all(row.truth["label"] for row in rows):
            return pair_labels(rows, SENTIMENTS)
        truth = np.array([row.truth["score"] for row in rows], dtype=float)
        answers = np.array([row.get("score") for row in rows], dtype=float)
        return Paired((truth,), farthest(truth, answers, -1, 1), {"mae": mae})

    def mistake(self, truth: dict, prediction: dict) -> float:
        if truth["score"] is not None:
            return abs(prediction["score"] - truth["score"])
        return abs(prediction["score"]) + 0.01 if prediction["label"] != truth["label"] else 0.0

    def phrase(self, content: dict) -> str:
        return str(content.get("label") or content.get("score") or "no label")

    def figures(self, rows: Sequence[SampleResult], scores: Sequence[Score]) -> dict[str, Any]:
        return {"confusion": (SENTIMENTS, rows)} if all(row.truth["label"] for row in rows) else {}

    def read(self, text: str) -> dict | None:
        label = label_said(text, spellings(SENTIMENTS))
        return label and {"label": label, "score": None}

    def export_choice(self, sample: EvalSample) -> tuple[str, Sequence[str], str] | None:
        label = sample.truth["label"]
        return label and ("Which sentiment is expressed?", self.shuffled(sample), label)
