"""The report as data: what the JSON holds, and the measurements that tables and pages need."""

import json
from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from pydantic import ConfigDict, Field, PrivateAttr

from emoreason.labels.emotions import EMOTIONS
from emoreason.perception.observation import Observation
from emoreason.report.migrate import SCHEMA, migrated
from emoreason.report.schema.base import Part, Span
from emoreason.report.schema.explanation import Answer, Explanation
from emoreason.report.schema.origin import ModelInfo, Source, Timings, path_text
from emoreason.report.schema.people import PersonReport
from emoreason.report.schema.sound import SpeakerReport, VoiceReport, WordsReport
from emoreason.report.schema.verdict import Verdict


class SegmentReport(Span):
    """A stretch of the clip with a verdict of its own."""

    verdict: Verdict
    explanation: Explanation | None


class ReportData(Part):
    """One analysed file, for writers and pages. `emoreason.EmotionReport` is the same with the ways to save and tabulate it."""

    schema_: Literal["emoreason/report/2"] = Field(SCHEMA, alias="schema")
    source: Source
    verdict: Verdict
    segments: list[SegmentReport]
    people: list[PersonReport]
    voice: VoiceReport | None
    words: WordsReport | None
    speakers: list[SpeakerReport] | None = Field(None, description="null where voices were not told apart")
    explanation: Explanation
    answer: Answer | None = Field(None, description="to the question that the analysis was asked; null without one")
    warnings: list[str]
    model: ModelInfo
    timings_s: Timings

    model_config = ConfigDict(populate_by_name=True)

    _observation: Observation | None = PrivateAttr(None)
    _frame_probabilities: dict[str, np.ndarray] = PrivateAttr(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Equal if they say the same, whatever measurements are attached (arrays have no single truth value)."""
        return isinstance(other, ReportData) and self.model_dump() == other.model_dump()

    def attach(self, observation: Observation, frame_probabilities: Mapping[str, np.ndarray] | None = None) -> Self:
        """Give the report what its tables and curves need; returns the report.

        frame_probabilities: person -> [T, 8] in the order of EMOTIONS, one row per row of that person's track.
        Raises ValueError where a shape does not fit the track.
        """
        for name, values in (frame_probabilities or {}).items():
            person = observation.person(name)
            wanted = None if person is None else (len(person.times_s), len(EMOTIONS))
            if np.shape(values) != wanted:
                raise ValueError(f"frame probabilities of {name} have shape {np.shape(values)}, the track needs {wanted}")
        self._observation, self._frame_probabilities = observation, dict(frame_probabilities or {})
        return self

    @property
    def observation(self) -> Observation:
        """What was measured. Raises ValueError for a report that was read from JSON: that holds no measurements."""
        if self._observation is None:
            raise ValueError("this report carries no measurements (read from JSON?): analyse the file again, or attach() them")
        return self._observation

    @property
    def frame_probabilities(self) -> dict[str, np.ndarray]:
        """person -> [T, 8], empty where no model scored single frames."""
        return self._frame_probabilities

    def to_json(self, indent: int | None = None) -> str:
        """The interchange form: one line unless `indent` is given, keys in the order of the schema, unknown as null."""
        values = self.readable().model_dump(mode="json", by_alias=True)
        return json.dumps(values, ensure_ascii=False, indent=indent, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote, in this version or an earlier one (see `report.migrate`).

        Raises ValueError for text that is not JSON or a version that is not known; pydantic.ValidationError, a ValueError,
        naming each field that does not fit.
        """
        return cls.model_validate(migrated(json.loads(text)))

    def readable(self) -> Self:
        """The same for files and pages: its path is text, whatever bytes the name of the file has."""
        return self.model_copy(update={"source": self.source.model_copy(update={"path": path_text(self.source.path)})})

    def speaker(self, start_s: float, end_s: float) -> str | None:
        """The one person who seems to speak for at least half of start_s..end_s, or None."""
        shares = {
            person.person: sum(max(0.0, min(end_s, span.end_s) - max(start_s, span.start_s)) for span in person.speaking)
            for person in self.people
        }
        best = max(shares, key=lambda name: shares[name], default=None)
        return best if best and shares[best] > 0 and shares[best] >= (end_s - start_s) / 2 else None


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of what `ReportData.to_json` writes."""
    return ReportData.model_json_schema(by_alias=True, mode="serialization") | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
    }
