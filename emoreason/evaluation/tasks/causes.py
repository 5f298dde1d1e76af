"""Emotions of a dialogue and what causes them. Truth and prediction {pairs: [[effect, cause, emotion], ...]}, utterances counted
from 1."""

import re
from collections.abc import Sequence
from typing import Any

from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.label_mapping import most_likely
from emoreason.evaluation.results import SampleResult
from emoreason.evaluation.tasks.sets import defined_parts, pair_sets
from emoreason.evaluation.tasks.task import EvalContext, EvaluationTask, LeftOut, Paired, Prediction, Truths, parsed
from emoreason.instructions.label_tasks import dialogue
from emoreason.instructions.record import Record
from emoreason.scoring.metrics.pairs import Pair, pair_scores
from emoreason.scoring.metrics.score import Protocol, Score
from emoreason.scoring.plain_answer import causes_said

MOST_PAIRS = 8  # of a sample shown
_PAIR = re.compile(r"(\d+) because of (\d+)(?: \(([^()]+)\))?")


class CauseTask(EvaluationTask, kind="causes"):
    """ECF and RECCON: F1 of emotion-cause pairs, with and without the emotion."""

    descriptions = {
        "pair_f1": "F1 of (utterance, cause), whatever the emotion",
        "emotion_pair_f1": "F1 of (utterance, emotion, cause)",
        "emotion_pair_weighted_f1": "F1 of (utterance, emotion, cause) for each emotion, weighted by how often it is annotated",
    }
    export_question = (
        "Which utterances cause emotions in which? Answer in the form: 3 because of 1 (emotion); emotions are {labels}."
    )
    export_metrics = ("pair_f1", "emotion_pair_f1", "emotion_pair_weighted_f1")

    def truth(self, record: Record) -> Truths:
        if not record.turns:
            raise LeftOut("without a dialogue")
        pairs = {(c.effect + 1, c.cause + 1, c.emotion or record.turns[c.effect].emotion) for c in record.causes}
        return {"": {"pairs": [list(pair) for pair in sorted(pairs, key=lambda pair: (*pair[:2], pair[2] or ""))]}}

    def ask(self, context: EvalContext, inputs: Sequence[SampleInput]) -> list[Prediction]:
        """A judge that cannot write knows no causes: each utterance with an emotion word is its own cause, a stated floor."""
        if not context.judge.writes:
            return [self._self_caused(context, one) for one in inputs]
        replies = context.reply([context.question(one, "causes", dialogue=dialogue(one.record)) for one in inputs])
        pairs = [
            [[int(effect), int(cause), emotion or None] for effect, cause, emotion in _PAIR.findall(text)] for text in replies
        ]
        return [parsed(text, {"pairs": some} if some else None) for text, some in zip(replies, pairs, strict=True)]

    def _self_caused(self, context: EvalContext, one: SampleInput) -> Prediction:
        labels = [most_likely(context.shares(context.judge.read(turn.text))) for turn in one.record.turns]
        pairs = [[number, number, label] for number, label in enumerate(labels, 1) if label is not None]
        return Prediction("answered", {"pairs": pairs}) if pairs else Prediction("silent", reason="no word that shows an emotion")

    def score(self, rows: Sequence[SampleResult], protocol: Protocol) -> list[Score]:
        truth = [[Pair(*pair) for pair in row.truth["pairs"]] for row in rows]
        answers = [None if row.prediction is None else [Pair(*pair) for pair in row.prediction["pairs"]] for row in rows]
        return pair_scores(truth, answers, self.labels, protocol)

    def pair(self, rows: Sequence[SampleResult]) -> Paired:
        return pair_sets(rows, "pairs", tuple)

    def mistake(self, truth: dict, prediction: dict) -> float:
        return float(len({tuple(pair) for pair in truth["pairs"]} ^ {tuple(pair) for pair in prediction["pairs"]}))

    def phrase(self, content: dict) -> str:
        named = [f"{a} because of {b}" + (f" ({emotion})" if emotion else "") for a, b, emotion in content["pairs"]]
        more = f" and {len(named) - MOST_PAIRS} more" if len(named) > MOST_PAIRS else ""
        return "; ".join(named[:MOST_PAIRS]) + more or "no pair"

    def figures(self, rows: Sequence[SampleResult], scores: Sequence[Score]) -> dict[str, Any]:
        return defined_parts(scores)

    def export_context(self, record: Record) -> str:
        return f"{dialogue(record)}\n"

    def read(self, text: str) -> dict | None:
        spelled = {label.lower(): label for label in self.labels}
        pairs = causes_said(text, list(spelled))
        return pairs and {"pairs": [[effect, cause, spelled.get(emotion)] for effect, cause, emotion in pairs]}
