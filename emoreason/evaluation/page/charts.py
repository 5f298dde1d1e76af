"""Charts of a result page: small SVG, escaped, coloured by the page's own style. Axes run from 0 to 1."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from emoreason.report.page.marks import element, text
from emoreason.scoring.metrics.calibration import ReliabilityBin, RiskCoverage

SIDE, LEFT, BOTTOM, TOP, RIGHT = 260, 46, 40, 10, 14  # px: the square of the axes and the room around it
MOST_POINTS = 200
FEW = 20  # below it each threshold is marked


def reliability_svg(bins: Sequence[ReliabilityBin]) -> Markup:
    """Accuracy of the answers in each bin of confidence beside the diagonal; bars are as dark as the bin is full."""
    most = max((one.n for one in bins), default=0) or 1
    drawn = [
        element("rect", Markup("<title>{}</title>").format(_bin_text(one)), class_="bar", x=_x(one.low), y=_y(one.accuracy),
                width=SIDE * (one.high - one.low) - 1, height=max(SIDE * one.accuracy, 1),
                fill_opacity=f"{0.25 + 0.75 * one.n / most:.2f}")
        for one in bins
        if one.n
    ]  # fmt: skip
    diagonal = element("path", class_="guide", d=f"M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}")
    return _axes("confidence", "accuracy", "Reliability", *drawn, diagonal)


def _bin_text(one: ReliabilityBin) -> str:
    means = f"mean confidence {one.confidence:.2f}, accuracy {one.accuracy:.2f}"
    return f"confidence {one.low:.2f}–{one.high:.2f}: {one.n} samples, {means}"


def risk_coverage_svg(curve: RiskCoverage) -> Markup:
    """Share of wrong answers among the surest, as more and more of them are accepted."""
    keep = np.unique(np.linspace(0, len(curve.risk) - 1, min(MOST_POINTS, len(curve.risk))).round().astype(int))
    points = [(float(curve.coverage[k]), float(curve.risk[k])) for k in keep]
    path = "M" + "L".join(f"{_x(coverage):.1f} {_y(risk):.1f}" for coverage, risk in points)
    dots = [element("circle", class_="dot", cx=f"{_x(c):.1f}", cy=f"{_y(r):.1f}", r=2.5) for c, r in points if len(points) < FEW]
    return _axes("coverage", "risk", "Risk and coverage", element("path", class_="line", d=path), *dots)


def _axes(x_name: str, y_name: str, label: str, *inside: Markup) -> Markup:
    ticks = []
    for value in (0, 0.25, 0.5, 0.75, 1):
        ticks += [
            element("path", class_="grid", d=f"M{_x(value)} {_y(0)}V{_y(1)}M{_x(0)} {_y(value)}H{_x(1)}"),
            text(f"{value:g}", x=_x(value), y=_y(0) + 16, class_="tick middle"),
            text(f"{value:g}", x=_x(0) - 6, y=_y(value) + 4, class_="tick end"),
        ]
    names = [
        text(x_name, x=_x(0.5), y=_y(0) + 34, class_="axis middle"),
        text(y_name, x=12, y=_y(0.5), class_="axis middle", transform=f"rotate(-90 12 {_y(0.5)})"),
    ]
    size = {"viewBox": f"0 0 {LEFT + SIDE + RIGHT} {TOP + SIDE + BOTTOM}", "width": LEFT + SIDE + RIGHT}
    return element("svg", *ticks, *inside, *names, class_="chart", role="img", aria_label=label, **size)


def _x(value: float) -> float:
    return LEFT + SIDE * value


def _y(value: float) -> float:
    return TOP + SIDE * (1 - value)


def bar_svg(value: float, interval: tuple[float, float] | None = None, width: int = 150, height: int = 12) -> Markup:
    """One value in 0..1 as a bar, its interval as a line through it."""
    low, high = interval or (value, value)
    parts = [
        element("rect", class_="track", x=0, y=0, width=width, height=height),
        element("rect", class_="bar", x=0, y=0, width=f"{width * min(max(value, 0), 1):.1f}", height=height),
    ]
    if interval:
        span = f"M{width * min(max(low, 0), 1):.1f} {height / 2}H{width * min(max(high, 0), 1):.1f}"
        parts.append(element("path", class_="whisker", d=span))
    return element("svg", *parts, width=width, height=height, aria_hidden="true")
