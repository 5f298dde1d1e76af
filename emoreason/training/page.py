"""The page of a training: curves from its log, a table of what validation said, samples before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from emoreason.training import log

WIDTH, HEIGHT, MARGIN = 560, 180, 34


@dataclass(frozen=True)
class Sample:
    """One validation prompt, the answer it should have, and what the model wrote before and after the stage."""

    prompt: str
    wanted: str
    before: str
    after: str


@dataclass(frozen=True)
class Curve:
    """One figure over steps, as points of an SVG of WIDTH x HEIGHT."""

    name: str
    points: str
    first: float
    last: float
    low: float
    high: float
    steps: int


def write_page(folder: Path, title: str, rows: Mapping[str, float], samples: Sequence[Sample] = ()) -> Path:
    """`folder/page.html` from the stage's logs there (log.phases); `rows` is the table of final figures."""
    environment = Environment(loader=PackageLoader("emoreason.training"), autoescape=True, undefined=StrictUndefined)
    phases = log.phases(folder)
    drawn = [curve for phase, history in phases.items() for curve in curves(history, phase)]
    page = environment.get_template("page.html.j2").render(
        title=title, curves=drawn, rows=rows, samples=samples, width=WIDTH, height=HEIGHT, margin=MARGIN,
        minutes=sum(history[-1]["seconds"] for history in phases.values()) / 60,
    )  # fmt: skip
    (folder / "page.html").write_text(page, encoding="utf-8")
    return folder / "page.html"


def curves(history: Sequence[Mapping[str, float]], phase: str = "") -> list[Curve]:
    """One of every figure that was logged at least twice; training figures first. A phase stands before their names."""
    names = list(dict.fromkeys(name for entry in history for name in entry if name not in ("step", "seconds")))
    found = {name: [(entry["step"], entry[name]) for entry in history if name in entry] for name in names}
    before = f"{phase}: " if phase else ""
    return [_curve(before + name, points) for name, points in found.items() if len(points) > 1]


def _curve(name: str, values: Sequence[tuple[float, float]]) -> Curve:
    steps, heights = [step for step, _ in values], [value for _, value in values]
    low, high = min(heights), max(heights)
    across, up = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    points = " ".join(
        f"{MARGIN + across * step / max(steps):.1f},{HEIGHT - MARGIN - up * (value - low) / ((high - low) or 1):.1f}"
        for step, value in values
    )
    return Curve(name, points, heights[0], heights[-1], low, high, int(max(steps)))
