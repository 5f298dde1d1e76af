"""Seconds as people read them."""


def clock(time_s: float, duration_s: float = 0.0) -> str:
    """`4.2 s` in clips under two minutes, else `1:04` or `1:02:04`."""
    if max(time_s, duration_s) < 120:
        return f"{time_s:.1f} s"
    minutes, seconds = divmod(round(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def span(start_s: float, end_s: float, duration_s: float = 0.0) -> str:
    """`1.8–4.9 s`, `1:04–1:10`."""
    first, last = clock(start_s, max(duration_s, end_s)), clock(end_s, duration_s)
    return f"{first.removesuffix(' s')}\u2013{last}"


def ticks(duration_s: float, most: int = 10) -> list[float]:
    """Round times for an axis, at most about `most`."""
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
    step = next((s for s in steps if duration_s / s <= most), 3600 * (1 + duration_s // (3600 * most)))
    return [n * step for n in range(int(duration_s / step) + 1)]
