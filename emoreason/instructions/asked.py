"""A record as inference shows it to the model for a verdict: what calibration and the page of a fine-tuning judge."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from emoreason.errors import ConfigError
from emoreason.instructions.conversation import said_in, segment_of
from emoreason.instructions.observe_all import Roots, clip_jobs, find
from emoreason.instructions.record import Record
from emoreason.instructions.tasks import in_words
from emoreason.media.clip import Clip, Frame
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.prompt import emotion_question
from emoreason.model.segment_input import SegmentInput
from emoreason.perception.cues import cues
from emoreason.perception.observation import Observation
from emoreason.perception.segments import segments
from emoreason.perception.store import ObservationStore

Refine = Callable[[Observation, Clip], Observation]


def as_measured(observation: Observation, clip: Clip) -> Observation:
    """What an untrained model has to say about action units."""
    return observation


@dataclass(frozen=True)
class PairedClip:
    """The pictures of one clip with the sound of another: what the processor asks of a clip."""

    seen: Clip
    heard: Clip

    @property
    def has_video(self) -> bool:
        return self.seen.has_video

    def frames(self, times_s: Sequence[float], max_side: int | None = None) -> list[Frame]:
        return self.seen.frames(times_s, max_side)

    def audio(self, start_s: float = 0.0, end_s: float | None = None) -> np.ndarray:
        return self.heard.audio(start_s, end_s)


def clip_of(record: Record, roots: Roots) -> Clip | PairedClip:
    """The media of a record that has any: pictures, and sound where that is a file of its own."""
    first, *_, last = [job.clip() for job in clip_jobs(record, roots)] * 2
    return PairedClip(first, last) if record.media.audio and first.has_video else first


def verdict_inputs(
    record: Record,
    roots: Roots,
    store: ObservationStore,
    words: bool,
    labels: Sequence[str],
    processor: EmoReasonProcessor,
    refine: Refine,
) -> list[SegmentInput]:
    """The segments whose verdicts are pooled into that of the record: its span, else those of the whole clip; of words alone one.

    words: whether the media were observed with transcription. Raises ConfigError for media that were not observed, MediaError.
    """
    question = emotion_question(labels)
    if record.media is None:
        return [SegmentInput.of_words(in_words(record, question), said_in(record, processor.languages))]
    observation = find(record, roots, store, words=words)
    if observation is None:
        raise ConfigError(f"record {record.id} of {record.dataset} was not observed: run `emoreason data observe` first")
    clip = clip_of(record, roots)
    observation = refine(observation, clip)
    spans = segments(observation) if record.span is None else [segment_of(record, observation)]
    measured = cues(observation)
    return [processor.prepare(observation, span, clip, question, cues=measured) for span in spans]
