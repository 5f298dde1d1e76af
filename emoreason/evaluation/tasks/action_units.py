"""Facial action units. Truth {units: {AU04: true, ...}, intensities: {AU04: 0.4}}: those that somebody coded, and graded.

Prediction {units: {AU04: 0.31, ...}, bound}: the largest intensity 0..1, or a head's probability; present from `bound` on.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.results import SampleResult
from emoreason.evaluation.suite import Suite
from emoreason.evaluation.tasks.task import Benchmark, EvalContext, EvaluationTask, LeftOut, Paired, Prediction, Truths
from emoreason.instructions.record import Record
from emoreason.labels.action_units import ACTION_UNITS, ACTIVE, AUS
from emoreason.perception.people import main_person
from emoreason.scoring.metrics.action_units import AU_SETS, au_scores, counts, intensity_scores, mean_f1, present, sample_f1
from emoreason.scoring.metrics.score import Protocol, Score
from emoreason.scoring.plain_answer import units_said

PROBABLE = 0.5  # from which a head's probability counts as present
FACS_SCALE = 5.0  # letters A to E; records hold 0..1
NOBODY = Prediction("silent", reason="no face was found")


class ActionUnitTask(EvaluationTask, kind="action_units"):
    """CK+, DISFA, BP4D and the like: F1 per unit and their mean, F1 per sample; of graded units ICC and MAE."""

    words_alone = False
    answers = ("verdict", "head")
    descriptions = {
        "intensity_icc31": "agreement of graded units with the coder, ICC(3,1), mean over units",
        "intensity_mae": "mean absolute error of graded units, on the coder's scale of 0 to 5",
        "*_mean_f1": "F1 of each unit, averaged over the units that occur",
        "*_sample_f1": "F1 of each sample's set of units, averaged over samples",
    }
    export_question = "Which of these facial action units are shown: {labels}? List their codes alone, or say: no action units."
    export_metrics = ("au_mean_f1", "au_sample_f1")

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.suite.units)

    @property
    def set_name(self) -> str:
        """Of the units, where papers average over the same ones."""
        return next((name for name, units in AU_SETS.items() if set(units) == set(self.labels)), "au")

    @classmethod
    def check(cls, suite: Suite) -> None:
        if not suite.units:
            raise ValueError("say under `units` which action units are scored")
        super().check(suite)

    def truth(self, record: Record) -> Truths:
        coded = {unit.au: unit.present for unit in record.action_units if unit.au in self.labels}
        if not coded:
            raise LeftOut("without coded action units")
        graded = {one.au: one.intensity for one in record.action_units if one.au in coded and one.intensity is not None}
        return {"": {"units": coded} | ({"intensities": graded} if graded else {})}

    def ask(self, context: EvalContext, inputs: Sequence[SampleInput]) -> list[Prediction]:
        """By the trained head where the suite asks for it and the judge has one; else as measured, which is what reports show."""
        spans = [(one.observation, one.segment, one.clip) for one in inputs]
        by_head = context.judge.units(spans) if self.suite.answer == "head" else None
        if by_head is None:
            return [self._measured(one) for one in inputs]
        return [self._probable(units, one) for units, one in zip(by_head, inputs, strict=True)]

    def _probable(self, by_person: Mapping[str, Mapping[str, float]], one: SampleInput) -> Prediction:
        """Of the record's person, else the main one."""
        main = main_person(one.observation, one.segment)
        units = by_person.get(one.record.person or (main and main.person))
        if units is None:
            return NOBODY
        known = {au: round(units[au], 4) for au in self.labels if au in units}
        return Prediction("answered", {"units": known, "bound": PROBABLE})

    def _measured(self, one: SampleInput) -> Prediction:
        """Of the record's person, else the main one: the largest intensity of either side over the record's seconds."""
        observation, segment = one.observation, one.segment
        named = observation.person(one.record.person) if one.record.person else None
        person = named or main_person(observation, segment)
        if person is None:
            return NOBODY
        series = person.action_units
        inside = (series.times_s >= segment.start_s) & (series.times_s <= segment.end_s)
        units = {}
        for au in self.labels:
            values = series.intensity[inside, AUS.index(au)]
            units[au] = round(float(np.nanmax(values)), 4) if np.isfinite(values).any() else None
        if all(value is None for value in units.values()):
            return Prediction("silent", reason="no action unit could be measured on this face")
        return Prediction("answered", {"units": units, "bound": ACTIVE})

    def score(self, rows: Sequence[SampleResult], protocol: Protocol) -> list[Score]:
        return au_scores(*self._tables(rows), self.labels, self.set_name, protocol)

    def _intensity(self, rows: Sequence[SampleResult], protocol: Protocol) -> list[Score]:
        truth = [[row.truth["intensities"].get(au, np.nan) for au in self.labels] for row in rows]  # [N, A]
        answers = [[(row.get("units") or {}).get(au) for au in self.labels] for row in rows]
        scaled = FACS_SCALE * np.array(truth), FACS_SCALE * np.array(answers, dtype=float)
        return intensity_scores(*scaled, self.labels, FACS_SCALE, protocol)

    benchmarks = {"intensity": Benchmark(lambda row: bool(row.truth.get("intensities")), _intensity)}  # DISFA, BP4D

    def _tables(self, rows: Sequence[SampleResult]) -> tuple[np.ndarray, np.ndarray]:
        """[N, A] truth and answers, 1 present, 0 absent, NaN not coded or not answered."""
        coded = [row.truth["units"] for row in rows]
        truth = present([{au for au, on in units.items() if on} for units in coded], self.labels, coded)
        return truth, present([row.prediction and named(row.prediction) for row in rows], self.labels)

    def pair(self, rows: Sequence[SampleResult]) -> Paired:
        truth, answers = self._tables(rows)
        return Paired((truth,), answers, {"mean_f1": mean_f1, "sample_f1": sample_f1})

    def mistake(self, truth: dict, prediction: dict) -> float:
        units = named(prediction)
        return sum((au in units) != on for au, on in truth["units"].items())

    def phrase(self, content: dict) -> str:
        return units_in_words(content)

    def figures(self, rows: Sequence[SampleResult], scores: Sequence[Score]) -> dict[str, Any]:
        """F1, precision and recall of each unit, and how often it is there."""
        lines = []
        for au, (hits, false, missed) in zip(self.labels, counts(*self._tables(rows)).tolist(), strict=True):
            ratios = {
                "f1": (2 * hits, 2 * hits + false + missed),
                "precision": (hits, hits + false),
                "recall": (hits, hits + missed),
            }
            values = {name: above / below if below else None for name, (above, below) in ratios.items()}
            values["f1"] = values["f1"] if hits + missed else None  # nothing to find: no F1 can be measured
            lines.append({"au": au, "name": ACTION_UNITS[au].name, "positives": hits + missed, "false": false, **values})
        return {"units": lines}

    def read(self, text: str) -> dict | None:
        units = units_said(text)
        return None if units is None else {"units": {unit.au: 1.0 for unit in units}}

    def export_name(self, metric: str) -> str:
        return f"au{metric.removeprefix(self.set_name)}"


def named(prediction: Mapping) -> set[str]:
    """Units at or above the answer's own bound, "slight" where it has none."""
    bound = prediction.get("bound", ACTIVE)
    return {au for au, value in prediction["units"].items() if (value or 0) >= bound}


def units_in_words(content: Mapping) -> str:
    """Those that are there, with their intensity where it is known."""
    bound = content.get("bound", ACTIVE)  # a coder's True is 1
    shown = {au: value for au, value in content["units"].items() if value and value >= bound}
    return ", ".join(au if value is True else f"{au} {value:.2f}" for au, value in shown.items()) or "none"
