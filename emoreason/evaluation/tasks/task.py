"""What every kind of evaluation question has in common: `EvaluationTask`, one subclass and one file per kind.

A task owns all that depends on the kind of question:

    truth     what of a record is the right answer, or why the record is left out
    ask       how a judge is asked, and how its answers are read
    score     the metrics, all numbers from `emoreason.scoring.metrics`
    pair      the metrics of two results on the same samples, for a comparison
    mistake   how wrong one answer is, for the page
    export    the question in plain words, how a plain answer is read, and which metrics another tool shows

The rest (samples, runs, result folders, intervals, tables, pages) is the same for all and asks the task.
"""

import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from emoreason.errors import ConfigError
from emoreason.evaluation.grader import Grader
from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.label_mapping import LabelMapping
from emoreason.evaluation.results import SampleResult, Status, drawn_groups, failures, of_rows
from emoreason.evaluation.sample import EvalSample, text_of
from emoreason.evaluation.suite import Suite
from emoreason.evaluation.verdicts import Question, segment_inputs
from emoreason.inference.judges import Judge
from emoreason.instructions.answers import Exchange, label_of
from emoreason.instructions.label_tasks import Scheme, shuffled
from emoreason.instructions.record import Record
from emoreason.instructions.tasks import context as shown_before
from emoreason.instructions.templates import templates
from emoreason.perception.observation import Observation
from emoreason.report.schema import Verdict
from emoreason.scoring.metrics.score import Protocol, Score
from emoreason.scoring.metrics.wheels import WheelTables, read_tables, small_tables

MOST_TOKENS = 160  # of a written answer, its fields included

Truths = dict[str, dict]  # what is added to the record's id -> truth


class LeftOut(Exception):
    """A record that is not a sample of the suite; the message is the reason."""


@dataclass(frozen=True)
class Prediction:
    """silent: nothing to go on, which `reason` explains. unparsable: a written answer that could not be read. Both are wrong."""

    status: Status
    prediction: dict | None = None
    reason: str | None = None
    text: str = ""


def parsed(text: str, prediction: dict | None, reason: str | None = None) -> Prediction:
    """Of a written answer; None: it could not be read."""
    return (
        Prediction("unparsable", reason=reason, text=text)
        if prediction is None
        else Prediction("answered", prediction, text=text)
    )


class Paired(NamedTuple):
    """For a paired comparison: columns that two results share, the column of answers, and metric -> statistic of all columns."""

    shared: tuple[np.ndarray, ...]
    answers: np.ndarray
    statistics: Mapping[str, Callable[..., float]]


class Benchmark(NamedTuple):
    """Metrics of a published benchmark, for suites that name it under `metrics`: which rows count, and their scores."""

    counts: Callable[[SampleResult], bool]
    scores: Callable[["EvaluationTask", Sequence[SampleResult], Protocol], list[Score]]


