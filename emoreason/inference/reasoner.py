"""EmotionReasoner: the one road from a file to a report, for library, CLI, batch and demo alike."""

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from itertools import islice
from json import dumps
from os import PathLike
from typing import Literal

from emoreason import assets
from emoreason.background import in_background
from emoreason.config import DEFAULT_MODEL, checkpoint_of, model_file
from emoreason.errors import EmoReasonError
from emoreason.inference.early import EarlyVerdicts, OnSegment
from emoreason.inference.judges import Judge, load_judge
from emoreason.inference.judges.composer import ComposerJudge
from emoreason.inference.judges.judge import OnText
from emoreason.media import Clip
from emoreason.perception.observation import Observation
from emoreason.perception.observe import observe
from emoreason.perception.settings import PerceptionSettings, Progress
from emoreason.perception.store import ObservationStore
from emoreason.report.assemble import assemble, explanation
from emoreason.report.emotion_report import EmotionReport
from emoreason.report.judgement import Judged
from emoreason.report.schema import Explanation


@dataclass(frozen=True)
class _Seen:
    """A measured clip. seconds: spent on measuring it now."""

    observation: Observation
    clip: Clip
    seconds: float = 0.0


class EmotionReasoner:
    """Analyses pictures, videos and voices. Build it with `from_pretrained`, or around a judge.

    settings: what is measured, and how. store: where measurements are kept; without one they go with their report.
    """

    def __init__(
        self, judge: Judge | Future[Judge], settings: PerceptionSettings | None = None, store: ObservationStore | None = None
    ):
        self._judge, self.settings = judge, settings or PerceptionSettings()
        self.store = ObservationStore(None) if store is None else store

    @property
    def judge(self) -> Judge:
        """Waits for one that is still being loaded, and raises what went wrong with that."""
        return self._judge.result() if isinstance(self._judge, Future) else self._judge

    @property
    def name(self) -> str:
        return self.judge.name

    @classmethod
    def from_pretrained(
        cls,
        model: str | PathLike = DEFAULT_MODEL,
        settings: PerceptionSettings | None = None,
        cache: bool = True,
        path: Literal["soft", "text"] = "soft",
        server: str | None = None,
        served_model: str | None = None,
        runtime: Literal["onnx", "torch"] | None = None,
        build_graph: bool = False,
        wait: bool = True,
    ) -> "EmotionReasoner":
        """`model`: "tiny" (the weights that the package carries), "composer" (rules, no weights), a checkpoint folder, or a model
        file or its name (untrained, and saying so).

        `cache=False` keeps no observation on disk after the report is gone. `path="text"` gives the model measured evidence
        lines only, no soft tokens. `server`: address (up to /v1) of an OpenAI-compatible server that runs the backbone of that
        model, exported, under the name `served_model` (None = the only one it has); then none of its weights are loaded here.
        `runtime`: what computes the language model. "onnx" runs it as a graph, which is built first where there is none (that of
        the default is built by `emoreason assets pull`); "torch" runs it as it is; when not given, a graph is run where there is
        one, or with `build_graph` can be one. The report says which (`model.runtime`). `wait=False`: the model is loaded while
        the first file is measured, and what goes wrong with it is raised when it is needed.
        Raises ConfigError for an unknown model, AssetError when weights that are needed were not pulled, EnvironmentProblem when
        the server does not answer.
        """
        settings = settings or PerceptionSettings()
        for asset in ("face-landmarker", *(["whisper-base"] if settings.words else [])):
            assets.path(asset)
        store = ObservationStore(assets.home() / "observations" if cache else None)
        if str(model) != ComposerJudge.name and not checkpoint_of(model).is_dir():
            model_file(model)  # a wrong name is said at once
        load = partial(load_judge, model, path, server, served_model, runtime, build_graph)
        return cls(load() if wait else in_background(load), settings, store)

    def __call__(
        self,
        file: str | PathLike | Clip,
        progress: Progress | None = None,
        on_text: OnText | None = None,
        on_segment: OnSegment | None = None,
    ) -> EmotionReport:
        """Analyse one file. `on_segment` hears provisional verdicts while a film is still being read (`EarlyVerdict`), from a
        thread of its own; `on_text(segment, text)` follows the model's writing. Raises MediaError when it cannot be read."""
        started = time.perf_counter()
        clip = file if isinstance(file, Clip) else Clip(file)
        return self._report(self.observe(clip, progress, on_segment), clip, on_text, started)

    def observe(
        self, file: str | PathLike | Clip, progress: Progress | None = None, on_segment: OnSegment | None = None
    ) -> Observation:
        """What can be measured on a file, as the judge sees it (`Judge.refine`). Raises MediaError when it cannot be read."""
        clip = file if isinstance(file, Clip) else Clip(file)
        if on_segment is None or clip.kind == "picture":
            measured = observe(clip, self.settings, self.store, progress)
        else:
            early, end_s = EarlyVerdicts(lambda: self.judge, on_segment), None
            try:
                measured = observe(clip, self.settings, self.store, progress, early.look)
                end_s = clip.source.duration_s
            finally:
                early.close(end_s)
        return self.judge.refine(measured, clip, self.store)

    def report(self, observation: Observation, on_text: OnText | None = None) -> EmotionReport:
        """Of measurements made before, as they are or changed since: a modality left out, other words. Raises MediaError."""
        started, clip = time.perf_counter(), Clip(observation.source.path)
        return self._report(self.judge.refine(observation, clip, self.store), clip, on_text, started)

    def report_many(self, observations: Iterable[Observation]) -> Iterator[EmotionReport | EmoReasonError]:
        """As `report` for each, in order; a model judges the segments of several clips in common batches.

        What cannot be judged, its file having gone, yields its error and costs nothing else.
        """
        waiting = iter(observations)
        while some := list(islice(waiting, self.judge.together)):
            yield from self._reports([self._reopened(one) for one in some])

    def analyze_many(
        self, files: Iterable[str | PathLike | Clip], progress: Progress | None = None
    ) -> Iterator[EmotionReport | EmoReasonError]:
        """One result per file, in order; a file that cannot be read yields its error and costs nothing else.

        The composer gives each as it is ready, a model those of a few clips at a time, which it judges together.
        """
        waiting = iter(files)
        while some := list(islice(waiting, self.judge.together)):
            yield from self._reports([self._observed(file, progress) for file in some])

    def _observed(self, file: str | PathLike | Clip, progress: Progress | None) -> _Seen | EmoReasonError:
        started = time.perf_counter()
        try:
            clip = file if isinstance(file, Clip) else Clip(file)
            observation = self.observe(clip, progress)
        except EmoReasonError as error:
            return error
        return _Seen(observation, clip, time.perf_counter() - started)

    def _reports(self, found: Sequence[_Seen | EmoReasonError]) -> list[EmotionReport | EmoReasonError]:
        """Errors stay as they are. Clips that cannot be judged together are judged one by one, to see which is the reason."""
        started = time.perf_counter()
        good = [one for one in found if isinstance(one, _Seen)]
        try:
            judged = self.judge.judge([(one.observation, one.clip) for one in good])
        except EmoReasonError as error:
            return [error] if len(found) == 1 else [self._reports([one])[0] for one in found]
        share = (time.perf_counter() - started) / max(len(good), 1)  # of the time that the clips took together
        told = zip(good, judged, strict=True)
        reports = iter([self._assembled(one.observation, said, share, one.seconds + share) for one, said in told])
        return [next(reports) if isinstance(one, _Seen) else one for one in found]

    def _report(self, observation: Observation, clip: Clip, on_text: OnText | None, started: float) -> EmotionReport:
        thinking = time.perf_counter()
        (judged,) = self.judge.judge([(observation, clip)], on_text)
        done = time.perf_counter()
        return self._assembled(observation, judged, done - thinking, done - started)

    def _assembled(self, observation: Observation, judged: Judged, model_s: float, total_s: float) -> EmotionReport:
        timings = {**observation.timings_s, "model": model_s, "total": total_s}
        info = self.judge.info(dumps(self.settings.to_dict(), sort_keys=True))
        return assemble(observation, judged, info, timings)

    def ask(self, report: EmotionReport, question: str, on_text: OnText | None = None) -> Explanation:
        """A question about an analysed file, such as "Why not fear?"; every claim of the answer is checked.

        It is about the surest segment of the clip's verdict. Raises ConfigError where no model is loaded, ValueError for an
        empty question or a report without measurements, MediaError when the file cannot be read any more.
        """
        if not question.strip():
            raise ValueError("the question is empty")
        observation, clip = report.observation, Clip(report.source.path)
        agreeing = [part for part in report.segments if part.verdict.label == report.verdict.label] or report.segments
        segment = max(agreeing, key=lambda part: part.verdict.confidence or 0.0)
        text = self.judge.answer((observation, clip), segment, question, on_text) or "The model gave no answer."
        return explanation(text, observation, self.name, segment.start_s, segment.end_s)

    def _reopened(self, observation: Observation) -> _Seen | EmoReasonError:
        try:
            clip = Clip(observation.source.path)
            return _Seen(self.judge.refine(observation, clip, self.store), clip)
        except EmoReasonError as error:
            return error
