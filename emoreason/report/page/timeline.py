"""The timeline: one figure over the clip's time axis, with what each person showed, the voice, the words and the claims.

`timeline_svg` returns a fragment of HTML; with `style()` and `script()` beside it, it works in any page that has no
other script. The script finds figures by class, also ones that come later, and speaks in two events:
`emoreason:seek` (detail.seconds; fired when a moment is clicked), `emoreason:show` (detail.start, detail.end; listened to) and
`emoreason:at` (detail.seconds; fired by a player at an element around the figure, listened to).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import numpy as np
from markupsafe import Markup

from emoreason.labels.action_units import LEVELS, level
from emoreason.labels.emotions import CIRCUMPLEX, EMOTIONS
from emoreason.perception.observation import Observation, Person, Voice
from emoreason.report.clock import clock, span, ticks
from emoreason.report.page.marks import HEIGHT, WIDTH, Mark, curve, element, lanes, percent, strip, text
from emoreason.report.schema import ActionUnitSummary, PersonReport, ReportData, Verdict

MOST_PEOPLE = 8  # those longest in view
MOST_UNITS = 40  # rows of action units in all, shared among the people: each one's strongest
MOST_EMOTIONS = 4  # curves of emotions per person
MOST_CLAIM_ROWS = 16  # claims about the same seconds, one below the other
SIGNS = {"supported": "\u2713", "contradicted": "\u2717", "unverifiable": "?"}
_POINTS = 300  # of the curve in a row of an action unit, which is 18 px high
_AXIS = 22  # height, px
_NAMES = 168  # width of the column of names, px; the style sheet narrows it on small screens


@dataclass(frozen=True)
class Row:
    """One row of the figure: `name` in short, `more` where there is room; `body` starts at y = 0. person: whom it is about."""

    name: str
    more: str
    height: int
    body: Markup
    heading: bool = False
    person: str | None = None


def timeline_svg(report: ReportData, observation: Observation | None = None) -> str:
    """The figure, or "" for a picture, which has no time. Without `observation` (a report read from JSON) curves are missing."""
    duration = report.source.duration_s
    if duration <= 0 or (observation is not None and observation.source.kind == "picture"):
        return ""
    rows = [*_verdict(report, duration)]
    for person in foremost(report):
        about = _person(report, person, observation and observation.person(person.person), duration)
        rows += [replace(row, person=person.person) for row in about]
    rows += [*_voice(report, observation and observation.voice, duration), *_words(report, duration), *_claims(report, duration)]
    height = _AXIS + sum(row.height for row in rows) + 4
    names = element("svg", *_stacked(rows, _name), class_="er-names", width=_NAMES, height=height, aria_hidden="true")
    plot = element(
        "svg",
        *_axis(duration, height, observation.cuts_s if observation else ()),
        *_stacked(rows, lambda row: row.body),
        element("rect", class_="er-band", y=0, width=0, height=height),
        element("line", class_="er-cursor", x1="0%", x2="0%", y1=0, y2=height),
        class_="er-plot",
        width="100%",
        height=height,
        role="img",
        aria_label=f"Timeline of {clock(duration)}: verdict, people, voice, words and claims",
    )
    figure = element("div", names, element("div", plot, class_="er-scroll"), class_="er-body")
    return element(
        "div", _tools(), figure, _legend(report), class_="er-timeline", data_duration=f"{duration:.3f}", tabindex=0, role="group",
        aria_label="Timeline; arrow keys move the cursor, Enter selects the moment",
    )  # fmt: skip


def foremost(report: ReportData) -> list[PersonReport]:
    """The people that figure and page show, in order of appearance."""
    longest = sorted(report.people, key=lambda person: person.start_s - person.end_s)[:MOST_PEOPLE]
    return [person for person in report.people if person in longest]


@cache
def style() -> str:
    """The style sheet of the figure; follows the reader's light or dark preference."""
    return resources.files(__package__).joinpath("timeline.css").read_text("utf-8")


@cache
def script() -> str:
    """The script of the figure; no library, no global names."""
    return resources.files(__package__).joinpath("timeline.js").read_text("utf-8")


def _stacked(rows: Sequence[Row], draw) -> Iterator[Markup]:
    y = _AXIS
    for row in rows:
        place = {"x": 0, "y": y, "width": "100%", "height": row.height}
        yield element("svg", draw(row), **place, class_="er-row", data_person=row.person)
        y += row.height


