"""The model as a judge: segments of an Observation through processor and model to what `report.assemble` takes.

Letters: B segments of a batch, P persons, T frames of a segment, N frames of a track, K labels of a head, E the eight emotions.
"""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count, islice
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from emoreason import __version__
from emoreason.errors import ConfigError
from emoreason.instructions.corrections import corrected
from emoreason.labels.emotions import EMOTIONS
from emoreason.labels.label_set import EMOTION_SET, LabelSet
from emoreason.media import Clip
from emoreason.model import verdict
from emoreason.model.engines import Engine, OnText
from emoreason.model.fusion import Source, clip_evidence, fuse
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.prompt import WHY, answer_text, emotion_question, sanitize
from emoreason.model.segment_input import SegmentInput
from emoreason.perception.cues import cues as measured_cues
from emoreason.perception.observation import Observation, Person
from emoreason.perception.people import main_person
from emoreason.perception.segments import Segment, segments
from emoreason.report import affect
from emoreason.report.composer import decide
from emoreason.report.judgement import Judged, Judgement
from emoreason.report.schema import SegmentReport

EvidencePath = Literal["soft", "text"]
FACE_HEAD, VOICE_HEAD = "emotion", "voice_emotion"
BATCH = 16  # segments at a time at most: more gain little
CACHE_BYTES = 1 << 30  # of their keys and values (at times in three copies), which fill the memory with a large model
WINDOW = 4  # batches' worth of segments are cut ahead, so that those of like length meet in one batch
SCENES = 1  # pictures per segment, for a backbone that sees
MOST_GAP_S = 0.5  # the course of a face is interpolated between judged frames no further apart than this
SAME_S = 0.005  # segments keep times in single precision
TURN = 64  # tokens kept free for the answer that is settled on and the question after it
CITED = 2  # segments whose texts make up the explanation of a longer clip
UNTRAINED = "the model is untrained (encoders, connectors, heads): its verdicts and texts mean nothing yet"


@dataclass(frozen=True)
class Asked:
    """A segment to be judged. number: its place among all segments of all clips."""

    number: int
    observation: Observation
    span: Segment
    given: SegmentInput


@dataclass(frozen=True)
class Part:
    """One judged segment, its weight in the clip, and what the heads said, before calibration."""

    judgement: Judgement
    weight: float
    speech_s: float
    faces: dict[str, tuple[np.ndarray, Tensor, Tensor]]  # person -> times_s [T], logits [T, K], quality [T]; judged frames only
    voice: Tensor | None  # [K] logits


