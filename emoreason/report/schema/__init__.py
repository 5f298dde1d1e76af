"""The report, `emoreason/report/2`: typed, validated when built. Seconds everywhere; unknown is null, never a made-up number."""

from emoreason.report.migrate import SCHEMA
from emoreason.report.schema.base import Emotion, EmotionSpan, Span
from emoreason.report.schema.explanation import Answer, Claim, Explanation, Modality, Sentence
from emoreason.report.schema.origin import ModelInfo, Runtime, Source, Timings, path_text
from emoreason.report.schema.people import ActionUnitSummary, AuEvent, BodyCueReport, Measurable, MicroMovement, PersonReport
from emoreason.report.schema.report import ReportData, SegmentReport, json_schema
from emoreason.report.schema.sound import SpeakerReport, VoiceCueReport, VoiceReport, Word, WordSegmentReport, WordsReport
from emoreason.report.schema.verdict import Verdict

__all__ = [
    "SCHEMA",
    "ActionUnitSummary",
    "Answer",
    "AuEvent",
    "BodyCueReport",
    "Claim",
    "Emotion",
    "EmotionSpan",
    "Explanation",
    "Measurable",
    "MicroMovement",
    "Modality",
    "ModelInfo",
    "PersonReport",
    "ReportData",
    "Runtime",
    "SegmentReport",
    "Sentence",
    "Source",
    "Span",
    "SpeakerReport",
    "Timings",
    "Verdict",
    "VoiceCueReport",
    "VoiceReport",
    "Word",
    "WordSegmentReport",
    "WordsReport",
    "json_schema",
    "path_text",
]
