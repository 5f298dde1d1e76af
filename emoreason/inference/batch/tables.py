"""Tables of a whole run, rebuilt from its reports: `summary.parquet` (a row per clip) and `people.parquet` (a row per person).

Rows are written in pieces, so memory does not grow with the folder.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoreason.inference.batch import manifest as states
from emoreason.inference.batch.manifest import Entry, Manifest
from emoreason.inference.batch.results import report_file
from emoreason.labels.action_units import AUS
from emoreason.labels.emotions import EMOTIONS
from emoreason.labels.label_set import CANONICAL
from emoreason.report.course import headline
from emoreason.report.migrate import migrated
from emoreason.report.save import atomically
from emoreason.report.schema import Verdict, path_text

if TYPE_CHECKING:
    import pyarrow as pa

SUMMARY, PEOPLE = "summary.parquet", "people.parquet"
_ROWS = 2_000
_TEXT, _NUMBER, _COUNT, _FLAG = "string", "float64", "int32", "bool"

SUMMARY_COLUMNS = {
    "id": _TEXT, "path": _TEXT, "emotion": _TEXT, "confidence": _NUMBER, "abstained": _FLAG, "reason": _TEXT, "person": _TEXT,
    "headline": _TEXT, "course": _TEXT,  # what is shown in a few words: the course where it changes; its phases as JSON
    "scheme": _TEXT, "label": _TEXT, "label_probabilities": _TEXT,  # of labels of one's own, as JSON
    **dict.fromkeys(EMOTIONS, _NUMBER),
    "valence": _NUMBER, "arousal": _NUMBER, "sentiment": _TEXT, "compound": _TEXT,
    "duration_s": _NUMBER, "fps": _NUMBER, "width": _COUNT, "height": _COUNT, "has_video": _FLAG, "has_audio": _FLAG,
    "segments": _COUNT, "people": _COUNT, "speech_s": _NUMBER, "voice_emotion": _TEXT, "language": _TEXT, "words": _TEXT,
    "explanation": _TEXT, "supported": _COUNT, "contradicted": _COUNT, "unverifiable": _COUNT, "faithfulness": _NUMBER,
    "coverage": _NUMBER, "warnings": _COUNT, "model": _TEXT, "model_path": _TEXT, "sha256": _TEXT, "analysis_s": _NUMBER,
}  # fmt: skip
PEOPLE_COLUMNS = {
    "id": _TEXT, "path": _TEXT, "person": _TEXT, "face_id": _COUNT, "start_s": _NUMBER, "end_s": _NUMBER, "speaking_s": _NUMBER,
    "emotion": _TEXT, **dict.fromkeys(EMOTIONS, _NUMBER), **dict.fromkeys(AUS, _NUMBER), "course": _TEXT,
}  # fmt: skip


def write_tables(out: Path, manifest: Manifest) -> None:
    """Both tables, each either whole or not there. Files that left the folder keep their rows."""
    _write(out / SUMMARY, SUMMARY_COLUMNS, (summary_row(entry, report) for entry, report in read_reports(out, manifest)))
    rows = (row for entry, report in read_reports(out, manifest) for row in people_rows(entry, report))
    _write(out / PEOPLE, PEOPLE_COLUMNS, rows)


def read_reports(out: Path, manifest: Manifest) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """Reports of all finished files by path."""
    for entry in manifest.entries(states.DONE, current=False):
        file = report_file(out, entry.id)
        if file.is_file():  # else somebody took it away, and the next run makes it again
            yield entry, migrated(json.loads(file.read_text(encoding="utf-8")))


def summary_row(entry: Entry, report: dict[str, Any]) -> dict[str, Any]:
    """Values of SUMMARY_COLUMNS. Peaks, probabilities and seconds as in the report."""
    verdict, source, why, voice = report["verdict"], report["source"], report["explanation"], report["voice"] or {}
    verdicts = [claim["verdict"] for claim in why["claims"]]
    words, probabilities = report["words"] or {}, verdict["probabilities"] or {}
    told = Verdict.model_validate(verdict)
    scheme = verdict.get("scheme", CANONICAL)  # reports of earlier versions know one only
    shares = probabilities if scheme == CANONICAL else {"label_probabilities": json.dumps(probabilities, ensure_ascii=False)}
    return {
        **{name: verdict[name] for name in ("emotion", "confidence", "abstained", "reason", "person")},
        **{name: verdict[name] for name in ("valence", "arousal", "sentiment", "compound")},
        **shares,
        "scheme": scheme,
        "label": verdict.get("label", verdict["emotion"]),
        **{name: source[name] for name in ("duration_s", "fps", "width", "height", "has_video", "has_audio", "sha256")},
        **{name: verdicts.count(name) for name in ("supported", "contradicted", "unverifiable")},
        "headline": headline(told, source["duration_s"]),
        "course": _course(verdict),
        "id": entry.id,
        "path": path_text(entry.path),
        "segments": len(report["segments"]),
        "people": len(report["people"]),
        "speech_s": voice.get("speech_s", 0.0),
        "voice_emotion": voice.get("emotion"),
        "language": words.get("language"),
        "words": words.get("text"),
        "explanation": why["text"],
        "faithfulness": why["faithfulness"],
        "coverage": why["coverage"],
        "warnings": len(report["warnings"]),
        "model": report["model"]["name"],
        "model_path": report["model"]["path"],
        "analysis_s": report["timings_s"].get("total"),
    }


def people_rows(entry: Entry, report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Values of PEOPLE_COLUMNS; a unit's value is the highest peak of its events, null where none was measured."""
    for person in report["people"]:
        peaks = {unit["au"]: max((event["peak"] for event in unit["events"]), default=None) for unit in person["action_units"]}
        yield {
            **{name: person[name] for name in ("person", "face_id", "start_s", "end_s", "emotion")},
            **(person["probabilities"] or {}),
            **peaks,
            "id": entry.id,
            "path": path_text(entry.path),
            "course": _course(person),
            "speaking_s": sum(span["end_s"] - span["start_s"] for span in person["speaking"]),
        }


def _course(part: dict[str, Any]) -> str | None:
    """Of a verdict or a person, as JSON; null where none was computed, as in reports of schema 1."""
    return None if part.get("course") is None else json.dumps(part["course"])


def _write(path: Path, columns: dict[str, str], rows: Iterable[dict[str, Any]]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    schema = _schema(columns)
    with atomically(path) as temporary, parquet.ParquetWriter(temporary, schema, compression="zstd") as writer:
        rows = iter(rows)
        while some := list(islice(rows, _ROWS)):
            writer.write_table(pa.Table.from_pylist(some, schema=schema))


def _schema(columns: dict[str, str]) -> "pa.Schema":
    import pyarrow as pa

    return pa.schema([(name, pa.type_for_alias(kind)) for name, kind in columns.items()])
