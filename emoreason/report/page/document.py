"""Fills the template. Everything from outside is escaped by it; styles and the script are allowed by their hashes alone."""

from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from emoreason.labels.action_units import level
from emoreason.labels.emotions import EMOTIONS
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.report.clock import clock, span
from emoreason.report.course import changing, confidences, headline
from emoreason.report.page import sheet, timeline
from emoreason.report.page.keyframes import try_key_frames
from emoreason.report.schema import Claim, ReportData

# What an hour of talk may take up; the page says what it leaves out, the JSON holds it all.
MOST_SEGMENTS = 60
MOST_WORDS = 30_000  # characters
MOST_EVENTS = 6  # per action unit
MOST_CUES = 60


def page(report: ReportData, key_frames: bool = True) -> str:
    """One HTML document without any outside reference. Without measurements it has no curves and no pictures."""
    css, js = Markup(sheet.style()), Markup(timeline.script())
    return _template("page").render(
        name=Path(report.source.path).name, css=css, js=js, policy=sheet.policy(css, js), body=body(report, key_frames)
    )


def body(report: ReportData, key_frames: bool = True) -> Markup:
    """What the page shows, for other pages that have style and script of their own."""
    observation = report._observation
    frames, reason = try_key_frames(observation) if key_frames and observation is not None else ([], None)
    html = _template("body").render(
        report=report,
        name=Path(report.source.path).name,
        headline=headline(report.verdict, report.source.duration_s),
        changing=changing(report.verdict),
        confidences=confidences(report.verdict),
        figure=Markup(timeline.timeline_svg(report, observation)),
        unknown=[name for name in report.verdict.derived if getattr(report.verdict, name, None) is None],
        frames=frames,
        no_frames=reason,
        passages=passages(report.explanation.text, report.explanation.claims),
        people=timeline.foremost(report),
        words=_words(report),
        settings=observation.settings if observation is not None else {},
        limits={"segments": MOST_SEGMENTS, "events": MOST_EVENTS, "cues": MOST_CUES},
    )
    return Markup(html)


def passages(text: str, claims: list[Claim]) -> list[tuple[str, Claim | None]]:
    """The text cut into (part, claim it makes, if any), in order; claims whose words are not found are left to the list."""
    found = sorted(_places(text, claims), key=lambda place: place[0])
    out: list[tuple[str, Claim | None]] = []
    at = 0
    for start, claim in found:
        if start < at:  # inside the claim before
            continue
        out += [(text[at:start], None), (claim.text, claim)]
        at = start + len(claim.text)
    return [(part, claim) for part, claim in [*out, (text[at:], None)] if part]


def _places(text: str, claims: list[Claim]) -> list[tuple[int, Claim]]:
    """Where each claim stands; claims of equal words take one place after the other."""
    places: list[tuple[int, Claim]] = []
    after: dict[str, int] = {}
    for claim in claims:
        start = text.find(claim.text, after.get(claim.text, 0)) if claim.text else -1
        if start >= 0:
            places.append((start, claim))
            after[claim.text] = start + 1
    return places


def _words(report: ReportData) -> list[tuple[Any, str | None]]:
    """(segment, who seems to speak), up to the budget of characters."""
    shown, budget = [], MOST_WORDS
    for segment in report.words.segments if report.words else ():
        budget -= len(segment.text) + 60  # the markup around a short segment
        if budget < 0:
            break
        shown.append((segment, report.speaker(segment.start, segment.end)))
    return shown


@cache
def _template(name: str) -> jinja2.Template:
    environment = sheet.environment("emoreason.report", "page")
    environment.filters |= {"clock": clock, "level": level}
    environment.globals |= {"span": span, "signs": timeline.SIGNS, "emotions": EMOTIONS, "cue_kinds": VOICE_CUES}
    return environment.get_template(f"{name}.html.j2")
