"""Judge: the one interface of all that can judge an Observation."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from emoreason.labels.label_set import LabelSet
from emoreason.media import Clip
from emoreason.perception.looks import Look
from emoreason.perception.observation import Observation
from emoreason.perception.segments import Segment
from emoreason.perception.store import ObservationStore
from emoreason.report.judgement import Judged
from emoreason.report.schema import ModelInfo, SegmentReport, Verdict

if TYPE_CHECKING:
    from emoreason.model.segment_input import SegmentInput  # whose libraries the composer does without

OnText = Callable[[int, str], None]  # number of the segment, new text
Measured = tuple[Observation, Clip]


class Judge(Protocol):
    """Threads may share a judge.

    label_set: among which its verdicts choose. writes: whether `prepare`, `choose`, `reply` and `answer` can be called; a judge
    that does not write answers questions by its verdict alone, and `read`s words. together: how many clips it is best given at a
    time. left_out: parts of its prompt that it is never shown.
    """

    name: str
    label_set: LabelSet
    writes: bool
    together: int
    left_out: tuple[str, ...]

    @property
    def languages(self) -> Sequence[str]:
        """Those of the words that a head of its own understands."""

    def info(self, settings: str = "") -> ModelInfo:
        """Who judges; `settings` of whoever asks go into the hash of the configuration."""

    def refine(self, observation: Observation, clip: Clip, store: ObservationStore | None = None) -> Observation:
        """The observation as this judge sees it: with its own reading of the action units, if it has one. What `store` holds of
        these weights is not read again. Raises MediaError."""

    def judge(self, measured: Sequence[Measured], on_text: OnText | None = None, explain: bool = True) -> list[Judged]:
        """In order; what is said of a clip does not depend on its company. `on_text` follows the writing. explain=False: the same
        verdicts, their texts may be missing. Raises MediaError."""

    def glance(self, looks: Sequence[Look]) -> tuple[str | None, dict[str, float]] | None:
        """The emotion that a face shows over a few looks, and the probability of each, by the head on faces alone. None without
        such a head."""

    def units(self, spans: Sequence[tuple[Observation, Segment, Clip]]) -> list[Mapping[str, Mapping[str, float]]] | None:
        """By a trained head: person -> action unit -> its largest probability in the span. None without such a head."""

    def read(self, text: str) -> Verdict:
        """What words alone show. Raises ConfigError where the judge writes."""

    def prepare(self, observation: Observation, segment: Segment, clip: Clip, question: str) -> "SegmentInput":
        """What the judge is shown of a segment. Raises ConfigError where it does not write."""

    def control_tokens(self, given: "SegmentInput") -> tuple[int, ...]:
        """Those of its prompt, in order. Raises ConfigError where it does not write."""

    def changed(self, change: Callable[["SegmentInput"], "SegmentInput | None"]) -> "Judge":
        """A copy whose every input is changed (None: left as it is). Raises ConfigError where it does not write."""

    def on_text_alone(self) -> "Judge | None":
        """A copy with evidence lines and no soft tokens; None where it works so already. Raises ConfigError where it does
        not write."""

    def choose(self, inputs: Sequence["SegmentInput"], labels: Sequence[str]) -> list[dict[str, float]]:
        """p(label) of each input's question, as a verdict among these labels. Raises ConfigError where it does not write."""

    def reply(self, inputs: Sequence["SegmentInput"], most_tokens: int) -> list[str]:
        """Whole written answers, answer fields included. Raises ConfigError where it does not write."""

    def answer(self, measured: Measured, told: SegmentReport, question: str, on_text: OnText | None = None) -> str:
        """The reply to a question about a segment whose report is `told`. Raises ConfigError where it does not write."""

    def without(self, part: str) -> "Judge":
        """The same judge, never shown this part of its prompt. Its name says so. Raises ConfigError where it has no such part."""
