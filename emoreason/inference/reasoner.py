"""EmotionReasoner: the one road from a file to a report, for library, CLI, batch and demo alike."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from hashlib import sha256
from json import dumps
from os import PathLike

from emoreason import __version__, assets
from emoreason.errors import ConfigError, EmoReasonError
from emoreason.media import Clip
from emoreason.perception.observation import Observation
from emoreason.perception.observe import observe
from emoreason.perception.settings import PerceptionSettings, Progress
from emoreason.perception.store import ObservationStore
from emoreason.report import composer
from emoreason.report.assemble import assemble
from emoreason.report.judgement import Judged
from emoreason.report.schema import EmotionReport, ModelInfo

MODELS: dict[str, Callable[[Observation], Judged]] = {composer.NAME: composer.judge}


class EmotionReasoner:
    """Analyses pictures, videos and voices. Build it with `from_pretrained`."""

    def __init__(self, name: str, judge: Callable[[Observation], Judged], settings: PerceptionSettings, store: ObservationStore):
        self.name, self.judge, self.settings, self.store = name, judge, settings, store

    @classmethod
    def from_pretrained(
        cls, model: str = composer.NAME, settings: PerceptionSettings | None = None, cache: bool = True
    ) -> "EmotionReasoner":
        """`cache=False` keeps no observation on disk after the report is gone.

        Raises ConfigError for an unknown model and AssetError when the weights that perception needs were not pulled.
        """
        if model not in MODELS:
            raise ConfigError(f"unknown model '{model}': this version has {', '.join(MODELS)}")
        settings = settings or PerceptionSettings()
        for asset in ("face-landmarker", *(["whisper-base"] if settings.words else [])):
            assets.path(asset)
        return cls(model, MODELS[model], settings, ObservationStore(assets.home() / "observations" if cache else None))

    def __call__(self, file: str | PathLike | Clip, progress: Progress | None = None) -> EmotionReport:
        """Analyse one file. Raises MediaError when it cannot be read."""
        started = time.perf_counter()
        clip = file if isinstance(file, Clip) else Clip(file)
        observation = observe(clip, self.settings, self.store, progress)
        thinking = time.perf_counter()
        judged = self.judge(observation)
        done = time.perf_counter()
        timings = {**observation.timings_s, "model": done - thinking, "total": done - started}
        return assemble(observation, judged, self._info(), timings)

    def analyze_many(
        self, files: Iterable[str | PathLike | Clip], progress: Progress | None = None
    ) -> Iterator[EmotionReport | EmoReasonError]:
        """One result per file, in order, as it is ready; a file that cannot be read yields its error and costs nothing else."""
        for file in files:
            try:
                yield self(file, progress)
            except EmoReasonError as error:
                yield error

    def _info(self) -> ModelInfo:
        settings = dumps(asdict(self.settings), sort_keys=True)
        return ModelInfo(name=self.name, revision=__version__, config=sha256(settings.encode()).hexdigest()[:16])
