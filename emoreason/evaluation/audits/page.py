"""The page of an audit: what every condition does to the answers, as tables and charts in the look of the other pages."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from itertools import groupby
from typing import Any

import jinja2
from markupsafe import Markup

from emoreason.evaluation.audits.subgroups import Gaps
from emoreason.evaluation.audits.trials import ConditionResult
from emoreason.evaluation.page import charts
from emoreason.evaluation.page.document import number
from emoreason.report.page import sheet
from emoreason.report.page.marks import element, text

HEADINGS = {"face": "Face found", "target": "Obeyed", "structure": "Same frame"}
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 300, 130, 36, 34, 8  # px of a curve's plot and the room around it


def page(title: str, about: str, run: Mapping[str, Any], found: Sequence[ConditionResult], failures: Sequence[str]) -> str:
    """Of conditions. One HTML document without any outside reference."""
    series = [(name, list(some)) for name, some in groupby(found, key=lambda one: one.condition.series)]
    curves = [curve_svg(name, some) for name, some in series if len(some) > 1 and some[0].condition.level]
    facts = list(dict.fromkeys(name for one in found for name in one.facts))
    return _render(title, about, run, failures, series=series, curves=curves, facts=facts, gaps=[])


def gaps_page(title: str, about: str, run: Mapping[str, Any], gaps: Sequence[Gaps]) -> str:
    """HTML of the differences between groups that the user supplied."""
    return _render(title, about, run, [], series=[], curves=[], facts=[], gaps=gaps)


def _render(title: str, about: str, run: Mapping[str, Any], failures: Sequence[str], **parts: Any) -> str:
    css = Markup(sheet.style() + resources.files(charts.__package__).joinpath("page.css").read_text("utf-8"))
    return _template().render(css=css, policy=sheet.policy(css), title=title, about=about, run=run, failures=failures, **parts)


def curve_svg(name: str, found: Sequence[ConditionResult]) -> Markup:
    """Accuracy from the intact samples (left) along the levels of one series, and where the interval of the loss reaches."""
    points = [(0, found[0].intact, None)]
    for place, one in enumerate(found, 1):
        interval = one.worse.interval
        points.append((place, one.accuracy, interval and tuple(one.intact + bound for bound in interval)))
    step = (WIDTH - 40) / max(len(found), 1)
    drawn = [element("path", class_="grid", d=f"M{LEFT} {_y(v)}H{LEFT + WIDTH}") for v in (0, 0.5, 1)]
    drawn += [text(f"{value:g}", x=LEFT - 6, y=_y(value) + 4, class_="tick end") for value in (0, 0.5, 1)]
    places = [LEFT + 12 + step * place for place, _, _ in points]
    line = "M" + "L".join(f"{x:.1f} {_y(value):.1f}" for x, (_, value, _) in zip(places, points, strict=True))
    drawn.append(element("path", class_="line", d=line))
    for x, (place, value, span) in zip(places, points, strict=True):
        if span:
            drawn.append(element("path", class_="whisker", d=f"M{x:.1f} {_y(span[0]):.1f}V{_y(span[1]):.1f}"))
        drawn.append(element("circle", class_="dot", cx=f"{x:.1f}", cy=f"{_y(value):.1f}", r=3))
        label = "intact" if place == 0 else found[place - 1].condition.level
        drawn.append(text(label, x=f"{x:.1f}", y=TOP + HEIGHT + 18, class_="tick middle"))
    size = {"viewBox": f"0 0 {LEFT + WIDTH} {TOP + HEIGHT + BOTTOM}", "width": LEFT + WIDTH}
    caption = Markup("<figcaption>{}: {}</figcaption>").format(name.replace("_", " "), _unit(found[0]))
    return Markup("<figure>{}{}</figure>").format(
        element("svg", *drawn, class_="chart", role="img", aria_label=f"accuracy, {name}", **size), caption
    )


def _unit(one: ConditionResult) -> str:
    """The title without its series and level: what the level is counted in."""
    said = one.condition.title.split(": ")[-1]
    return said.removeprefix(one.condition.level).strip() or one.condition.title


def _y(value: float) -> float:
    return TOP + HEIGHT * (1 - min(max(value, 0.0), 1.0))


def signed(value: float | None) -> str:
    """`+0.012`; a dash where there is no value."""
    return "–" if value is None else f"{value:+.3f}"


@cache
def _template() -> jinja2.Template:
    environment = sheet.environment("emoreason.evaluation.audits", "")
    environment.filters |= {"number": number, "signed": signed}
    environment.globals |= {"bar": charts.bar_svg, "headings": HEADINGS}
    return environment.get_template("audit.html.j2")