@dataclass(frozen=True)
class EvaluationTask(ABC):
    """One kind of question on one suite. A subclass names its kind (`class X(EvaluationTask, kind="x")`) and is known by it.

    mapping: the scored labels of the data set. wheels: the folder of the published emotion wheels; without it a small table is
    used, whose figures do not compare with others.
    """

    suite: Suite
    mapping: LabelMapping
    wheels: Path | None = None

    registry: ClassVar[dict[str, type["EvaluationTask"]]] = {}
    kind: ClassVar[str]
    words_alone: ClassVar[bool] = True  # whether words without pictures or sound can be asked about
    answers: ClassVar[tuple[str, ...]] = ("verdict",)  # values of a suite's `answer`
    auditable: ClassVar[bool] = False  # whether truth and prediction name one label, which audits follow
    benchmarks: ClassVar[Mapping[str, Benchmark]] = {}
    tabled: ClassVar[tuple[str, ...]] = ()  # metrics in the table of results beside the primary one
    pooled: ClassVar[str] = ""  # the table's name for all suites of a judge as one; empty: they are not pooled
    descriptions: ClassVar[Mapping[str, str]] = {}  # metric, or pattern of metrics -> a line for the reader of a page
    export_question: ClassVar[str | None] = None  # with {labels} or {asked}; None: no other tool can ask it
    export_metrics: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, kind: str = "", **rest: Any):
        super().__init_subclass__(**rest)
        if kind:
            cls.kind = kind
            EvaluationTask.registry[kind] = cls

    @property
    def labels(self) -> tuple[str, ...]:
        """What a closed question offers, in the scheme's order."""
        return self.mapping.labels

    @property
    def tables(self) -> WheelTables:
        return read_tables(self.wheels) if self.wheels else small_tables()

    @classmethod
    def check(cls, suite: Suite) -> None:
        """Raises ValueError for settings that do not fit this kind of question."""
        if suite.input == "words" and not cls.words_alone:
            raise ValueError(f"kind '{cls.kind}' needs pictures or sound, not words alone")

    # truth

    def truths(self, record: Record) -> Truths:
        """The samples of a record; nothing here sees what a judge says. Raises LeftOut."""
        if len(text_of(record).split()) < self.suite.subset.least_words:
            raise LeftOut(f"shorter than {self.suite.subset.least_words} words")
        if self.suite.input == "words" and not text_of(record, self.suite.text):
            raise LeftOut("without words")
        return self.truth(record)

    @abstractmethod
    def truth(self, record: Record) -> Truths:
        """One sample as {"": truth}, or several, each with an ending of its id. Raises LeftOut."""

    def label(self, record: Record) -> str | None:
        """The record's one label as it is counted."""
        if not record.labels:
            return None
        first = record.labels[0]
        return self.mapping.label(first.value if self.suite.subset.majority else label_of(record, first.scheme))

    def scored_label(self, record: Record) -> str:
        """As `label`; raises LeftOut where there is none."""
        if (label := self.label(record)) is None:
            raise LeftOut("without one label among those scored")
        return label

    # ask

    @abstractmethod
    def ask(self, context: "EvalContext", inputs: Sequence[SampleInput]) -> list[Prediction]:
        """One prediction per sample, in order. Questions are those of `instructions.tasks`: what a model was taught to answer is
        what it is asked."""

    # score

    def scores(self, rows: Sequence[SampleResult], resamples: int = 1000) -> list[Score]:
        """All metrics, the suite's primary one first. Raises ConfigError for a primary metric that is not among them, and for
        `metrics` for which no row has what they need. `resamples=0`: no intervals.

        Every sample counts: what is silent, unparsable or failed is wrong in every metric that can be wrong. A class without a
        sample has no recall and is left out of the mean, as its part (None) shows.
        """
        protocol = self.protocol(rows, resamples)
        scores = self.score(rows, protocol)
        for name in self.suite.metrics:
            benchmark = self.benchmarks[name]
            counted = [row for row in rows if benchmark.counts(row)]
            if not counted:
                raise ConfigError(f"metrics '{name}': no sample of this suite has what they are made of")
            known = {score.metric for score in scores}
            scores += [new for new in benchmark.scores(self, counted, of_rows(protocol, counted)) if new.metric not in known]
        first = [score for score in scores if score.metric == self.suite.primary]
        if not first:
            known = ", ".join(score.metric for score in scores)
            raise ConfigError(f"suite '{self.suite.name}': no metric '{self.suite.primary}' here; known: {known}")
        return first + [score for score in scores if score.metric != self.suite.primary]

    @abstractmethod
    def score(self, rows: Sequence[SampleResult], protocol: Protocol) -> list[Score]:
        """The metrics of this kind of question."""

    def protocol(self, rows: Sequence[SampleResult], resamples: int = 1000) -> Protocol:
        """Intervals draw whole groups where a group has more than one sample, and there are several groups."""
        single = len({row.group for row in rows}) == 1 < len(rows)
        return Protocol(
            name=f"{self.suite.recipe}/{self.suite.split or 'folds'}/{self.suite.name}",
            groups=drawn_groups(rows),
            failures=failures(rows),
            resamples=resamples,
            note="all samples are of one group: the interval says nothing about others" if single else "",
        )

    def by_fold(self, rows: Sequence[SampleResult]) -> dict[int, float | None]:
        """The primary metric in each fold alone; empty without folds."""
        folds = sorted({row.fold for row in rows if row.fold is not None})
        return {fold: self.scores([row for row in rows if row.fold == fold], resamples=0)[0].value for fold in folds}

    def graded(self, rows: Sequence[SampleResult], grader: Grader, protocol: Protocol) -> list[Score]:
        """Scores by a language model as a judge of texts, for kinds that have texts."""
        return []

    @abstractmethod
    def pair(self, rows: Sequence[SampleResult]) -> Paired:
        """Columns and statistics for a comparison with another result on the same samples."""

    # page

    @abstractmethod
    def mistake(self, truth: dict, prediction: dict) -> float:
        """How wrong an answer is, larger is worse, 0 is right; the surest mistakes first."""

    def phrase(self, content: dict) -> str:
        """A truth or a prediction in words."""
        return str(content.get("label") or "no label")

    def figures(self, rows: Sequence[SampleResult], scores: Sequence[Score]) -> dict[str, Any]:
        """What the page draws besides the table of scores: confusion (labels, rows), confidence (confidence, correct), units,
        parts."""
        return {}

    @classmethod
    def describe(cls, metric: str) -> str:
        """Empty for a metric that has no description."""
        return next((text for name, text in cls.descriptions.items() if fnmatchcase(metric, name)), "")

    # export: for tools that ask in plain words

    def shuffled(self, sample: EvalSample) -> list[str]:
        """The labels in an order of the sample's own, the same each time: the place of a label must not tell anything."""
        return random.Random(f"{self.suite.name}/{sample.id}").sample(self.labels, len(self.labels))

    def export_context(self, record: Record) -> str:
        """What must be read before the question: the words alone, or which seconds are meant."""
        if self.suite.input == "words":
            return f"{text_of(record, self.suite.text)}\n"
        return f"From {record.span.start_s:.1f} to {record.span.end_s:.1f} seconds: " if record.span else ""

    def read(self, text: str) -> dict | None:
        """The prediction that a plain answer makes, read strictly; None where it cannot be read."""
        raise NotImplementedError(f"kind '{self.kind}' cannot be exported")

    def export_name(self, metric: str) -> str:
        """The name of a metric in another tool, where tasks of all suites of a kind have the same."""
        return metric

    def export_choice(self, sample: EvalSample) -> tuple[str, Sequence[str], str] | None:
        """(question, options, the right one) of multiple choice; None where there are no options."""
        return None


