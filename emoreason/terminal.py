"""What a person sees in the terminal: safe text, the progress line, the summary of a report. Nothing here decides anything."""

import textwrap
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from emoreason.inference.early import EarlyVerdict
    from emoreason.instructions.validate import ValidationReport
    from emoreason.report.emotion_report import EmotionReport
    from emoreason.report.schema import Explanation, PersonReport, Verdict, VoiceReport

Hook = Callable[[str, float, float | None], None]
MARKS = {"supported": "✓", "contradicted": "✗", "unverifiable": "?"}
TOP_UNITS = 5
WORDS_SHOWN = 400  # characters; an hour of talk is in the report
# Marks that change the direction of the text around them can make a file name look like another one.
_DIRECTION = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


_COLUMNS = (
    TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()
)  # fmt: skip


def safe(text: str) -> str:
    """One line without control characters, broken surrogates or direction marks: a name or a transcript is not to be trusted."""
    kept = (
        " "
        if char in "\n\r\t\u2028\u2029"
        else "\ufffd"
        if char in _DIRECTION or unicodedata.category(char) in ("Cc", "Cs")
        else char
        for char in text
    )
    return "".join(kept)


@contextmanager
def progress(console: Console, title: str, show: bool) -> Iterator[Hook]:
    """A hook(stage, done, total or None) that draws one bar per stage while the block runs; the bars go away at its end."""
    with Progress(*_COLUMNS, console=console, transient=True, disable=not (show and console.is_terminal)) as bars:
        tasks: dict[str, TaskID] = {}

        def hook(stage: str, done: float, total: float | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(safe(f"{title}: {stage}" if title else stage), total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield hook


class Following:
    """What is known of an analysis while it runs: bars, provisional verdicts, and the explanation as it is written."""

    def __init__(self, bars: Progress, title: str):
        self._bars, self._title = bars, title
        self._tasks: dict[str, TaskID] = {}
        self._early: list[EarlyVerdict] = []
        self._texts: dict[int, str] = {}

    def progress(self, stage: str, done: float, total: float | None) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(safe(f"{self._title}: {stage}"), total=total)
        self._bars.update(self._tasks[stage], completed=done, total=total)

    def on_segment(self, verdict: "EarlyVerdict") -> None:
        self._early.append(verdict)

    def on_text(self, segment: int, text: str) -> None:
        self._texts[segment] = self._texts.get(segment, "") + text

    def __rich__(self) -> Group:
        from emoreason.inference.early import told_early

        lines = [told_early(self._early)] if self._early and not self._texts else []
        lines += [self._texts[segment] for segment in sorted(self._texts)]
        return Group(self._bars, *(Text(safe(line)) for line in lines))


@contextmanager
def following(console: Console, title: str, show: bool) -> Iterator[Following | None]:
    """Drawn while the block runs, and gone at its end; None where nobody would see it."""
    if not (show and console.is_terminal):
        yield None
        return
    shown = Following(Progress(*_COLUMNS, console=console), title)
    with Live(shown, console=console, transient=True, refresh_per_second=8, vertical_overflow="crop"):
        yield shown


def print_summary(console: Console, report: "EmotionReport", saved: list[Path]) -> None:
    """A dozen lines: verdict, persons, voice, words, explanation with its checked claims, warnings, written files."""
    source = report.source
    size = f", {source.width}x{source.height}" if source.has_video else ""
    console.print(Text(safe(f"{source.path}  ({source.duration_s:.1f} s{size})"), style="bold"), soft_wrap=True)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for label, text in _lines(report):
        table.add_row(Text(label), Text(safe(text)))
    console.print(table)
    for file in saved:
        console.print(Text(safe(f"written  {file}")), soft_wrap=True)  # never broken: a path is there to be copied
    console.print()


def _lines(report: "EmotionReport") -> Iterator[tuple[str, str]]:
    yield "verdict", _verdict(report.verdict, report.source.duration_s)
    for person in report.people:
        yield person.person, _person(person)
    if report.voice is not None:
        yield "voice", _voice(report.voice)
    if report.words is not None:
        text = textwrap.shorten(report.words.text, WORDS_SHOWN, placeholder=" …")
        yield "words", f"{report.words.language} ({report.words.language_probability:.2f}): “{text}”"
    yield from _explanation(report.explanation)
    for warning in report.warnings:
        yield "warning", warning


def _verdict(verdict: "Verdict", duration_s: float) -> str:
    """The headline and its confidence, then the strongest probabilities over the whole clip."""
    from emoreason.report.course import changing, confidences, headline

    told, sure = headline(verdict, duration_s), ", ".join(f"{value:.2f}" for value in confidences(verdict))
    shown = f"none: {verdict.reason}" if told is None else f"{told} ({sure})" if sure else told
    if verdict.probabilities is None:
        return shown
    ranked = sorted(verdict.probabilities.items(), key=lambda item: -item[1])
    whole = "in all " if changing(verdict) else ""
    return f"{shown}; {whole}" + ", ".join(f"{emotion} {value:.2f}" for emotion, value in ranked[:3])


def _person(person: "PersonReport") -> str:
    units = sorted(person.action_units, key=lambda unit: -(unit.intensity or 0.0))[:TOP_UNITS]
    described = []
    for unit in units:
        event = max(unit.events, key=lambda event: event.peak, default=None)
        side = f" {unit.side}" if unit.side in ("left", "right") else ""
        when = f" {event.onset_s:.1f}–{event.offset_s:.1f} s" if event else ""
        described.append(f"{unit.au} {unit.name}{side} {unit.level}{when}")
    span = f"{person.start_s:.1f}–{person.end_s:.1f} s"
    return f"{span}: " + ("; ".join(described) or "no action unit stands out")


def _voice(voice: "VoiceReport") -> str:
    cues = {
        cue.cue: f"{cue.cue} {cue.level} ({cue.value:.3g} {cue.unit})" for cue in reversed(voice.cues)
    }  # the whole-clip value is first
    return f"{voice.speech_s:.1f} s of speech" + "".join(f"; {text}" for text in reversed(cues.values()))


def _explanation(explanation: "Explanation") -> Iterator[tuple[str, str]]:
    yield "why", explanation.text
    for claim in explanation.claims:
        measured = f"  [{claim.measured}]" if claim.measured else ""
        yield "", f"{MARKS[claim.verdict]} {claim.text}{measured}"


def print_validation(name: str, report: "ValidationReport") -> None:
    """A line per split with its labels, then what was dropped, warnings and errors."""
    print(safe(f"{name}: {'ok' if report.ok else 'FAILED'}"))
    for split, count in report.found.items():
        expected = f" of {report.expected[split]} expected" if split in report.expected else ""
        labels = ", ".join(f"{label} {n}" for label, n in report.labels.get(split, {}).items())
        print(safe(f"  {split:8}{count:7}{expected}{f'  ({labels})' if labels else ''}"))
    for split, count in report.dropped.items():
        print(safe(f"  leak rule: {count} dropped from {split}, {report.kept.get(split, 0)} remain"))
    for kind, lines in (("warning", report.warnings), ("error", report.errors)):
        for line in lines:
            print(safe(f"  {kind}: {line}"))
