"""Valence and arousal in -1..1. Truth and prediction {valence, arousal}."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.results import SampleResult
from emoreason.evaluation.tasks.task import EvalContext, EvaluationTask, LeftOut, Paired, Prediction, Truths, parsed
from emoreason.evaluation.verdicts import verdicts
from emoreason.instructions.record import Record
from emoreason.scoring.metrics.affect import affect_scores, ccc, farthest
from emoreason.scoring.metrics.score import Protocol, Score
from emoreason.scoring.plain_answer import affect_said

NAMES = ("valence", "arousal")


class ValenceArousalTask(EvaluationTask, kind="valence_arousal"):
    """Aff-Wild2 and the like: CCC, RMSE, correlation and sign agreement of each, and their mean CCC."""

    descriptions = {
        "mean_ccc": "concordance of valence and arousal, averaged",
        "*_ccc": "concordance correlation",
        "*_rmse": "root of the mean squared error",
        "*_pearson": "correlation",
        "*_sagr": "share of samples with the right sign",
    }
    export_question = "How pleasant and how excited is it? Answer in the form: valence 0.0, arousal 0.0 (both from -1 to 1)."
    export_metrics = ("mean_ccc", "valence_ccc", "arousal_ccc")

    def truth(self, record: Record) -> Truths:
        if record.valence is None or record.arousal is None:
            raise LeftOut("without valence and arousal")
        return {"": {"valence": record.valence, "arousal": record.arousal}}

    def ask(self, context: EvalContext, inputs: Sequence[SampleInput]) -> list[Prediction]:
        if context.in_writing:
            replies = context.reply([context.question(one, "valence_arousal") for one in inputs])
            return [parsed(text, self.read(text)) for text in replies]
        return [
            Prediction("silent", reason=one.reason)
            if one.valence is None
            else Prediction("answered", {"valence": one.valence, "arousal": one.arousal})
            for one in verdicts(context.judge, inputs)
        ]

    def score(self, rows: Sequence[SampleResult], protocol: Protocol) -> list[Score]:
        truth = {name: [row.truth[name] for row in rows] for name in NAMES}
        return affect_scores(truth, {name: [row.get(name) for row in rows] for name in NAMES}, protocol)

    def pair(self, rows: Sequence[SampleResult]) -> Paired:
        truth = np.array([[row.truth[name] for name in NAMES] for row in rows])  # [N, 2]
        answers = np.array([[row.get(name) for name in NAMES] for row in rows], dtype=float)
        statistics = {f"{name}_ccc": partial(_column_ccc, place) for place, name in enumerate(NAMES)}
        return Paired((truth,), farthest(truth, answers, -1, 1), statistics)

    def mistake(self, truth: dict, prediction: dict) -> float:
        return sum(abs(truth[name] - prediction[name]) for name in NAMES)

    def phrase(self, content: dict) -> str:
        return f"valence {content['valence']:+.2f}, arousal {content['arousal']:+.2f}"

    def read(self, text: str) -> dict | None:
        numbers = affect_said(text)
        return numbers and dict(zip(NAMES, numbers, strict=True))


def _column_ccc(place: int, truth: np.ndarray, answers: np.ndarray) -> float:
    return ccc(truth[:, place], answers[:, place])
