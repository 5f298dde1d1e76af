"""Yes or no, in pairs: the set's own questions, or two per record, for its label and for another one.

Truth {answer, asked, pair}, where `asked` is part of the question; prediction {answer: yes or no}.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.results import SampleResult, drawn_groups
from emoreason.evaluation.sample import EvalSample
from emoreason.evaluation.tasks.emotion import closed
from emoreason.evaluation.tasks.task import EvalContext, EvaluationTask, LeftOut, Paired, Prediction, Truths, parsed
from emoreason.evaluation.verdicts import Question
from emoreason.instructions.record import Record
from emoreason.model.prompt import sanitize
from emoreason.scoring.answer import parse_answer
from emoreason.scoring.metrics.hallucination import hallucination_scores
from emoreason.scoring.metrics.ratios import mean_defined
from emoreason.scoring.metrics.score import Protocol, Score
from emoreason.scoring.plain_answer import yes_no_said

YES, NO = "#yes", "#no"


class HallucinationTask(EvaluationTask, kind="hallucination"):
    """EmotionHallucer and probes of closed sets: pairs with both answers right, and the bias towards yes."""

    descriptions = {
        "hallucination_overall": "pairs of questions with both answers right",
        "yes_bias": "share of yes minus the true share; 0 is best",
        "false_yes": "share of the wrong answers that are a false yes",
    }
    export_question = "Is {asked} the emotion that is expressed? Answer yes or no."
    export_metrics = tuple(descriptions)

    def truth(self, record: Record) -> Truths:
        """The set's own question; else one for the label and one for another, which the id of the record alone decides."""
        if record.probe is not None:
            if not record.probe.pair:
                raise LeftOut("a question without its twin")
            return {"": {"answer": record.probe.answer, "asked": record.probe.question, "pair": record.probe.pair}}
        label = self.scored_label(record)
        others = [word for word in self.labels if word != label]
        if not others:
            raise LeftOut("without another label to ask about")
        other = random.Random(f"{self.suite.recipe}/{record.id}").choice(others)
        return {
            YES: {"answer": "yes", "asked": label, "pair": record.id},
            NO: {"answer": "no", "asked": other, "pair": record.id},
        }

    def ask(self, context: EvalContext, inputs: Sequence[SampleInput]) -> list[Prediction]:
        """A judge that does not write says yes to the label it would choose."""
        if context.judge.writes:
            replies = context.reply([self._question(context, one) for one in inputs])
            return [self._reply(context, *pair) for pair in zip(inputs, replies, strict=True)]
        verdicts = iter(closed(context, [one for one in inputs if one.record.probe is None]))
        return [
            _agrees(one, next(verdicts))
            if one.record.probe is None
            else Prediction("silent", reason="a judge that does not write cannot read the set's own questions")
            for one in inputs
        ]

    def _question(self, context: EvalContext, one: SampleInput) -> Question:
        if one.record.probe is not None:
            return Question(one, sanitize(one.record.probe.question))
        return context.question(one, "probe_emotion", other=one.sample.truth["asked"])

    def _reply(self, context: EvalContext, one: SampleInput, text: str) -> Prediction:
        """A reply that is an answer field instead says yes to the emotion that it names, and no to every other."""
        yes = yes_no_said(text)
        if yes is None and one.record.probe is None:
            known = (*context.scheme.labels, *self.mapping.label_of)  # in the set's words or in the canonical ones
            named = parse_answer(text, known).emotion
            label = self.mapping.label(named) or self.mapping.label_of.get(named)
            yes = None if label is None else label == one.sample.truth["asked"]
        return parsed(text, _answer(yes))

    def score(self, rows: Sequence[SampleResult], protocol: Protocol) -> list[Score]:
        """Intervals draw pairs, or groups of them. A question whose twin is not among the rows (limit) is left out."""
        twins: dict[str, dict[str, SampleResult]] = {}
        for row in rows:
            twins.setdefault(row.truth["pair"], {})[row.truth["answer"]] = row
        pairs = [(twin["yes"], twin["no"]) for twin in twins.values() if len(twin) == 2]
        answers = [[row.get("answer") and row.get("answer") == "yes" for row in side] for side in zip(*pairs, strict=True)]
        basic, made_up = answers or ([], [])
        return hallucination_scores(basic, made_up, replace(protocol, groups=drawn_groups([first for first, _ in pairs])))

    def pair(self, rows: Sequence[SampleResult]) -> Paired:
        right = np.array([row.get("answer") == row.truth["answer"] for row in rows], dtype=float)
        return Paired((), right, {"right": mean_defined})

    def mistake(self, truth: dict, prediction: dict) -> float:
        return float(truth["answer"] != prediction["answer"])

    def phrase(self, content: dict) -> str:
        return f"{content['answer']} to “{content['asked']}”" if "asked" in content else content["answer"]

    def read(self, text: str) -> dict | None:
        return _answer(yes_no_said(text))

    def export_choice(self, sample: EvalSample) -> tuple[str, Sequence[str], str] | None:
        question = f"Is {sample.truth['asked']} the emotion that is expressed?"
        return question, ["yes", "no"], sample.truth["answer"]


def _answer(yes: bool | None) -> dict | None:
    return None if yes is None else {"answer": "yes" if yes else "no"}


def _agrees(one: SampleInput, verdict: Prediction) -> Prediction:
    if verdict.prediction is None:
        return verdict
    return Prediction("answered", _answer(verdict.prediction["label"] == one.sample.truth["asked"]))