def _name(row: Row) -> Markup:
    more = element("tspan", Markup.escape(f" {row.more}"), class_="er-more") if row.more else Markup("")
    kind = "er-name er-heading" if row.heading else "er-name"
    y = row.height - 5 if row.heading else row.height / 2 + 4
    return element("text", Markup.escape(row.name), more, class_=kind, x=0, y=y)


def _axis(duration: float, height: int, cuts_s: Sequence[float]) -> Iterator[Markup]:
    for time in ticks(duration):
        x = percent(time, duration)
        yield element("line", class_="er-grid", x1=x, x2=x, y1=_AXIS - 4, y2=height)
        near_end = time > 0.94 * duration
        yield text(clock(time, duration), class_="er-tick" + (" er-last" if near_end else " er-first" * (time == 0)), x=x, y=12)
    for time in cuts_s:
        x = percent(time, duration)
        yield element("line", element("title", Markup("shot cut")), class_="er-cut", x1=x, x2=x, y1=_AXIS - 4, y2=height)


def _strip(marks: Sequence[Mark], duration: float, height: int) -> Markup:
    return strip(marks, duration, height - 4, 2)


def _plot(curves: Sequence[Markup], height: int) -> Markup:
    box = {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "preserveAspectRatio": "none"}
    return element("svg", *curves, x=0, y=3, width="100%", height=height - 6, **box)


def _verdict(report: ReportData, duration: float) -> Iterator[Row]:
    marks = []
    for segment in report.segments:
        shown = segment.verdict.label or "abstains"
        marks.append(Mark(segment.start_s, segment.end_s, f"verdict: {shown}", _kind(segment.verdict), shown))
    if len(marks) > 1:
        yield Row("verdict", "per segment", 22, _strip(marks, duration, 22))


