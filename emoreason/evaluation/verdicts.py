"""What a judge says about samples: verdicts of the seconds that they are about, whole reports, and what it is asked in writing.

The judge under test is never given a truth. It judges what was measured in the way the product does: judge, then `assemble`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.suite import Suite
from emoreason.inference.judges import Judge
from emoreason.instructions.conversation import said_in
from emoreason.report.assemble import assemble
from emoreason.report.emotion_report import EmotionReport
from emoreason.report.judgement import Judged
from emoreason.report.schema import Verdict

if TYPE_CHECKING:
    from emoreason.model.segment_input import SegmentInput  # a judge without weights does not need its libraries


@dataclass(frozen=True)
class Question:
    """Asked about `input`; `labels` are the candidates of a closed question, empty for an open one."""

    input: SampleInput
    text: str
    labels: tuple[str, ...] = ()


def segment_inputs(judge: Judge, questions: Sequence[Question]) -> list["SegmentInput"]:
    """What a judge that writes is shown of each question: the seconds that the record is about, or its words alone."""
    from emoreason.model.segment_input import SegmentInput

    return [
        SegmentInput.of_words(question.text, said_in(one.record, judge.languages))
        if (one := question.input).observation is None
        else judge.prepare(one.observation, one.segment, one.clip, question.text)
        for question in questions
    ]


def judged(judge: Judge, inputs: Sequence[SampleInput], explain: bool = False) -> list[Judged]:
    """Of the whole file of each sample."""
    return judge.judge([(one.observation, one.clip) for one in inputs], explain=explain)


def verdicts(judge: Judge, inputs: Sequence[SampleInput]) -> list[Verdict]:
    """Of the seconds that each record is about, or of its words where there is nothing else."""
    measured = iter(judged(judge, [one for one in inputs if one.observation is not None]))
    return [judge.read(one.text) if one.observation is None else _verdict(next(measured), one) for one in inputs]


def _verdict(whole: Judged, one: SampleInput) -> Verdict:
    span = one.record.span
    return (whole.clip if span is None else whole.within(span.start_s, span.end_s, one.observation)).verdict()


def reports(judge: Judge, inputs: Sequence[SampleInput]) -> list[EmotionReport]:
    """The whole report of each sample, claims checked, as `EmotionReasoner` makes it."""
    pairs = zip(inputs, judged(judge, inputs, explain=True), strict=True)
    return [assemble(one.observation, whole, judge.info(), {}) for one, whole in pairs]


def as_asked(judge: Judge, suite: Suite) -> Judge:
    """Without the part of the prompt that the suite leaves out, where the judge has a prompt at all."""
    return judge.without(suite.without) if suite.without and judge.writes else judge
