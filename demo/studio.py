"""What the page can have done: analyse, ask, compare. Models are loaded once; nothing is kept on disk but the session's files."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from emoreason.background import in_background
from emoreason.errors import ConfigError
from emoreason.media import Clip
from emoreason.perception.observation import Observation, Words, WordSegment
from emoreason.perception.settings import PerceptionSettings
from emoreason.report.emotion_report import EmotionReport
from emoreason.report.schema import Explanation

if TYPE_CHECKING:
    from emoreason import EmotionReasoner  # imported when the first model is loaded: the page opens a second sooner
    from emoreason.inference.judges import Judge

MODALITIES = ("face", "voice", "words")
TYPED_LANGUAGE = "und"  # ISO 639-2 for "undetermined": a typed transcript does not say


@dataclass(frozen=True)
class Choices:
    """What a visitor chose. transcript: typed words that replace those heard; `modalities` are those that count."""

    model: str
    modalities: tuple[str, ...] = MODALITIES
    language: str | None = None
    transcript: str = ""
    fps: float = 12.0


class Studio:
    """models: name shown -> what EmotionReasoner.from_pretrained takes. longest_s: of a clip, in seconds."""

    def __init__(self, models: dict[str, str], longest_s: float):
        self.models, self.longest_s = models, longest_s
        self._loaded: dict[str, EmotionReasoner] = {}
        self._loading = threading.Lock()

    def analyse(self, file: str, choices: Choices, progress: Callable, on_text: Callable, on_segment: Callable) -> EmotionReport:
        """Raises MediaError, ConfigError."""
        from emoreason.inference.reasoner import EmotionReasoner

        clip = Clip(file)
        if clip.duration_s > self.longest_s:
            raise ConfigError(f"the clip lasts {clip.duration_s / 60:.1f} minutes, this page takes {self.longest_s / 60:.0f}")
        settings = PerceptionSettings(
            fps=choices.fps,
            voice="voice" in choices.modalities or "words" in choices.modalities,
            words="words" in choices.modalities and not choices.transcript.strip(),
            language=choices.language or None,
        )
        loaded = self.warm(choices.model)  # while faces are measured
        observation = EmotionReasoner(loaded, settings).observe(
            clip, progress, on_segment if "face" in choices.modalities else None
        )
        progress("explanation", 0.0, None)
        return self.reasoner(choices.model).report(_chosen(observation, choices), on_text)

    def again(self, report: EmotionReport, choices: Choices, progress: Callable, on_text: Callable, *_) -> EmotionReport:
        """The same measurements, seen by another model or without some of them."""
        progress("explanation", 0.0, None)
        return self.reasoner(choices.model).report(_chosen(report.observation, choices), on_text)

    def ask(self, report: EmotionReport, model: str, question: str, progress: Callable, on_text: Callable, *_) -> Explanation:
        """Raises ConfigError when the model answers no questions, ValueError for an empty one."""
        progress("explanation", 0.0, None)
        return self.reasoner(model).ask(report, question, on_text)

    def warm(self, model: str | None = None) -> "Future[Judge]":
        """Begin to load a model, the first one when not given. Raises ConfigError for an unknown one."""
        chosen = self._known(next(iter(self.models)) if model is None else model)
        return in_background(lambda: self.reasoner(chosen).judge)

    def reasoner(self, model: str) -> "EmotionReasoner":
        from emoreason import EmotionReasoner

        with self._loading:
            if self._known(model) not in self._loaded:
                self._loaded[model] = EmotionReasoner.from_pretrained(self.models[model], cache=False)
            return self._loaded[model]

    def _known(self, model: str) -> str:
        if model not in self.models:
            raise ConfigError(f"no model '{model}' here; choose one of {', '.join(self.models)}")
        return model


def _chosen(observation: Observation, choices: Choices) -> Observation:
    """With typed words in the place of heard ones, and without what does not count."""
    if choices.transcript.strip():
        observation = _told(observation, " ".join(choices.transcript.split()))
    return observation.without(*(name for name in MODALITIES if name not in choices.modalities))


def _told(observation: Observation, text: str) -> Observation:
    """Typed words are said from the first speech to the last, or all the time where none was heard."""
    spans = observation.voice.spans if observation.voice else ()
    start_s, end_s = (spans[0][0], spans[-1][1]) if spans else (0.0, observation.source.duration_s)
    return replace(observation, words=Words(TYPED_LANGUAGE, 1.0, (WordSegment(start_s, end_s, text),)))


def sample_clip() -> Path:
    """The pinned sample. Raises AssetError when it was not pulled."""
    from emoreason import assets

    return next(path for path in sorted(assets.path("sample-clip").iterdir()) if path.suffix == ".mp4")
