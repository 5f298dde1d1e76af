"""A report as the page shows it: player with the faces marked, then the report's own body, timeline included."""

import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import jinja2
import numpy as np

from emoreason.perception.observation import Observation
from emoreason.report.course import confidences, headline
from emoreason.report.emotion_report import EmotionReport
from emoreason.report.page import sheet, timeline
from emoreason.report.page.document import body, passages
from emoreason.report.schema import Explanation

_HERE = Path(__file__).parent
MOST_BOXES = 3_000  # per person: a face every third of a second in a quarter of an hour


def viewer(report: EmotionReport) -> str:
    """HTML; whatever came from outside is escaped by the templates."""
    source = report.source
    return _template("viewer").render(
        body=body(report),
        media=media_address(source.path),
        kind="video" if source.has_video and source.duration_s else "audio" if source.has_audio and source.duration_s else None,
        width=source.width,
        height=source.height,
        people=[person.person for person in report.people],
        boxes=boxes(report.observation),
    )


def media_address(path: str) -> str:
    """Where Gradio serves a file of its own cache."""
    return f"/gradio_api/file={quote(path)}"


def boxes(observation: Observation) -> str:
    """JSON: person -> [[second, x, y, width, height], ...] in pixels of the upright frame."""
    out = {}
    for person in observation.people:
        chosen = np.linspace(0, len(person.times_s) - 1, min(len(person.times_s), MOST_BOXES)).round().astype(int)
        rows = np.column_stack([person.times_s[chosen], person.boxes[chosen]])
        out[person.person] = [[round(row[0], 3), *map(round, row[1:])] for row in rows.tolist()]
    return json.dumps(out, separators=(",", ":"))


def progress_html(stages: dict[str, float | None], text: str = "", note: str = "") -> str:
    """Bars of what is under way, and what the model has written so far."""
    return _template("progress").render(stages=stages, text=text, note=note)


def talk(turns: Sequence[tuple[str, Explanation | str]]) -> str:
    """Questions and answers; each claim of an answer says what was found and leads to its moment."""
    shown = [
        (question, [(answer, None)] if isinstance(answer, str) else passages(answer.text, answer.claims))
        for question, answer in turns
    ]
    return _template("talk").render(turns=shown, signs=timeline.SIGNS)


def compared(left: EmotionReport, right: EmotionReport, names: tuple[str, str]) -> str:
    """Two verdicts side by side, with what differs between them."""
    sides = [
        (report, name, headline(report.verdict, report.source.duration_s), confidences(report.verdict))
        for report, name in zip((left, right), names, strict=True)
    ]
    return _template("compare").render(left=left, right=right, sides=sides, units=_units(left, right))


def _units(left: EmotionReport, right: EmotionReport) -> list[tuple[str, str, float | None, float | None]]:
    """(unit, name, strongest peak left, right) of everybody together; those that differ most first."""
    found: dict[str, tuple[str, list[float | None]]] = {}
    for side, report in enumerate((left, right)):
        for person in report.people:
            for unit in person.action_units:
                peaks = found.setdefault(unit.au, (unit.name, [None, None]))[1]
                peaks[side] = max(unit.intensity or 0.0, peaks[side] or 0.0)
    rows = [(au, name, *peaks) for au, (name, peaks) in found.items()]
    return sorted(rows, key=lambda row: -abs((row[2] or 0) - (row[3] or 0)))


def style() -> str:
    """Everything the page adds to Gradio's own style."""
    return sheet.scoped(".er-page") + (_HERE / "demo.css").read_text("utf-8")


def script() -> str:
    """For the head of the page: the timeline's script and the player's."""
    return f"<script>{timeline.script()}</script><script>{(_HERE / 'demo.js').read_text('utf-8')}</script>"


def _template(name: str) -> jinja2.Template:
    return sheet.environment_at(_HERE).get_template(f"{name}.html.j2")
