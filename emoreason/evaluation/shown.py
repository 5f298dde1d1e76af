"""What a judge is shown of a sample: its measured media, or its words alone. The truth is not in it."""

from dataclasses import dataclass
from pathlib import Path

from emoreason.errors import EmoReasonError
from emoreason.evaluation.kinds import text_of
from emoreason.evaluation.samples import Sample, Samples
from emoreason.evaluation.suite import Suite
from emoreason.inference.judges import Judge
from emoreason.inference.reasoner import EmotionReasoner
from emoreason.instructions.observe_all import data_store, find, jobs_of
from emoreason.instructions.record import Record
from emoreason.media import Clip
from emoreason.perception.observation import Observation


class NotMeasured(EmoReasonError):
    """The media of a sample could not be measured."""


@dataclass(frozen=True)
class Shown:
    """`record` holds the words that may be read, no others; `observation` and `clip` are None where words are all there is."""

    sample: Sample
    record: Record
    observation: Observation | None
    clip: Clip | None

    @property
    def text(self) -> str:
        return text_of(self.record)

    @property
    def notes(self) -> list[str]:
        """Codes of what perception found missing (no_face, no_speech, dark, ...)."""
        return sorted({note.code for note in self.observation.notes}) if self.observation else []


def show(sample: Sample, samples: Samples, store: Path, judge: Judge) -> Shown:
    """Measured as `emoreason data observe` does and kept in its store: what was measured there is not measured again. Its action
    units are as the judge reads them.

    Raises MediaError or NotMeasured, naming the file.
    """
    suite, record = samples.suite, sample.record
    if suite.input == "words" or (record.media is None and record.probe is not None):  # questions of theory show nothing
        return Shown(sample, _words_alone(suite, record), None, None)
    kept = data_store(store)
    jobs = jobs_of([record], samples.root, suite.words)
    for job in jobs:
        EmotionReasoner(judge, job.settings, kept).observe(job.clip())
    observation = find(record, samples.root, kept, suite.words)
    if observation is None:
        raise NotMeasured(f"{sample.media or record.id}: there is nothing to measure, or it cannot be kept in {store}")
    clip = jobs[0].clip()
    return Shown(sample, record, judge.refine(observation, clip, kept), clip)


def _words_alone(suite: Suite, record: Record) -> Record:
    """Without media; with `text: explanation` the description takes the place of what was said."""
    if suite.text == "explanation":
        told = {"transcript": text_of(record, "explanation"), "turns": [], "target_turn": None}
        return record.model_copy(update={"media": None, "explanation": []} | told)
    return record.model_copy(update={"media": None, "explanation": []})
