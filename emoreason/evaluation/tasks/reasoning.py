"""Explanations, held against measurements. Truth {label, units, reference}, each may be None or empty.

Prediction {label, counts: {metric: [numerator, denominator]}}, counted where the measurements are.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from emoreason.evaluation.explanations import BLIND, REPORTED, UNITS, WITHOUT_EVIDENCE, ExplainedClip, counts
from emoreason.evaluation.grader import Grader, grader_scores
from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.label_mapping import most_likely
from emoreason.evaluation.results import SampleResult
from emoreason.evaluation.sample import text_of
from emoreason.evaluation.tasks.action_units import units_in_words
from emoreason.evaluation.tasks.task import Benchmark, EvalContext, EvaluationTask, Paired, Prediction, Truths
from emoreason.evaluation.verdicts import Question, reports
from emoreason.instructions.record import Record
from emoreason.model.prompt import reasoned_question
from emoreason.report.emotion_report import EmotionReport
from emoreason.scoring.answer import Answer, parse_answer
from emoreason.scoring.metrics.ratios import ratio_of_sums
from emoreason.scoring.metrics.rege import rege_emotion_scores
from emoreason.scoring.metrics.score import Protocol, Score, measure

LOST = {"claims_per_text": (0, 1)}  # a lost sample is a text of no claim


class ReasoningTask(EvaluationTask, kind="reasoning"):
    """The product's explanations: claims supported and contradicted, cues chosen, specificity, human codes and texts."""

    words_alone = False
    tabled = (
        "claims_per_text", "supported_rate", "contradicted_rate", "unverifiable_rate", "specificity", "au_precision_human",
        "au_recall_human", "free_parsed", "conclusion_agreement", *(f"{name}{WITHOUT_EVIDENCE}" for name in BLIND),
    )  # fmt: skip
    pooled = "all explanations"
    descriptions = REPORTED | {
        "rege_emotion": "100 x accuracy + 100 x ROUGE-L of the human text: rewards wording, not truth",
        "judged_*": "points from 1 to 10 that the named language model gives for shared clues; compares with itself alone",
    }

    def truth(self, record: Record) -> Truths:
        units = {unit.au: unit.present for unit in record.action_units if unit.source == "human"}
        reference = text_of(record, "explanation") or None
        return {"": {"label": self.label(record), "units": units, "reference": reference}}

    def ask(self, context: EvalContext, inputs: Sequence[SampleInput]) -> list[Prediction]:
        """Of a model also what it concludes when nothing is forced, and its explanations without the evidence lines, which it
        could have copied."""
        judge, free, blind = context.judge, [None] * len(inputs), [None] * len(inputs)
        made = reports(judge, inputs)
        if judge.writes:
            labels = judge.label_set.labels
            replies = context.reply([Question(one, reasoned_question(labels), labels) for one in inputs])
            free = [parse_answer(text, labels) for text in replies]
            if "evidence" not in judge.left_out:
                blind = reports(judge.without("evidence"), inputs)
        return [self._explained(context, *some) for some in zip(inputs, made, free, blind, strict=True)]

    def _explained(
        self, context: EvalContext, one: SampleInput, made: EmotionReport, free: Answer | None, blind: EmotionReport | None
    ) -> Prediction:
        """Held against its own measurements and those of other samples, human codes and a human text: see `explanations`."""
        truth = one.sample.truth
        clip = ExplainedClip(made.explanation.text, one.observation, made.verdict.label, free, truth["units"], truth["reference"])
        pairs = counts(clip, context.others(one))
        if blind is not None:
            without = counts(replace(clip, text=blind.explanation.text, free=None))
            pairs |= {f"{metric}{WITHOUT_EVIDENCE}": without[metric] for metric in BLIND}
        label = most_likely(context.shares(made.verdict))
        kept = {metric: list(pair) for metric, pair in pairs.items() if pair[1]}
        return Prediction("answered", {"label": label, "counts": kept}, made.verdict.reason, made.explanation.text)

    def score(self, rows: Sequence[SampleResult], protocol: Protocol) -> list[Score]:
        """Sum of each metric's numerators over that of its denominators, see `explanations`; parts: the latter sum."""
        lost = sum(row.prediction is None for row in rows)
        return [
            measure(metric, ratio_of_sums, (pairs,), protocol, UNITS.get(metric, "ratio"), lost, {"of": pairs[:, 1].sum()})
            for metric, pairs in zip(REPORTED, np.moveaxis(_counts(rows), 1, 0), strict=True)
            if pairs[:, 1].any()
        ]

    def _rege(self, rows: Sequence[SampleResult], protocol: Protocol) -> list[Score]:
        """FABA-Bench: recognition plus ROUGE-L of the human text, where a set has both; a check of wording, not of truth."""
        truth, references = [row.truth["label"] for row in rows], [row.truth["reference"] for row in rows]
        return rege_emotion_scores(truth, [row.get("label") for row in rows], references, [row.text for row in rows], protocol)

    benchmarks = {"rege": Benchmark(lambda row: bool(row.truth["label"] and row.truth["reference"]), _rege)}

    def graded(self, rows: Sequence[SampleResult], grader: Grader, protocol: Protocol) -> list[Score]:
        return grader_scores(grader, rows, protocol)

    def pair(self, rows: Sequence[SampleResult]) -> Paired:
        table = _counts(rows)
        used = {metric: place for place, metric in enumerate(REPORTED) if table[:, place, 1].any()}
        return Paired((), table, {metric: partial(_metric_ratio, place) for metric, place in used.items()})

    def mistake(self, truth: dict, prediction: dict) -> float:
        """Contradicted claims first; then texts that choose the cues to mention badly."""
        wrong, _ = prediction["counts"].get("contradicted_rate", (0, 0))
        cues, of = prediction["counts"].get("chosen_cue_f1", (0, 0))
        return wrong + 1 - (cues / of if of else 1.0)

    def phrase(self, content: dict) -> str:
        if "counts" not in content:
            return units_in_words(content)
        claims = {name: pair[0] for name, pair in content["counts"].items() if name.endswith("_rate")}
        return ", ".join(f"{n:g} {name.removesuffix('_rate')}" for name, n in claims.items()) or "no claim"


def _counts(rows: Sequence[SampleResult]) -> np.ndarray:
    """[N, M, 2] numerators and denominators of every metric."""
    return np.array([[(row.get("counts") or LOST).get(metric, (0, 0)) for metric in REPORTED] for row in rows], dtype=float)


def _metric_ratio(place: int, table: np.ndarray) -> float:
    return ratio_of_sums(table[:, place])
