"""What a judge says about samples: verdicts of the seconds that they are about, whole reports, and what it is asked in writing.

The judge under test is never given a truth. It judges what was measured on the product's own road: judge, then `assemble`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emoreason.evaluation.shown import Shown
from emoreason.evaluation.suite import Suite
from emoreason.inference.judges import Judge
from emoreason.instructions.conversation import said_in, segment_of
from emoreason.report.assemble import assemble
from emoreason.report.emotion_report import EmotionReport
from emoreason.report.schema import Verdict

if TYPE_CHECKING:
    from emoreason.model.segment_input import SegmentInput  # whose libraries a judge without weights does without


@dataclass(frozen=True)
class Question:
    """Asked about `shown`; `labels` are the candidates of a closed question, empty for an open one."""

    shown: Shown
    text: str
    labels: tuple[str, ...] = ()


def inputs(judge: Judge, questions: Sequence[Question]) -> list["SegmentInput"]:
    """What a judge that writes is shown of each question: the seconds that the record is about, or its words alone."""
    return [_input(judge, question) for question in questions]


def _input(judge: Judge, question: Question) -> "SegmentInput":
    from emoreason.model.segment_input import SegmentInput

    shown = question.shown
    if shown.observation is None:
        return SegmentInput.of_words(question.text, said_in(shown.record, judge.languages))
    return judge.prepare(shown.observation, segment_of(shown.record, shown.observation), shown.clip, question.text)


def verdicts(judge: Judge, shown: Sequence[Shown]) -> list[Verdict]:
    """Of the seconds that each record is about, or of its words where there is nothing else."""
    measured = [one for one in shown if one.observation is not None]
    judged = iter(judge.judge([(one.observation, one.clip) for one in measured], explain=False))
    return [judge.read(one.text) if one.observation is None else _verdict(next(judged), one) for one in shown]


def _verdict(judged, shown: Shown) -> Verdict:
    span = shown.record.span
    return (judged.clip if span is None else judged.within(span.start_s, span.end_s, shown.observation)).verdict()


def reports(judge: Judge, shown: Sequence[Shown]) -> list[EmotionReport]:
    """The whole report of each sample, claims checked, as `EmotionReasoner` makes it."""
    judged = judge.judge([(one.observation, one.clip) for one in shown])
    return [assemble(one.observation, told, judge.info(), {}) for one, told in zip(shown, judged, strict=True)]


def as_asked(judge: Judge, suite: Suite) -> Judge:
    """Without the part of the prompt that the suite leaves out, where the judge has a prompt at all."""
    return judge.without(suite.without) if suite.without and judge.writes else judge
