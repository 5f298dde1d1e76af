"""`index.html` of a run: what the clips show, which units go with it, what failed, and a table that leads to every report."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from emoreason.inference.batch import manifest as states
from emoreason.inference.batch.manifest import Entry, Manifest
from emoreason.inference.batch.results import CLIPS, REPORTS
from emoreason.inference.batch.tables import people_rows, read_reports, summary_row
from emoreason.labels.action_units import ACTION_UNITS, AUS
from emoreason.labels.emotions import EMOTIONS
from emoreason.report.page import sheet
from emoreason.report.save import atomically
from emoreason.report.schema import path_text
from emoreason.report.writers import WRITERS

PAGE = "index.html"
MOST_ROWS, MOST_FAILURES = 3_000, 500  # what a browser handles well; the tables hold all


@dataclass
class _Totals:
    labels: Counter = field(default_factory=Counter)  # of clips; None = abstained
    peaks: dict[str, dict[str, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(lambda: [0.0, 0])))
    people: Counter = field(default_factory=Counter)  # of persons by emotion
    media_s: float = 0.0
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, out: Path, entry: Entry, report: dict[str, Any]) -> None:
        row = summary_row(entry, report)
        self.labels[row["label"]] += 1
        self.media_s += row["duration_s"]
        for person in people_rows(entry, report):
            self.people[person["emotion"]] += 1
            for au in AUS:
                total = self.peaks[person["emotion"]][au]
                total[0] += person.get(au) or 0.0
                total[1] += 1
        if len(self.rows) < MOST_ROWS:
            self.rows.append({**row, "link": _link(out, entry.id)})


def write_page(out: Path, manifest: Manifest) -> None:
    """Whole or not there. It refers to files of the run only."""
    totals = _Totals()
    for entry, report in read_reports(out, manifest):
        totals.add(out, entry, report)
    failures = list(manifest.entries(states.FAILED))
    css = Markup(sheet.style() + _file("batch.css"))
    js = Markup(_file("batch.js"))
    clips = sum(totals.labels.values())
    own = sorted(totals.labels.keys() - {*EMOTIONS, None})
    html = sheet.environment(__package__, ".").get_template("batch.html.j2").render(
        css=css,
        js=js,
        policy=sheet.policy(css, js),
        clips=clips,
        media_s=totals.media_s,
        labels=[(name, totals.labels[name]) for name in (*EMOTIONS, *own, None) if totals.labels[name]],
        canonical=(*EMOTIONS, None),
        most=max(totals.labels.values(), default=1),
        heat=_heat(totals),
        units={au: ACTION_UNITS[au].name for au in AUS},
        rows=totals.rows,
        failures=[(path_text(entry.path), entry) for entry in failures[:MOST_FAILURES]],
        failed=len(failures),
    )  # fmt: skip
    with atomically(out / PAGE) as temporary:
        temporary.write_text(html, encoding="utf-8")


def _heat(totals: _Totals) -> list[tuple[str | None, int, list[float]]]:
    """(emotion, persons, mean peak per unit) of the emotions that somebody shows."""
    order = [name for name in (*EMOTIONS, None) if totals.people[name]]
    means = {name: [totals.peaks[name][au][0] / max(totals.peaks[name][au][1], 1) for au in AUS] for name in order}
    return [(name, totals.people[name], means[name]) for name in order]


def _link(out: Path, name: str) -> str:
    page = Path(CLIPS) / name / WRITERS["html"].filename
    return quote(page.as_posix() if (out / page).is_file() else f"{REPORTS}/{name}.json")


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
