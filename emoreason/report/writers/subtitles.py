"""WebVTT and SubRip: the words, prefixed by who seems to say them, and each segment's verdict in brackets."""

import html
from pathlib import Path

import pysubs2

from emoreason.report.schema import ReportData, Verdict
from emoreason.report.writers.options import Options
from emoreason.report.writers.text import plain

# pysubs2 turns \N, \n and \h into line breaks and spaces, whatever was meant; U+29F5 looks the same.
_BACKSLASH = {"\\": "\u29f5"}
# SubRip has no escape, and players read <...> as markup.
_SRT = str.maketrans(_BACKSLASH | {"<": "\u2039", ">": "\u203a"})
_VTT = str.maketrans(_BACKSLASH)


def write_vtt(report: ReportData, path: Path, options: Options) -> None:
    """Markup characters of the text are escaped."""
    cues = [(start, end, html.escape(text.translate(_VTT), quote=False)) for start, end, text in cues_of(report)]
    _write(cues, path, "vtt")


def write_srt(report: ReportData, path: Path, options: Options) -> None:
    """Angle brackets of the text are replaced by single guillemets."""
    _write([(start, end, text.translate(_SRT)) for start, end, text in cues_of(report)], path, "srt")


def cues_of(report: ReportData) -> list[tuple[float, float, str]]:
    """(start_s, end_s, text) in order of time; a cue lasts at least a millisecond."""
    cues = [(segment.start_s, segment.end_s, f"[{_verdict(segment.verdict)}]") for segment in report.segments]
    for segment in report.words.segments if report.words else ():
        speaker, text = report.speaker(segment.start, segment.end), plain(segment.text)
        if text:
            cues.append((segment.start, segment.end, f"{speaker}: {text}" if speaker else text))
    return sorted((start, max(end, start + 0.001), text) for start, end, text in cues)


def _verdict(verdict: Verdict) -> str:
    who = f"{verdict.person} " if verdict.person else ""
    return f"{who}{verdict.label} {verdict.confidence:.0%}" if verdict.label else f"{who}no verdict"


def _write(cues: list[tuple[float, float, str]], path: Path, format_: str) -> None:
    subtitles = pysubs2.SSAFile()
    subtitles.events = [
        pysubs2.SSAEvent(start=pysubs2.make_time(s=start), end=pysubs2.make_time(s=end), text=text) for start, end, text in cues
    ]
    path.write_text(subtitles.to_string(format_, keep_ssa_tags=True), encoding="utf-8")