class ModelJudge:
    """Judges an Observation as the composer does, by the model. `path`: "soft" = soft tokens and evidence lines, "text" =
    evidence lines alone. `model` is None where only the engine has it, elsewhere: then `path` must be "text".
    `weights_sha256` is None for a model without a checkpoint. Threads may share a judge: it hears one after the other, as soft
    tokens and the reading of utterances change the model while they last."""

    def __init__(
        self,
        model: EmoReasonForConditionalGeneration | None,
        processor: EmoReasonProcessor,
        engine: Engine,
        name: str,
        path: EvidencePath = "soft",
        weights_sha256: str | None = None,
        revision: str = __version__,
    ):
        """Raises ConfigError when labels are neither canonical emotions nor a scheme of their own."""
        self.config = processor.config
        self.label_set = self.config.label_set()
        self.labels = tuple(self.config.labels)
        if self.label_set.canonical and (unknown := [label for label in self.labels if label not in EMOTIONS]):
            raise ConfigError(f"model '{name}': label '{unknown[0]}' is none of {', '.join(EMOTIONS)}; name the scheme it is of")
        self.model, self.processor, self.engine = model, processor, engine
        self.heads = {} if model is None else model.heads
        self.name, self.path, self.weights_sha256, self.revision = name, path, weights_sha256, revision
        self.settings = verdict.VerdictSettings(**(self.config.verdict or {}))
        self.scenes = SCENES if processor.pictures is not None and path == "soft" else 0
        self._turn = nullcontext() if model is None else threading.RLock()

    def __call__(self, observation: Observation, clip: Clip, on_text: OnText | None = None) -> Judged:
        """`on_text(segment, text)` follows the writing."""
        return self._many([(observation, clip)], on_text)[0]

    def many(self, pairs: Sequence[tuple[Observation, Clip]]) -> list[Judged]:
        """Segments of all clips in common batches; what is said of a clip does not depend on its company.

        Raises MediaError when one of the clips cannot be read.
        """
        return self._many(pairs, None)

    @torch.no_grad()
    def _many(self, pairs: Sequence[tuple[Observation, Clip]], on_text: OnText | None) -> list[Judged]:
        """`on_text` gets the number of the segment within all clips."""
        parts: dict[int, Part] = {}
        owners = [owner for owner, (observation, _) in enumerate(pairs) for _ in segments(observation)]
        waiting = self._asked(pairs)
        while window := list(islice(waiting, BATCH * WINDOW)):
            for some in self._batches(window):
                with self._turn:
                    judged = self._judge(some, on_text)
                for asked, part in zip(some, judged, strict=True):
                    parts[asked.number] = part
        told: list[list[Part]] = [[] for _ in pairs]
        for number, owner in enumerate(owners):
            told[owner].append(parts[number])
        return [self._judged(observation, some) for (observation, _), some in zip(pairs, told, strict=True)]

    def _asked(self, pairs: Sequence[tuple[Observation, Clip]]) -> Iterator[Asked]:
        """Segments of all clips in order, each cut when it is asked for."""
        question, number = emotion_question(self.labels), count()
        for observation, clip in pairs:
            cues = measured_cues(observation)
            for span in segments(observation):
                given = self.processor.prepare(observation, span, clip, question, self.scenes, cues)
                yield Asked(next(number), observation, span, given)

    def _batches(self, window: Sequence[Asked]) -> Iterator[list[Asked]]:
        """Segments of like length, as many at a time as may be."""
        lengths = {asked.number: self._length(asked.given) for asked in window}
        some: list[Asked] = []
        for asked in sorted(window, key=lambda asked: (lengths[asked.number], asked.number)):
            longest = lengths[asked.number] + TURN + self.settings.most_tokens
            if some and len(some) >= min(BATCH, self._cached_tokens // longest):
                yield some
                some = []
            some.append(asked)
        yield some

    @cached_property
    def _cached_tokens(self) -> int:
        """Of all rows of a batch together. An engine elsewhere looks after its own memory."""
        if self.model is None:
            return sys.maxsize
        text = self.config.language_config.get_text_config()
        width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
        return CACHE_BYTES // (2 * text.num_hidden_layers * heads * width * self.model.backbone.dtype.itemsize)

    def _length(self, given: SegmentInput) -> int:
        """Tokens of the text: what a batch is padded to."""
        return len(self.processor.tokenizer(self.processor.text(given, self.path == "soft"))["input_ids"])

    def _judged(self, observation: Observation, parts: Sequence[Part]) -> Judged:
        frames = {person.person: self._frames(person, parts) for person in observation.people}
        judgements, least = [part.judgement for part in parts], self.settings.least_confidence
        return Judged(
            clip=judgements[0] if len(parts) == 1 else clip_judgement(observation, parts, self.label_set, least),
            segments=judgements,
            frames={name: values for name, values in frames.items() if values is not None},
            people={person.person: self._person(person.person, parts) for person in observation.people},
            voice=self._voice(parts),
            generator=self.name,
            notes=[] if self.config.trained else [UNTRAINED],
        )

    @torch.no_grad()
    def answer(self, observation: Observation, clip: Clip, told: SegmentReport, question: str, on_text: OnText | None) -> str:
        """The model's reply about a segment whose verdict was `told`, as the next turn of that conversation."""
        given = self.processor.prepare(observation, Segment(told.start_s, told.end_s), clip, sanitize(question), self.scenes)
        verdict_turn = (emotion_question(self.labels), answer_text("", "", told.verdict.label))
        given = replace(given, turns=(verdict_turn, (WHY, sanitize(told.explanation.text))))
        batch = self.processor([given], soft=self.path == "soft", room=self.settings.most_tokens)
        with self._turn:
            written = self.engine.write(self.engine.read(batch), self.settings.most_tokens, on_text=on_text)[0]
        return corrected(verdict.finished(written), given.evidence)

    def _judge(self, asked: Sequence[Asked], on_text: OnText | None) -> list[Part]:
        """One batch of segments, of any clips."""
        inputs = [one.given for one in asked]
        soft = self.path == "soft"
        batch = self.processor(inputs, soft=soft, room=TURN + self.settings.most_tokens)
        people = [person and person.person for person in (main_person(one.observation, one.span) for one in asked)]
        prompt = self.engine.read(batch)
        language = verdict.language_source(verdict.label_scores(self.engine, prompt, self.labels), self.labels, self.settings)
        quality = None if batch.get("face") is None else _quality(inputs, people, batch["face"].frame_mask)
        present = verdict.present_in(batch)
        heads = verdict.head_sources(self.heads, prompt.heads, quality, present, self.settings.weights, self.label_set)
        fused = fuse([language, *heads], self.label_set.labels).exp().double().cpu().numpy()  # [B, K]
        usable = [bool(given.persons or given.mel is not None or given.evidence) for given in inputs]
        chances = [p if some else None for p, some in zip(fused, usable, strict=True)]
        least = self.settings.least_confidence
        decided = [decide(one.observation, p, least, self.label_set.labels) for one, p in zip(asked, chances, strict=True)]
        emotions = [emotion for emotion, _ in decided]
        follow = on_text and (lambda row, text: on_text(asked[row].number, text))
        asked_why = [
            self.processor.next_turn(given, answer_text("", "", emotion), WHY, soft)
            for given, emotion in zip(inputs, emotions, strict=True)
        ]
        labels, most = self.label_set.labels, self.settings.most_tokens
        answers = verdict.explain(self.engine, prompt, asked_why, emotions, labels, most, follow)
        parts = []
        for b, one in enumerate(asked):
            span, given, voiced = one.span, one.given, one.observation.voice
            text = corrected(answers[b].explanation, given.evidence)
            text = verdict.concluded(text, emotions[b], labels)  # again: an endless quotation takes the conclusion with it
            text = _told(text, chances[b], *decided[b], self.label_set)
            judgement = Judgement(span.start_s, span.end_s, chances[b], *decided[b], people[b], text, self.label_set)
            faces = _faces(given, prompt.heads[FACE_HEAD][b]) if FACE_HEAD in prompt.heads else {}
            voice = prompt.heads[VOICE_HEAD][b] if VOICE_HEAD in prompt.heads and bool(present["voice"][b]) else None
            speech_s = sum(span.overlap(*spoken) for spoken in voiced.spans) if voiced else 0.0
            parts.append(Part(judgement, _weight(judgement, faces, speech_s), speech_s, faces, voice))
        return parts

    def _calibrated(self, name: str, logits: Tensor) -> np.ndarray:
        """[..., E] what one head alone says, under a uniform prior."""
        head = self.heads[name]
        return fuse([Source(head.spec.labels, head.log_evidence(logits))], EMOTIONS).exp().double().cpu().numpy()

    def _frames(self, person: Person, parts: Sequence[Part]) -> np.ndarray | None:
        """[N, E]: the judged frames of a track, and between them as long as no gap is wider than MOST_GAP_S; NaN elsewhere."""
        judged = [part.faces[person.person] for part in parts if person.person in part.faces]
        if not judged:
            return None
        times, first = np.unique(np.concatenate([times for times, _, _ in judged]), return_index=True)
        p = self._calibrated(FACE_HEAD, torch.cat([logits for _, logits, _ in judged]))[first]  # [n, E]
        out = np.stack([np.interp(person.times_s, times, column) for column in p.T], axis=1)
        after = np.searchsorted(times, person.times_s).clip(max=len(times) - 1)
        before = np.searchsorted(times, person.times_s, side="right").clip(1) - 1
        since, until = person.times_s - times[before], times[after] - person.times_s
        judged_itself = np.minimum(np.abs(since), np.abs(until)) <= SAME_S
        between = (since >= 0) & (until >= 0) & (since + until <= MOST_GAP_S)
        out[~(judged_itself | between)] = np.nan
        return out

    def _person(self, name: str, parts: Sequence[Part]) -> np.ndarray | None:
        judged = [part.faces[name] for part in parts if name in part.faces]
        if not judged:
            return None
        logits, quality = torch.cat([logits for _, logits, _ in judged]), torch.cat([quality for _, _, quality in judged])
        return self._calibrated(FACE_HEAD, clip_evidence(logits, quality, quality > 0)) if bool((quality > 0).any()) else None

    def _voice(self, parts: Sequence[Part]) -> np.ndarray | None:
        """Mean over segments, weighted by seconds of speech."""
        heard = [part for part in parts if part.voice is not None and part.speech_s > 0]
        if not heard:
            return None
        seconds = torch.tensor([part.speech_s for part in heard])[:, None]
        logits = torch.stack([part.voice.cpu() for part in heard])  # [segments, K]
        return self._calibrated(VOICE_HEAD, ((logits * seconds).sum(0) / seconds.sum()).to(heard[0].voice.device))


def clip_judgement(
    observation: Observation, parts: Sequence[Part], scheme: LabelSet = EMOTION_SET, least: float | None = None
) -> Judgement:
    """Weighted mean of the segments' log-probabilities, as in the composer; told by the strongest segments that agree with it."""
    whole = Segment(0.0, observation.source.duration_s)
    person = main_person(observation, whole)
    usable = [part for part in parts if part.judgement.probabilities is not None and part.weight > 0]
    p = None
    if usable:
        logs = np.log(np.clip([part.judgement.probabilities for part in usable], 1e-6, 1))
        p = np.exp(np.average(logs, axis=0, weights=[part.weight for part in usable]))
        p /= p.sum()
    emotion, reason = decide(observation, p, least, scheme.labels)
    agreeing = [part for part in usable if part.judgement.emotion == emotion] or usable
    strongest = sorted(agreeing, key=lambda part: -part.weight)[:CITED]
    texts = [part.judgement.text for part in sorted(strongest, key=lambda part: part.judgement.start_s)]
    text = " ".join(texts) if texts else _told("", p, emotion, reason, scheme)
    return Judgement(whole.start_s, whole.end_s, p, emotion, reason, person and person.person, text, scheme)


def _told(text: str, p: np.ndarray | None, emotion: str | None, reason: str | None, scheme: LabelSet) -> str:
    """The model's text; what is missing when it abstains; the bare verdict where the model wrote nothing."""
    if emotion is None:
        return f"{'' if p is None else text} No emotion is named: {reason}.".strip()
    return text or f"Taken together this appears as {emotion} (score {p[scheme.labels.index(emotion)]:.2f})."


def _quality(inputs: Sequence[SegmentInput], people: Sequence[str | None], mask: Tensor) -> Tensor:
    """[B, P, T] quality of the frames that count for the verdict: those of its person."""
    out = torch.zeros(mask.shape)
    for b, (given, name) in enumerate(zip(inputs, people, strict=True)):
        if name in given.persons:
            row = given.persons.index(name)
            values = torch.as_tensor(np.nan_to_num(given.quality[row]), dtype=torch.float32)  # [T]
            out[b, row, : len(values)] = values
    return out.to(mask.device) * mask


def _faces(given: SegmentInput, logits: Tensor) -> dict[str, tuple[np.ndarray, Tensor, Tensor]]:
    """Person -> times, logits and quality of the frames in which a face was judged; logits [P, T, K], possibly padded."""
    faces = {}
    for row, name in enumerate(given.persons):
        valid = np.flatnonzero(given.frame_mask[row])
        if len(valid):
            quality = torch.as_tensor(np.nan_to_num(given.quality[row][valid]), dtype=logits.dtype, device=logits.device)
            faces[name] = (given.times_s[row][valid].astype(float), logits[row, valid], quality)
    return faces


def _weight(judgement: Judgement, faces: dict[str, tuple[np.ndarray, Tensor, Tensor]], speech_s: float) -> float:
    """How much was measured x how much was shown."""
    if judgement.probabilities is None:
        return 0.0
    seconds = speech_s
    if judgement.person in faces:
        times, _, quality = faces[judgement.person]
        seconds += affect.seen_s(times) * float(quality.mean())
    length = max(judgement.end_s - judgement.start_s, 1e-3)
    return min(max(seconds, 1e-3), length) * float(affect.at_rest(_neutral(judgement)))


def _neutral(judgement: Judgement) -> float:
    """Probability of the labels that stand for neutral."""
    labels = zip(judgement.scheme.labels, judgement.probabilities, strict=True)
    return sum((float(p) for label, p in labels if judgement.scheme.emotion(label) == "neutral"), 0.0)
