"""From rows to scores: one function per kind of suite, all numbers from `emoreason.scoring.metrics`.

Every sample counts. What is silent, unparsable or failed has no answer and is wrong in every metric that can be wrong; how many
those are stands beside each score. A class without a sample has no recall and is left out of the mean, as its part (None) tells.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from emoreason.errors import ConfigError
from emoreason.evaluation.explanations import REPORTED, UNITS
from emoreason.evaluation.families import of_family
from emoreason.evaluation.results import Row
from emoreason.evaluation.suite import Suite
from emoreason.instructions.label_tasks import SENTIMENTS
from emoreason.labels.action_units import ACTIVE
from emoreason.scoring.metrics.action_units import AU_SETS, au_scores, present
from emoreason.scoring.metrics.affect import affect_scores
from emoreason.scoring.metrics.calibration import calibration_scores
from emoreason.scoring.metrics.classification import classification_scores
from emoreason.scoring.metrics.hallucination import hallucination_scores
from emoreason.scoring.metrics.open_vocabulary import set_scores
from emoreason.scoring.metrics.pairs import Pair, pair_scores
from emoreason.scoring.metrics.score import Failures, Protocol, Score, measure
from emoreason.scoring.metrics.sentiment import sims_scores
from emoreason.scoring.metrics.wheels import WheelTables, read_tables, small_tables


@dataclass(frozen=True)
class Scoring:
    """What scores need besides rows. `labels`: as scored, in the scheme's order. `resamples=0`: no intervals."""

    suite: Suite
    labels: tuple[str, ...]
    tables: WheelTables
    resamples: int = 1000

    def scores(self, rows: Sequence[Row]) -> list[Score]:
        """The suite's primary metric first. Raises ConfigError where the suite names a metric that its kind does not have."""
        protocol = self.protocol(rows)
        found = _OF[self.suite.kind](self, rows, protocol)
        for family in self.suite.metrics:
            more = of_family(family, rows, protocol, self.labels, self.tables, self.suite.units)
            known = {score.metric for score in found}
            found += [score for score in more if score.metric not in known]
        first = [score for score in found if score.metric == self.suite.primary]
        if not first:
            known = ", ".join(score.metric for score in found)
            raise ConfigError(f"suite '{self.suite.name}': no metric '{self.suite.primary}' here; known: {known}")
        return first + [score for score in found if score.metric != self.suite.primary]

    def protocol(self, rows: Sequence[Row]) -> Protocol:
        """Intervals draw whole groups where a group has more than one sample, and there are several groups."""
        groups = [row.group for row in rows]
        grouped, single = 1 < len(set(groups)) < len(groups), len(set(groups)) == 1 < len(groups)
        return Protocol(
            name=f"{self.suite.recipe}/{self.suite.split or 'folds'}/{self.suite.name}",
            groups=groups if grouped else None,
            failures=failures(rows),
            resamples=self.resamples,
            note="all samples are of one group: the interval says nothing about others" if single else "",
        )


def scoring(suite: Suite, labels: Sequence[str], wheels: Path | None = None) -> Scoring:
    """`wheels`: the folder of the published emotion wheels; without it a small table of our own, which compares with nobody's."""
    return Scoring(suite, tuple(labels), read_tables(wheels) if wheels else small_tables())


def failures(rows: Sequence[Row]) -> Failures:
    """no_face and no_speech are counted where they left the judge without an answer."""
    lost = [row for row in rows if row.status != "answered"]
    return Failures(
        unparsable=sum(row.status == "unparsable" for row in lost),
        no_face=sum("no_face" in row.notes for row in lost),
        no_speech=sum("no_speech" in row.notes for row in lost),
    )


def by_fold(scoring: Scoring, rows: Sequence[Row]) -> dict[int, float | None]:
    """The primary metric in each fold alone; empty without folds."""
    plain = replace(scoring, resamples=0)
    folds = sorted({row.fold for row in rows if row.fold is not None})
    return {fold: plain.scores([row for row in rows if row.fold == fold])[0].value for fold in folds}


def _said(row: Row, key: str):
    return row.prediction[key] if row.prediction else None


def _emotion(scoring: Scoring, rows: Sequence[Row], protocol: Protocol) -> list[Score]:
    truth = [row.truth["label"] for row in rows]
    said = [_said(row, "label") for row in rows]
    named = classification_scores(truth, said, scoring.labels, protocol)
    if scoring.suite.answer == "free":
        return named  # a written label has no confidence
    return named + _calibration(scoring, rows, protocol) + [
        _selective("coverage", rows, protocol), _selective("selective_accuracy", rows, protocol),
    ]  # fmt: skip