def _person(report: ReportData, person: PersonReport, measured: Person | None, duration: float) -> Iterator[Row]:
    who = person.person
    seen = strip([Mark(person.start_s, person.end_s, f"{who} in view", "er-seen")], duration, 2, 23)
    yield Row(who, f"in view {span(person.start_s, person.end_s, duration)}", 30, seen, heading=True)
    course = [Mark(e.start_s, e.end_s, f"{who} {e.emotion}, a phase", f"e-{e.emotion}", e.emotion) for e in person.course or ()]
    if len(course) > 1:
        yield Row("course", "phases", 22, _strip(course, duration, 22))
    emotions = [Mark(e.start_s, e.end_s, f"{who} {e.emotion}", f"e-{e.emotion}", e.emotion) for e in person.emotions_over_time]
    if emotions:
        yield Row("emotion", "most likely", 22, _strip(emotions, duration, 22))
    frames = report.frame_probabilities.get(who)
    if measured is not None and frames is not None:
        top = sorted(np.argsort(-np.nan_to_num(frames).max(axis=0))[:MOST_EMOTIONS])
        curves = [
            curve(measured.times_s, frames[:, k], duration, low=0, high=1, name=f"{who} {EMOTIONS[k]}", kind=f"e-{EMOTIONS[k]}")
            for k in top
        ]
        yield Row("", "probability 0\u20131", 48, _plot(curves, 48))
        affect = frames @ np.array([CIRCUMPLEX[emotion] for emotion in EMOTIONS])  # [N, 2]
        curves = [
            curve(measured.times_s, affect[:, k], duration, low=-1, high=1, name=f"{who} {name} (derived)", kind=f"er-{name}")
            for k, name in enumerate(("valence", "arousal"))
        ]
        yield Row("affect", "derived, \u22121\u20131", 34, _plot(curves, 34))
    units = sorted(person.action_units, key=lambda unit: -max((e.peak for e in unit.events), default=0))
    for unit in sorted(units[: max(6, MOST_UNITS // len(report.people))], key=lambda unit: unit.au):
        yield Row(unit.au, unit.name, 18, _unit(who, unit, measured, duration))
    if person.speaking:
        turns = [Mark(s.start_s, s.end_s, f"{who} speaks", "er-speech") for s in person.speaking]
        yield Row("speaks", "by mouth and voice", 16, _strip(turns, duration, 16))


def _unit(who: str, unit: ActionUnitSummary, measured: Person | None, duration: float) -> Markup:
    marks = []
    for event in unit.events:
        shown = level(event.peak) or LEVELS[0]
        brief = f"{who} {unit.au} {shown}"
        marks.append(Mark(event.onset_s, event.offset_s, f"{brief} (peak {event.peak:.2f})", f"er-{shown}", brief=brief))
    bars = _strip(marks, duration, 18)
    if measured is None:
        return bars
    series = measured.action_units
    line = curve(
        series.times_s,
        series.of(unit.au),
        duration,
        low=0,
        high=1,
        name=f"{who} {unit.au}",
        kind="er-intensity",
        points=_POINTS,
        peaks=True,
    )
    return bars + _plot([line], 18)


def _voice(report: ReportData, voice: Voice | None, duration: float) -> Iterator[Row]:
    if voice is None:
        return
    spans = [Mark(start, end, "speech", "er-speech") for start, end in voice.spans]
    yield Row("voice", f"{voice.speech_s:.1f} s of speech", 30, strip(spans, duration, 6, 20), heading=True)
    times = voice.hop_s * np.arange(len(voice.loudness_db))
    loud = curve(times, voice.loudness_db, duration, low=-60, high=0, name="loudness", kind="er-voice", unit=" dBFS")
    yield Row("loudness", "\u221260\u20130 dBFS", 34, _plot([loud], 34))
    if np.isfinite(voice.pitch_hz).any():
        low, high = np.nanpercentile(voice.pitch_hz, [1, 99])
        low, high = 10 * np.floor(low / 10), 10 * np.ceil(high / 10 + 0.01)
        times = voice.hop_s * np.arange(len(voice.pitch_hz))
        pitch = curve(times, voice.pitch_hz, duration, low=low, high=high, name="pitch", kind="er-voice", unit=" Hz")
        yield Row("pitch", f"{low:.0f}\u2013{high:.0f} Hz", 34, _plot([pitch], 34))


def _words(report: ReportData, duration: float) -> Iterator[Row]:
    if report.words and report.words.segments:
        marks = [Mark(w.start, w.end, f"\u201c{w.text}\u201d", "er-word", w.text, "speech") for w in report.words.segments]
        yield Row("words", report.words.language, 26, _strip(marks, duration, 22), heading=True)


def _claims(report: ReportData, duration: float) -> Iterator[Row]:
    marks = []
    for claim in report.explanation.claims:
        if claim.start_s is not None:
            end_s = duration if claim.end_s is None else claim.end_s
            label, drawn = f"claim {claim.verdict}: {claim.text}", f"{SIGNS[claim.verdict]} {claim.text}"
            marks.append(Mark(claim.start_s, end_s, label, f"er-{claim.verdict}", drawn))
    for n, row in enumerate(lanes(marks, MOST_CLAIM_ROWS)):
        name = ("", "") if n else ("claims", "of the explanation")
        yield Row(*name, 22, _strip(row, duration, 22), heading=n == 0)


def _tools() -> Markup:
    buttons = [
        element("button", Markup(sign), type="button", class_="er-zoom", data_zoom=zoom, aria_label=label, title=label)
        for sign, zoom, label in (("\u2212", "0.5", "zoom out"), ("+", "2", "zoom in"), ("fit", "0", "whole clip"))
    ]
    read = element("output", Markup("Move over the figure to read values; click to choose a moment."), class_="er-read")
    return element("div", read, element("span", *buttons, class_="er-zooms"), class_="er-tools")


def _kind(verdict: Verdict) -> str:
    """The colour of its emotion, or that of all labels that stand for none."""
    return "e-own" if verdict.emotion is None and verdict.label is not None else f"e-{verdict.emotion}"


def _legend(report: ReportData) -> Markup:
    shown = {e.emotion for p in report.people for e in (*p.emotions_over_time, *(p.course or ()))}
    shown |= {segment.verdict.emotion for segment in report.segments}
    if report.frame_probabilities:
        for frames in report.frame_probabilities.values():
            shown |= {EMOTIONS[k] for k in np.argsort(-np.nan_to_num(frames).max(axis=0))[:MOST_EMOTIONS]}
    kinds = [(f"e-{emotion}", emotion) for emotion in EMOTIONS if emotion in shown]
    if report.frame_probabilities:
        kinds += [("er-valence", "valence (derived)"), ("er-arousal", "arousal (derived)")]
    if any(person.action_units for person in report.people):
        kinds += [(f"er-{name}", f"{name} action unit") for name in LEVELS]
    return element("div", *(element("span", _swatch(kind), Markup.escape(name)) for kind, name in kinds), class_="er-legend")


def _swatch(kind: str) -> Markup:
    return element("svg", element("rect", width=12, height=12, class_=f"er-bar {kind}"), width=12, height=12, aria_hidden="true")
