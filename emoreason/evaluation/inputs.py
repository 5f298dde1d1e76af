"""What a judge is shown of a sample: its measured media, or its words alone. The truth is not in it."""

from dataclasses import dataclass
from pathlib import Path

from emoreason.errors import EmoReasonError
from emoreason.evaluation.sample import EvalSample, text_of
from emoreason.evaluation.suite import Suite
from emoreason.inference.judges import Judge
from emoreason.inference.reasoner import EmotionReasoner
from emoreason.instructions.conversation import segment_of
from emoreason.instructions.observe_all import data_store, find, jobs_of
from emoreason.instructions.record import Record
from emoreason.media import Clip
from emoreason.perception.observation import Observation
from emoreason.perception.segments import Segment


class NotMeasured(EmoReasonError):
    """The media of a sample could not be measured."""


@dataclass(frozen=True)
class SampleInput:
    """`record` holds the words that may be read, no others; `observation` and `clip` are None where words are all there is."""

    sample: EvalSample
    record: Record
    observation: Observation | None
    clip: Clip | None

    @property
    def text(self) -> str:
        return text_of(self.record)

    @property
    def segment(self) -> Segment:
        """The seconds that the record is about."""
        return segment_of(self.record, self.observation)

    @property
    def notes(self) -> list[str]:
        """Codes of what perception found missing (no_face, no_speech, dark, ...)."""
        return sorted({note.code for note in self.observation.notes}) if self.observation else []


def load_input(sample: EvalSample, suite: Suite, root: Path, store: Path, judge: Judge) -> SampleInput:
    """Measured as `emoreason data observe` does and kept in its store: nothing is measured twice. `root`: of the data set. The
    action units are as the judge reads them.

    Raises MediaError or NotMeasured, naming the file.
    """
    record = sample.record
    if suite.input == "words" or (record.media is None and record.probe is not None):  # questions of theory show nothing
        alone = {"media": None, "explanation": []}
        if suite.text == "explanation":  # the description takes the place of what was said
            alone |= {"transcript": text_of(record, "explanation"), "turns": [], "target_turn": None}
        return SampleInput(sample, record.model_copy(update=alone), None, None)
    kept = data_store(store)
    jobs = jobs_of([record], root, suite.words)
    for job in jobs:
        EmotionReasoner(judge, job.settings, kept).observe(job.clip())
    observation = find(record, root, kept, suite.words)
    if observation is None:
        raise NotMeasured(f"{sample.media or record.id}: there is nothing to measure, or it cannot be kept in {store}")
    clip = jobs[0].clip()
    return SampleInput(sample, record, judge.refine(observation, clip, kept), clip)