def sureness(rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
    """Confidence and correctness of the named label, [N] each; 0 and wrong without an answer."""
    sure = np.array([_said(row, "confidence") or 0.0 for row in rows])
    right = np.array([_said(row, "label") == row.truth["label"] for row in rows])
    return sure, right


def _calibration(scoring: Scoring, rows: Sequence[Row], protocol: Protocol) -> list[Score]:
    """Without an answer the probabilities are taken as uniform."""
    shares = [_said(row, "probabilities") or dict.fromkeys(scoring.labels, 1 / len(scoring.labels)) for row in rows]
    table = np.array([[share[label] for label in scoring.labels] for share in shares])
    table /= table.sum(1, keepdims=True)  # they were written with four decimals
    truth = [scoring.labels.index(row.truth["label"]) for row in rows]
    return calibration_scores(*sureness(rows), table, truth, protocol)


def _selective(name: str, rows: Sequence[Row], protocol: Protocol) -> Score:
    """What the judge commits itself to: the share of samples that its verdict names an emotion for, and how often rightly."""
    named = np.array([bool(row.prediction) and not row.prediction["abstained"] for row in rows])
    _, right = sureness(rows)
    if name == "coverage":
        return measure(name, lambda named: float(named.mean()), (named,), protocol)
    return measure(name, lambda right: float(right.mean()), (right,), protocol, counted=named)


def _units(scoring: Scoring, rows: Sequence[Row], protocol: Protocol) -> list[Score]:
    aus = scoring.suite.units
    name = next((name for name, units in AU_SETS.items() if set(units) == set(aus)), "au")
    truth, said = unit_tables(scoring.suite, rows)
    return au_scores(truth, said, aus, name, protocol)


def unit_tables(suite: Suite, rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
    """[N, A] truth and answers, 1 present, 0 absent, NaN not coded or not answered."""
    coded = [row.truth["units"] for row in rows]
    truth = present([{au for au, on in units.items() if on} for units in coded], suite.units, coded)
    return truth, present([named_units(row.prediction) for row in rows], suite.units)


def named_units(prediction: Mapping | None) -> set[str] | None:
    """Those at or above the answer's own bound, "slight" where it has none; None without an answer."""
    bound = (prediction or {}).get("bound", ACTIVE)
    return prediction and {au for au, x in prediction["units"].items() if (x or 0) >= bound}


def _sentiment(scoring: Scoring, rows: Sequence[Row], protocol: Protocol) -> list[Score]:
    """Three polarities where the set has words for them, and the SIMS figures where it has numbers in -1..1."""
    found: list[Score] = []
    named = [row for row in rows if row.truth["label"] is not None]
    if named:
        truth, said = [row.truth["label"] for row in named], [_said(row, "label") for row in named]
        found += classification_scores(truth, said, SENTIMENTS, _within(protocol, rows, named))
    graded = [row for row in rows if row.truth["score"] is not None]
    if graded:
        truth, said = [row.truth["score"] for row in graded], [_said(row, "score") for row in graded]
        found += sims_scores(truth, said, _within(protocol, rows, graded))
    return found


def _within(protocol: Protocol, rows: Sequence[Row], some: Sequence[Row]) -> Protocol:
    """The same protocol on part of the rows."""
    if protocol.groups is None or len(some) == len(rows):
        return protocol
    return replace(protocol, groups=[row.group for row in some])


def _affect(scoring: Scoring, rows: Sequence[Row], protocol: Protocol) -> list[Score]:
    names = ("valence", "arousal")
    truth = {name: [row.truth[name] for row in rows] for name in names}
    return affect_scores(truth, {name: [_said(row, name) for row in rows] for name in names}, protocol)


def _open(scoring: Scoring, rows: Sequence[Row], protocol: Protocol) -> list[Score]:
    truth, said = [row.truth["words"] for row in rows], [_said(row, "words") for row in rows]
    return set_scores(truth, said, scoring.tables, "inner", protocol)


def _reasoning(scoring: Scoring, rows: Sequence[Row], protocol: Protocol) -> list[Score]:
    return told_scores(rows, protocol)


def told_scores(rows: Sequence[Row], protocol: Protocol) -> list[Score]:
    """Of explanations: sum of each metric's numerators over that of its denominators, see `explanations`; parts: the latter sum.

    A lost sample is a text of no claim.
    """
    lost = sum(row.prediction is None for row in rows)
    counts = [_said(row, "counts") or {"claims_per_text": (0, 1)} for row in rows]
    found = []
    for metric in REPORTED:
        pairs = np.array([count.get(metric, (0, 0)) for count in counts], dtype=float)  # [N, 2]
        if pairs[:, 1].any():
            unit, parts = UNITS.get(metric, "ratio"), {"of": pairs[:, 1].sum()}
            found.append(measure(metric, _ratio_of_sums, (pairs,), protocol, unit, lost, parts))
    return found


def _ratio_of_sums(pairs: np.ndarray) -> float:
    above, below = pairs.sum(0)
    return float(above / below) if below else float("nan")


def _causes(scoring: Scoring, rows: Sequence[Row], protocol: Protocol) -> list[Score]:
    truth = [[Pair(*pair) for pair in row.truth["pairs"]] for row in rows]
    said = [None if row.prediction is None else [Pair(*pair) for pair in row.prediction["pairs"]] for row in rows]
    return pair_scores(truth, said, scoring.labels, protocol)


def _hallucination(scoring: Scoring, rows: Sequence[Row], protocol: Protocol) -> list[Score]:
    """Intervals draw pairs, or groups of them. A question whose twin is not among the rows (limit) is left out."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        found.setdefault(row.truth["pair"], {})[row.truth["answer"]] = row
    pairs = [(pair["yes"], pair["no"]) for pair in found.values() if len(pair) == 2]
    groups = [basic.group for basic, _ in pairs]
    grouped = groups if 1 < len(set(groups)) < len(groups) else None
    said = [(_yes(basic), _yes(made_up)) for basic, made_up in pairs]
    return hallucination_scores([one for one, _ in said], [one for _, one in said], replace(protocol, groups=grouped))


def _yes(row: Row) -> bool | None:
    answer = _said(row, "answer")
    return None if answer is None else answer == "yes"


_OF = {
    "emotion": _emotion, "action_units": _units, "sentiment": _sentiment, "valence_arousal": _affect, "open_vocabulary": _open,
    "reasoning": _reasoning, "causes": _causes, "hallucination": _hallucination,
}  # fmt: skip