@dataclass(frozen=True)
class EvalContext:
    """What every answer depends on besides the task and the sample. `scheme`: the labels that the set offers.

    others: measurements of other samples, which an explanation should not fit.
    """

    task: EvaluationTask
    scheme: Scheme
    judge: Judge
    others: Callable[[SampleInput], list[Observation]] = lambda _: []

    def predictions(self, inputs: Sequence[SampleInput]) -> list[Prediction]:
        """One for each sample, in order."""
        return self.task.ask(self, inputs)

    @property
    def in_writing(self) -> bool:
        """Words alone are judged in writing by a judge that can write."""
        return self.task.suite.input == "words" and self.judge.writes

    def choose(self, questions: Sequence[Question]) -> list[dict[str, float]]:
        """Probabilities of the labels of each question; all questions offer the same ones."""
        return self.judge.choose(segment_inputs(self.judge, questions), questions[0].labels)

    def reply(self, questions: Sequence[Question]) -> list[str]:
        """Whole written answers, answer fields included."""
        return self.judge.reply(segment_inputs(self.judge, questions), MOST_TOKENS)

    def question(self, one: SampleInput, task: str, labels: Sequence[str] = (), **slots: str) -> Question:
        """Worded as in training, the wording and the order of labels drawn by the sample's id: the same for every judge."""
        rng = random.Random(f"{self.task.suite.name}/{one.sample.id}")
        named = {"labels": shuffled(labels, rng)} if labels else {}
        asked = templates().ask(task, rng, **named, **slots)
        before = shown_before(one.record, one.observation, Exchange(asked, "", ()), rng)
        return Question(one, f"{before} {asked}".strip(), tuple(labels))

    def shares(self, verdict: Verdict) -> dict[str, float] | None:
        """Over the scored labels. A judge's own words are understood where they are this set's, else by what they stand for."""
        if verdict.probabilities is None:
            return None
        if verdict.scheme == self.scheme.name:
            return self.task.mapping.counted(verdict.probabilities)
        canonical: Counter[str] = Counter()
        for word, p in verdict.probabilities.items():
            if emotion := self.judge.label_set.emotion(word):
                canonical[emotion] += p
        return self.task.mapping.probabilities(canonical)
