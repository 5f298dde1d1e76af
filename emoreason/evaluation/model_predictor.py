"""Any model that `EmotionReasoner` loads, as a judge under test.

Of media the verdict is the product's own (`ModelJudge`: label scores fused with the heads, per segment, then per clip); where no
text is wanted none is written. Questions are asked as in training: one turn, the whole reply read as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from emoreason.errors import ConfigError
from emoreason.evaluation.predictors import Question
from emoreason.evaluation.results import digest
from emoreason.evaluation.shown import Shown
from emoreason.inference.model_judge import ModelJudge
from emoreason.instructions.conversation import said_in, segment_of
from emoreason.labels.emotions import canonical
from emoreason.labels.label_set import LabelSet
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.model import verdict
from emoreason.model.config import UTTERANCE_HEAD, FaceConfig
from emoreason.model.engines import Prompt
from emoreason.model.fusion import fuse
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.segment_input import Modality, SegmentInput
from emoreason.perception.people import main_person
from emoreason.report.judgement import Judged
from emoreason.report.schema import Verdict

MOST_TOKENS = 160  # of a written answer, its fields included
UNITS_HEAD = "action_units"


class Intervening:
    """A processor that hands on what another one prepares, changed. Everything else is the other one's."""

    def __init__(self, inner: EmoReasonProcessor, change: Callable[[SegmentInput], SegmentInput | None]):
        self.inner, self.change, self.applied = inner, change, False

    def prepare(self, *arguments: Any, **named: Any) -> SegmentInput:
        given = self.inner.prepare(*arguments, **named)
        changed = self.change(given)
        self.applied |= changed is not None
        return given if changed is None else changed

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.inner(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class ModelPredictor:
    """`judge`: as `inference.loading` makes it, local or served."""

    writes, batch = True, 8

    def __init__(self, judge: ModelJudge, left_out: tuple[str, ...] = ()):
        self.name, self.explained, self.left_out = judge.name, judge, left_out
        self.label_set = judge.label_set
        self.verdicts = copy(judge)
        self.verdicts.settings = replace(judge.settings, most_tokens=0)

    @classmethod
    def load(cls, model: str) -> "ModelPredictor":
        """Raises ConfigError for an unknown model, AssetError when a pinned weight was not pulled."""
        from emoreason.inference.loading import load_judge

        return cls(load_judge(model))

    @property
    def identity(self) -> dict[str, Any]:
        judge = self.explained
        config = digest(judge.processor.config.to_json_string())
        weights = {"weights_sha256": judge.weights_sha256, "config": config, "path": judge.path}
        return {"name": self.name, "revision": judge.revision} | weights

    def without(self, part: str) -> "ModelPredictor":
        """To run a whole suite so and compare: what explanations lose without the evidence lines was copied. Its name says so, so
        that results are not mixed. Raises ConfigError for a part that prompts do not have."""
        if part not in get_args(Modality):
            raise ConfigError(f"a prompt has no part '{part}'; known: {', '.join(get_args(Modality))}")
        judge = copy(self.explained)
        judge.processor = Intervening(judge.processor, lambda own: own.without(part))
        judge.name = f"{judge.name} without {part}"
        return ModelPredictor(judge, (*self.left_out, part))

    def judge(self, shown: Sequence[Shown], explain: bool) -> list[Judged]:
        judge = self.explained if explain else self.verdicts
        return judge.many([(one.observation, one.clip) for one in shown])

    @torch.no_grad()
    def units(self, shown: Sequence[Shown]) -> list[dict[str, float] | None] | None:
        """The largest probability over the frames of the record's person, else of the main one."""
        model, processor = self.explained.model, self.explained.processor
        if model is None or UNITS_HEAD not in model.heads:
            return None
        given = [self._input(Question(one, "")) for one in shown]
        face = processor(given)["face"]
        if face is None:
            return [None] * len(shown)
        seen, _ = model.encode(face.to(model.device), None)
        chances = model.head_logits(seen, None)[UNITS_HEAD].sigmoid().cpu().numpy()  # [B, P, T, K]
        labels = model.heads[UNITS_HEAD].spec.labels
        return [_largest(labels, chances[b], one, own) for b, (one, own) in enumerate(zip(shown, given, strict=True))]

    def read(self, text: str) -> Verdict:
        raise ConfigError(f"'{self.name}' judges words in writing: `choose` among labels instead")

    @torch.no_grad()
    def choose(self, questions: Sequence[Question]) -> list[dict[str, float]]:
        """p(label) right after the prompt, normalised over each question's labels; for labels that stand for emotions with
        what the head on utterances says of the words. All questions share their set of labels."""
        labels = questions[0].labels
        if any(set(question.labels) != set(labels) for question in questions):
            raise ValueError("questions of one batch must offer the same labels")
        batch, prompt = self._prompt(questions, room=0)
        scores = verdict.label_scores(self.explained.engine, prompt, labels)  # [B, K]
        if (logits := prompt.heads.get(UTTERANCE_HEAD.name)) is not None:
            scores = self._with_words(scores, logits, verdict.present_in(batch), labels)
        return [dict(zip(labels, row, strict=True)) for row in scores.exp().double().cpu().tolist()]

    def _with_words(self, scores: Tensor, logits: Tensor, present: Mapping[str, Tensor], labels: Sequence[str]) -> Tensor:
        """[B, K] log p, fused as in a verdict."""
        judge = self.explained
        settings = replace(judge.settings, log_prior=None)  # which is of the verdict's labels
        asked = LabelSet("asked", tuple(labels), {label: canonical(label) for label in labels})
        told = {UTTERANCE_HEAD.name: logits}
        heads = verdict.head_sources(judge.heads, told, None, present, settings.weights, asked)
        return fuse([verdict.language_source(scores, labels, settings), *heads], labels) if heads else scores

    @torch.no_grad()
    def reply(self, questions: Sequence[Question]) -> list[str]:
        _, prompt = self._prompt(questions, room=MOST_TOKENS)
        return [text.strip() for text in self.explained.engine.write(prompt, MOST_TOKENS, until_answer=False)]

    def _prompt(self, questions: Sequence[Question], room: int) -> tuple[dict[str, Any], Prompt]:
        judge = self.explained
        batch = judge.processor([self._input(question) for question in questions], soft=judge.path == "soft", room=room)
        return batch, judge.engine.read(batch)

    def _input(self, question: Question) -> SegmentInput:
        judge, shown = self.explained, question.shown
        if shown.observation is None:
            config = judge.processor.config
            words = said_in(shown.record, (config.words or {}).get("languages", ()))
            return words_input(question.text, config.face_config, words)
        segment = segment_of(shown.record, shown.observation)
        return judge.processor.prepare(shown.observation, segment, shown.clip, question.text, judge.scenes)


def _largest(labels: Sequence[str], chances: np.ndarray, shown: Shown, given: SegmentInput) -> dict[str, float] | None:
    """chances [P, T, K], possibly padded."""
    main = main_person(shown.observation, segment_of(shown.record, shown.observation))
    name = shown.record.person or (main and main.person)
    if name not in given.persons:
        return None
    row = given.persons.index(name)
    frames = np.flatnonzero(given.frame_mask[row])
    return dict(zip(labels, chances[row, frames].max(axis=0).tolist(), strict=True)) if len(frames) else None


def words_input(question: str, face: FaceConfig, words: tuple[str, ...] = ()) -> SegmentInput:
    """Nobody seen, nobody heard, nothing measured: the question holds the words, `words` are those of the head on utterances."""
    lead, side = (0, 0), face.image_size
    return SegmentInput(
        question=question,
        persons=(),
        evidence=(),
        crops=np.zeros((*lead, 3, side, side), np.uint8),
        landmarks=np.zeros((*lead, 478, 3), np.float32),
        blendshapes=np.zeros((*lead, 52), np.float32),
        pose=np.zeros((*lead, 3), np.float32),
        gaze=np.zeros((*lead, 2), np.float32),
        times_s=np.zeros(lead, np.float32),
        frame_mask=np.zeros(lead, bool),
        mesh_mask=np.zeros(lead, bool),
        quality=np.zeros(lead, np.float32),
        mel=None,
        prosody=np.full(len(VOICE_CUES), np.nan, np.float32),
        words=words,
    )
