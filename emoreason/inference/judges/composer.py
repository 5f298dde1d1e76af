"""The composer as a judge: rules, no weights. It answers by its verdict alone and refines nothing."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import NoReturn

from emoreason import __version__
from emoreason.errors import ConfigError
from emoreason.inference.judges.judge import Measured, OnText
from emoreason.labels.label_set import EMOTION_SET
from emoreason.media import Clip
from emoreason.perception.observation import Observation
from emoreason.perception.store import ObservationStore
from emoreason.report import affect, composer
from emoreason.report.judgement import Judged, Judgement
from emoreason.report.schema import ModelInfo, Verdict
from emoreason.scoring.decision import decide


class ComposerJudge:
    """`Judge` without weights."""

    name = composer.NAME
    label_set = EMOTION_SET
    writes = False
    together = 1  # each clip as soon as it is measured
    left_out: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()

    def info(self, settings: str = "") -> ModelInfo:
        return ModelInfo(name=self.name, revision=__version__, config=sha256(settings.encode()).hexdigest()[:16])

    def refine(self, observation: Observation, clip: Clip, store: ObservationStore | None = None) -> Observation:
        return observation if observation.refinement is None else replace(observation, refinement=None)

    def judge(self, measured: Sequence[Measured], on_text: OnText | None = None, explain: bool = True) -> list[Judged]:
        return [composer.judge(observation) for observation, _ in measured]

    def glance(self, looks: object) -> None:
        return None

    def units(self, spans: object) -> None:
        return None

    def read(self, text: str) -> Verdict:
        """By the list of emotion words, where the text has any of them; else nothing is said, least of all "neutral"."""
        found = affect.words_affect(text)
        p = None if found is None else affect.fuse({"words": found})
        emotion, reason = (None, "no listed word shows an emotion") if p is None else decide(p, self.label_set.labels)
        return Judgement(0.0, 0.0, p, emotion, reason, None, "").verdict()

    def without(self, part: str) -> NoReturn:
        raise ConfigError(f"'{self.name}' reads no prompt, so there is no {part} to leave out; name a model")

    def _mute(self, *_: object, **__: object) -> NoReturn:
        raise ConfigError(f"'{self.name}' composes verdicts and cannot answer questions: load a model, such as 'tiny'")

    prepare = control_tokens = changed = on_text_alone = choose = reply = answer = _mute
