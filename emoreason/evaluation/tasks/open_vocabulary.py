"""A list of emotion words. Truth and prediction {words}; with `metrics: [hit]` the truth is the record's label alone."""

from collections.abc import Sequence
from typing import Any

from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.label_mapping import most_likely
from emoreason.evaluation.results import SampleResult
from emoreason.evaluation.tasks.sets import defined_parts, pair_sets
from emoreason.evaluation.tasks.task import Benchmark, EvalContext, EvaluationTask, LeftOut, Paired, Prediction, Truths, parsed
from emoreason.evaluation.verdicts import verdicts
from emoreason.instructions.record import Record
from emoreason.report.schema import Verdict
from emoreason.scoring.answer import parse_answer
from emoreason.scoring.metrics.open_vocabulary import hit_scores, set_scores
from emoreason.scoring.metrics.score import Protocol, Score
from emoreason.scoring.metrics.wheels import listed


class OpenVocabularyTask(EvaluationTask, kind="open_vocabulary"):
    """OV-MER and MER-UniBench: F of sets on emotion wheels, with length of lists and false alarms beside it."""

    descriptions = {
        "list_length": "words per answer",
        "unknown_words": "share of answered words that no wheel knows",
        "neutral_false_alarm": "share of neutral samples that are called something else",
        "hit_*": "MER-UniBench: samples off the wheels (all neutral ones) are skipped, and a list of everything always hits",
        "mscore_*": "MER-UniBench: the true label's share of the set's labels that the answer names",
        "set_precision*": "precision of the same sets: what a long list of guesses loses",
        "*_with_neutral": "set F with neutral as a class, so that no sample is skipped",
        "*_inner": "F of the sets of emotion words, mapped to the inner ring, mean over wheels",
    }
    export_question = "Which emotions are expressed? List all the words that fit, separated by commas, and nothing else."
    export_metrics = ("ew_set_f", "ew_set_f_with_neutral", "set_precision", "list_length")

    def truth(self, record: Record) -> Truths:
        if "hit" in self.suite.metrics:
            return {"": {"words": [self.scored_label(record)]}}
        if not record.open_labels:
            raise LeftOut("without open labels")
        return {"": {"words": list(record.open_labels)}}

    def ask(self, context: EvalContext, inputs: Sequence[SampleInput]) -> list[Prediction]:
        """A judge that writes lists its own words; of one that does not the emotion of the verdict is its one word."""
        if not context.judge.writes:
            return [self._one_word(verdict) for verdict in verdicts(context.judge, inputs)]
        labels = context.scheme.labels or tuple(self.labels)
        replies = context.reply([context.question(one, "open") for one in inputs])
        answers = [parse_answer(text, labels) for text in replies]
        return [
            parsed(text, None if answer.problem else {"words": list(answer.open_labels)}, answer.problem)
            for answer, text in zip(answers, replies, strict=True)
        ]

    def _one_word(self, verdict: Verdict) -> Prediction:
        words = list(verdict.open_vocabulary) or [word for word in [most_likely(verdict.probabilities)] if word]
        return Prediction("answered", {"words": words}) if words else Prediction("silent", reason=verdict.reason)

    def score(self, rows: Sequence[SampleResult], protocol: Protocol) -> list[Score]:
        truth, answers = [row.truth["words"] for row in rows], [row.get("words") for row in rows]
        return set_scores(truth, answers, self.tables, "inner", protocol)

    def _hit(self, rows: Sequence[SampleResult], protocol: Protocol) -> list[Score]:
        """MER-UniBench, closed sets answered in free words: hit rate, with list length and precision beside it."""
        truth, answers = [row.truth["words"][0] for row in rows], [row.get("words") for row in rows]
        return hit_scores(truth, answers, self.labels, self.tables, protocol)

    benchmarks = {"hit": Benchmark(lambda row: len(row.truth["words"]) == 1, _hit)}

    def pair(self, rows: Sequence[SampleResult]) -> Paired:
        return pair_sets(rows, "words", str.lower)

    def mistake(self, truth: dict, prediction: dict) -> float:
        return float(len(set(prediction["words"]) - set(truth["words"])))

    def phrase(self, content: dict) -> str:
        return ", ".join(content["words"]) or "no word"

    def figures(self, rows: Sequence[SampleResult], scores: Sequence[Score]) -> dict[str, Any]:
        return defined_parts(scores)

    def read(self, text: str) -> dict | None:
        """The question asks for a list and nothing else, so it is read as one, line breaks and full stops being commas."""
        words = [word.strip(" *-") for word in listed(text.replace(".", ","))]
        return {"words": words} if words else None

    def export_name(self, metric: str) -> str:
        """Without the name of the tables, which are the same for a whole task."""
        return metric.replace(f"_{self.tables.name}_inner", "")
