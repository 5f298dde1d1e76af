"""The model as a judge: segments of an Observation through processor and model to what `report.assemble` takes.

Letters: B segments of a batch, K labels.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from itertools import count, islice
from typing import Any, Literal, get_args

import numpy as np
from scipy.special import expit

from emoreason import __version__
from emoreason.errors import ConfigError
from emoreason.inference.judges.judge import Measured, OnText
from emoreason.inference.judges.parts import (
    FACE_HEAD,
    VOICE_HEAD,
    Part,
    calibrated,
    clip_judgement,
    frame_probabilities,
    part,
    person_probabilities,
    plain_text,
    voice_probabilities,
)
from emoreason.instructions.corrections import corrected
from emoreason.labels.emotions import EMOTIONS, canonical
from emoreason.labels.label_set import LabelSet
from emoreason.media import Clip
from emoreason.model import explanation
from emoreason.model.engines import Engine
from emoreason.model.head_spec import UNITS_HEAD
from emoreason.model.interface import to_json
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.prompt import WHY, answer_text, emotion_question, sanitize
from emoreason.model.refining import refine
from emoreason.model.segment_input import Modality, SegmentInput, of_looks
from emoreason.model.verdict import VerdictSettings, judge_segments
from emoreason.perception.cues import cues as measured_cues
from emoreason.perception.looks import Look
from emoreason.perception.observation import Cue, Observation
from emoreason.perception.segments import Segment, segments
from emoreason.perception.store import ObservationStore
from emoreason.report.judgement import Judged, Judgement, nothing_measured
from emoreason.report.schema import ModelInfo, Runtime, SegmentReport
from emoreason.scoring.decision import decide

EvidencePath = Literal["soft", "text"]
Change = Callable[[SegmentInput], SegmentInput | None]  # None: this input has nothing to be changed
BATCH = 16  # segments at a time at most: more gain little
WINDOW = 4  # batches' worth of segments are cut ahead, so that those of like length meet in one batch
REMEMBERED = 32  # segments whose faces are kept, about a megabyte each
SCENES = 1  # pictures per segment, for a backbone that sees
TURN = 64  # tokens kept free for the answer that is settled on and the question after it
UNTRAINED = "the model is untrained (encoders, connectors, heads): its verdicts and texts mean nothing yet"


@dataclass(frozen=True)
class Asked:
    """A segment to be judged. number: its place among all segments of all clips."""

    number: int
    observation: Observation
    span: Segment
    given: SegmentInput


class ModelJudge:
    """`Judge` by a model. `path`: "soft" = soft tokens and evidence lines, "text" = evidence lines alone. `weights_sha256` is
    None for a model without a checkpoint. Threads may share a judge: its engine serves one after the other."""

    writes = True
    together = 16
    left_out: tuple[str, ...] = ()

    def __init__(
        self,
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
        unknown = [label for label in self.config.labels if label not in EMOTIONS]
        if self.label_set.canonical and unknown:
            raise ConfigError(f"model '{name}': label '{unknown[0]}' is none of {', '.join(EMOTIONS)}; name the scheme it is of")
        self.processor, self.engine = processor, engine
        self.name, self.path, self.weights_sha256, self.revision = name, path, weights_sha256, revision
        self.settings = VerdictSettings(**(self.config.verdict or {}))
        self.change: Change | None = None
        self._cut: OrderedDict[tuple, SegmentInput] = OrderedDict()
        self._cutting = threading.Lock()

    @property
    def scenes(self) -> int:
        return SCENES if self.processor.pictures is not None and self.path == "soft" else 0

    @property
    def languages(self) -> tuple[str, ...]:
        return self.processor.languages

    def info(self, settings: str = "") -> ModelInfo:
        config = sha256((settings + to_json(self.config)).encode()).hexdigest()[:16]
        return ModelInfo(
            name=self.name,
            revision=self.revision,
            weights_sha256=self.weights_sha256,
            config=config,
            path=self.path,
            runtime=Runtime(**asdict(self.engine.runtime)),
        )

    # copies: weights, engine and its turns are shared

    def with_settings(self, **changes: Any) -> "ModelJudge":
        """A copy whose verdicts are made with other `VerdictSettings`."""
        other = copy(self)
        other.settings = replace(self.settings, **changes)
        return other

    def changed(self, change: Change) -> "ModelJudge":
        """`change` comes after what an earlier one did."""
        other = copy(self)
        other.change = change if self.change is None else _in_turn(self.change, change)
        return other

    def on_text_alone(self) -> "ModelJudge | None":
        if self.path == "text":
            return None
        other = copy(self)
        other.path = "text"
        return other

    def without(self, part: str) -> "ModelJudge":
        if part not in get_args(Modality):
            raise ConfigError(f"a prompt has no part '{part}'; known: {', '.join(get_args(Modality))}")
        other = self.changed(lambda given: given.without(part))
        other.name, other.left_out = f"{self.name} without {part}", (*self.left_out, part)
        return other

    # what it is shown

    def refine(self, observation: Observation, clip: Clip, store: ObservationStore | None = None) -> Observation:
        """Text evidence is what was measured: on that path nothing is refined, nor by an untrained head."""
        if self.path == "text" or not self.config.trained:
            return observation if observation.refinement is None else replace(observation, refinement=None)
        by = self.weights_sha256
        if by is not None and observation.refinement is not None and observation.refinement.by == by:
            return observation
        kept = store.refined(observation, by) if store is not None and by is not None else None
        if kept is not None:
            return kept
        refined = refine(self.engine, self.processor, observation, clip, by, self._faces)
        if store is not None:
            store.keep_refinement(refined)
        return refined

    def prepare(
        self, observation: Observation, segment: Segment, clip: Clip, question: str, cues: Sequence[Cue] | None = None
    ) -> SegmentInput:
        faces = self._faces(observation, segment, clip)
        given = self.processor.prepare(observation, segment, clip, question, self.scenes, cues, faces)
        changed = None if self.change is None else self.change(given)
        return given if changed is None else changed

    def _faces(self, observation: Observation, segment: Segment, clip: Clip) -> SegmentInput:
        """Cut from the film, or remembered: refining needs those that the verdict needs."""
        rows = tuple((person.person, len(person.times_s)) for person in observation.people)
        settings = tuple(sorted(observation.settings.items()))
        key = (observation.source.sha256, settings, segment.start_s, segment.end_s, rows)
        found = self._cut.get(key)
        if found is None:
            found = self.processor.prepare_faces(observation, segment, clip)
            with self._cutting:
                self._cut[key] = found
                while len(self._cut) > REMEMBERED:
                    self._cut.popitem(last=False)
        return found

    def control_tokens(self, given: SegmentInput) -> tuple[int, ...]:
        ids = self.processor([given], soft=self.path == "soft", return_tensors="np")["input_ids"][0].tolist()
        special = {token for token, known in self.processor.tokenizer.added_tokens_decoder.items() if known.special}
        return tuple(token for token in ids if token in special)

    # verdicts

    def judge(self, measured: Sequence[Measured], on_text: OnText | None = None, explain: bool = True) -> list[Judged]:
        """Segments of all clips in common batches. `on_text` gets the number of the segment within all clips."""
        parts: dict[int, Part] = {}
        owners = [owner for owner, (observation, _) in enumerate(measured) for _ in segments(observation)]
        waiting = self._asked(measured)
        most_tokens = self.settings.most_tokens if explain else 0
        while window := list(islice(waiting, BATCH * WINDOW)):
            for some in self._batches(window, most_tokens):
                with self.engine.turn:
                    judged = self._judge(some, most_tokens, on_text)
                for asked, one in zip(some, judged, strict=True):
                    parts[asked.number] = one
        of_clips: list[list[Part]] = [[] for _ in measured]
        for number, owner in enumerate(owners):
            of_clips[owner].append(parts[number])
        return [self._judged(observation, some) for (observation, _), some in zip(measured, of_clips, strict=True)]

    def _asked(self, measured: Sequence[Measured]) -> Iterator[Asked]:
        """Segments of all clips in order, each cut when it is asked for."""
        question, number = emotion_question(self.config.labels), count()
        for observation, clip in measured:
            cues = measured_cues(observation)
            for span in segments(observation):
                yield Asked(next(number), observation, span, self.prepare(observation, span, clip, question, cues))

    def _batches(self, window: Sequence[Asked], most_tokens: int) -> Iterator[list[Asked]]:
        """Segments of like length, as many at a time as may be."""
        lengths = {asked.number: self._length(asked.given) for asked in window}
        some: list[Asked] = []
        for asked in sorted(window, key=lambda asked: (lengths[asked.number], asked.number)):
            longest = lengths[asked.number] + TURN + most_tokens
            if some and len(some) >= min(BATCH, self.engine.cached_tokens // longest):
                yield some
                some = []
            some.append(asked)
        yield some

    def _length(self, given: SegmentInput) -> int:
        """Tokens of the text: what a batch is padded to."""
        return len(self.processor.tokenizer(self.processor.text(given, self.path == "soft"))["input_ids"])

    def _judge(self, asked: Sequence[Asked], most_tokens: int, on_text: OnText | None) -> list[Part]:
        """One batch of segments, of any clips."""
        inputs, soft = [one.given for one in asked], self.path == "soft"
        told = judge_segments(self.engine, self.processor, inputs, self.settings, soft=soft, room=TURN + most_tokens)
        asked_why = [
            self.processor.next_turn(given, answer_text("", "", label), WHY, soft)
            for given, label in zip(inputs, told.labels, strict=True)
        ]
        follow = on_text and (lambda row, text: on_text(asked[row].number, text))
        labels = self.label_set.labels
        texts = explanation.explain(self.engine, told.prompt, asked_why, told.labels, labels, most_tokens, follow)
        parts = []
        for b, one in enumerate(asked):
            p, label = told.probabilities[b], told.labels[b]
            reason = nothing_measured(one.observation) if p is None else told.reasons[b]
            text = corrected(texts[b].explanation, one.given.evidence)
            text = explanation.concluded(text, label, labels)  # again: an endless quotation takes the conclusion with it
            judgement = Judgement(one.span.start_s, one.span.end_s, p, label, reason, one.given.main, "", self.label_set)
            judgement = replace(judgement, text=plain_text(text, judgement))
            heads = {name: logits[b] for name, logits in told.prompt.heads.items()}
            parts.append(part(judgement, one.given, heads))
        return parts

    def _judged(self, observation: Observation, parts: Sequence[Part]) -> Judged:
        face, voice = self.engine.heads.get(FACE_HEAD), self.engine.heads.get(VOICE_HEAD)
        frames = {person.person: frame_probabilities(face, person, parts) for person in observation.people}
        judgements, least = [part.judgement for part in parts], self.settings.least_confidence
        return Judged(
            clip=judgements[0] if len(parts) == 1 else clip_judgement(observation, parts, self.label_set, least),
            segments=judgements,
            frames={name: values for name, values in frames.items() if values is not None},
            people={person.person: person_probabilities(face, person.person, parts) for person in observation.people},
            voice=voice_probabilities(voice, parts),
            generator=self.name,
            notes=[] if self.config.trained else [UNTRAINED],
            least_confidence=least,
        )

    def glance(self, looks: Sequence[Look]) -> tuple[str | None, dict[str, float]] | None:
        head = self.engine.heads.get(FACE_HEAD)
        if head is None or not self.config.trained:
            return None
        given = of_looks(looks, self.config.face_config)
        logits = self.engine.perceive(self.processor([given], return_tensors="np"))[FACE_HEAD][0, 0]  # [T, K]
        p = calibrated(head, logits.mean(0))
        return decide(p, EMOTIONS, self.settings.least_confidence)[0], dict(zip(EMOTIONS, p.tolist(), strict=True))

    def units(self, spans: Sequence[tuple[Observation, Segment, Clip]]) -> list[Mapping[str, Mapping[str, float]]] | None:
        if UNITS_HEAD not in self.engine.heads:
            return None
        labels = self.engine.heads[UNITS_HEAD].spec.labels
        inputs = [self.prepare(*span, "") for span in spans]
        logits = self.engine.perceive(self.processor(inputs, return_tensors="np")).get(UNITS_HEAD)
        if logits is None:
            return [{} for _ in spans]
        chances = expit(logits)  # [B, P, T, K]
        return [_largest(labels, chances[b], given) for b, given in enumerate(inputs)]

    # questions

    def choose(self, inputs: Sequence[SegmentInput], labels: Sequence[str]) -> list[dict[str, float]]:
        asked = LabelSet("asked", tuple(labels), {label: canonical(label) for label in labels})
        with self.engine.turn:
            told = judge_segments(self.engine, self.processor, inputs, self.settings, asked, self.path == "soft")
        return [dict(zip(labels, row, strict=True)) for row in np.exp(told.log_p.astype(float)).tolist()]

    def reply(self, inputs: Sequence[SegmentInput], most_tokens: int) -> list[str]:
        with self.engine.turn:
            batch = self.processor(inputs, soft=self.path == "soft", room=most_tokens, return_tensors="np")
            prompt = self.engine.read(batch)
            return [text.strip() for text in self.engine.write(prompt, most_tokens, until_answer=False)]

    def answer(self, measured: Measured, told: SegmentReport, question: str, on_text: OnText | None = None) -> str:
        """As the next turn of the conversation in which the segment's verdict and explanation were given."""
        observation, clip = measured
        given = self.prepare(observation, Segment(told.start_s, told.end_s), clip, sanitize(question))
        verdict_turn = (emotion_question(self.config.labels), answer_text("", "", told.verdict.label))
        given = replace(given, turns=(verdict_turn, (WHY, sanitize(told.explanation.text))))
        batch = self.processor([given], soft=self.path == "soft", room=self.settings.most_tokens, return_tensors="np")
        with self.engine.turn:
            written = self.engine.write(self.engine.read(batch), self.settings.most_tokens, on_text=on_text)[0]
        return corrected(explanation.finished(written), given.evidence)

    def read(self, text: str) -> None:
        raise ConfigError(f"'{self.name}' judges words in writing: `choose` among labels instead")


def _in_turn(first: Change, second: Change) -> Change:
    def change(given: SegmentInput) -> SegmentInput | None:
        changed = first(given)
        again = second(given if changed is None else changed)
        return changed if again is None else again

    return change


def _largest(labels: Sequence[str], chances: np.ndarray, given: SegmentInput) -> dict[str, dict[str, float]]:
    """chances [P, T, K], possibly padded."""
    found = {}
    for row, name in enumerate(given.persons):
        frames = np.flatnonzero(given.frame_mask[row])
        if len(frames):
            found[name] = dict(zip(labels, chances[row, frames].max(axis=0).tolist(), strict=True))
    return found
