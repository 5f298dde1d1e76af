"""What a judge is shown of a sample: its measured media, or its words alone. The truth is not in it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emoreason.errors import EmoReasonError
from emoreason.evaluation.sample import EvalSample, text_of
from emoreason.evaluation.suite import Suite
from emoreason.inference.judges import Judge
from emoreason.inference.reasoner import EmotionReasoner
from emoreason.instructions.conversation import segment_of
from emoreason.instructions.observe_all import data_store, find, jobs_of, settings_of
from emoreason.instructions.record import Record
from emoreason.media import Clip
from emoreason.perception.degraded import degraded_clip
from emoreason.perception.observation import Observation
from emoreason.perception.segments import Segment
from emoreason.perception.speaking import who_speaks


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
    if suite.degrade is not None and clip.has_video:
        spoilt = degraded_clip(clip, observation, suite.degrade)
        return SampleInput(sample, record, seen_anew(judge, record, observation, spoilt), spoilt)
    return SampleInput(sample, record, judge.refine(observation, clip, kept), clip)


def seen_anew(judge: Judge, record: Record, before: Observation, clip: Clip, **settings: Any) -> Observation:
    """Faces of `clip`, kept nowhere; voice and words as they were. The first look may have been at a frame of its own rate.

    settings: of perception, in place of those that the record is measured by.
    """
    wanted = replace(settings_of(record, words=False), voice=False, **settings)
    seen = EmotionReasoner(judge, wanted).observe(clip)
    source = replace(seen.source, duration_s=before.source.duration_s, has_audio=before.source.has_audio)
    speaking = {person: () for person in (one.person for one in seen.people)} | dict(who_speaks(seen.people, before.voice))
    return replace(seen, source=source, settings=before.settings, voice=before.voice, words=before.words, speaking=speaking)
