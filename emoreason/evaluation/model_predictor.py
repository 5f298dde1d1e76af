"""Any model that `EmotionReasoner` loads, as a judge under test.

Of media the verdict is the product's own (`ModelJudge`: label scores fused with the heads, per segment, then per clip); where no
text is wanted only one token of it is written. Questions are asked as in training: one turn, the whole reply read as it is.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from emoreason.errors import ConfigError
from emoreason.evaluation.predictors import Question
from emoreason.evaluation.results import digest
from emoreason.evaluation.shown import Shown
from emoreason.inference.model_judge import ModelJudge
from emoreason.instructions.conversation import segment_of
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.model import verdict
from emoreason.model.config import FaceConfig
from emoreason.model.segment_input import SegmentInput
from emoreason.report.judgement import Judged
from emoreason.report.schema import Verdict

MOST_TOKENS = 160  # of a written answer, its fields included


class ModelPredictor:
    """`judge`: as `inference.loading` makes it, local or served."""

    writes, batch = True, 8

    def __init__(self, judge: ModelJudge):
        self.name, self.explained = judge.name, judge
        self.verdicts = copy(judge)
        self.verdicts.settings = replace(judge.settings, most_tokens=1)

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

    def judge(self, shown: Shown, explain: bool) -> Judged:
        return (self.explained if explain else self.verdicts)(shown.observation, shown.clip)

    def read(self, text: str) -> Verdict:
        raise ConfigError(f"'{self.name}' judges words in writing: `choose` among labels instead")

    @torch.no_grad()
    def choose(self, questions: Sequence[Question]) -> list[dict[str, float]]:
        """p(label) right after the prompt, normalised over each question's labels. All questions share their set of labels."""
        labels = questions[0].labels
        if any(set(question.labels) != set(labels) for question in questions):
            raise ValueError("questions of one batch must offer the same labels")
        scores = verdict.label_scores(self.explained.engine, self._prompt(questions, room=0), labels)  # [B, K]
        return [dict(zip(labels, row, strict=True)) for row in scores.exp().double().cpu().tolist()]

    @torch.no_grad()
    def reply(self, questions: Sequence[Question]) -> list[str]:
        prompt = self._prompt(questions, room=MOST_TOKENS)
        return [text.strip() for text in self.explained.engine.write(prompt, MOST_TOKENS, until_answer=False)]

    def _prompt(self, questions: Sequence[Question], room: int):
        judge = self.explained
        batch = judge.processor([self._input(question) for question in questions], soft=judge.path == "soft", room=room)
        return judge.engine.read(batch)

    def _input(self, question: Question) -> SegmentInput:
        judge, shown = self.explained, question.shown
        if shown.observation is None:
            return words_input(question.text, judge.processor.config.face_config)
        segment = segment_of(shown.record, shown.observation)
        return judge.processor.prepare(shown.observation, segment, shown.clip, question.text, judge.scenes)


def words_input(question: str, face: FaceConfig) -> SegmentInput:
    """Nobody seen, nobody heard, nothing measured: the question holds the words."""
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
    )
