"""What is drawn while an analysis runs: provisional verdicts, then the text as it is written; nothing where nobody looks."""

import io

from rich.console import Console

from emoreason.inference.early import EarlyVerdict
from emoreason.terminal import following


def console(terminal: bool) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=terminal, width=100, height=30, color_system=None), out


def test_verdicts_come_first_and_give_way_to_the_text():
    screen, out = console(True)
    with following(screen, "talk.mp4", show=True) as shown:
        shown.progress("faces", 5.0, 20.0)
        shown.on_segment(EarlyVerdict(0.0, 5.0, "sadness", {"sadness": 0.9}))
        screen.print(shown)
        early = out.getvalue()
        shown.on_text(1, "Second ")
        shown.on_text(0, "First.")
        shown.on_text(1, "one.\x1b[31m")
        screen.print(shown)
        text = out.getvalue()[len(early) :]
    assert "talk.mp4: faces" in early and "so far, provisionally: sadness (0–5 s)" in early
    assert "provisionally" not in text and text.index("First.") < text.index("Second one.")
    assert "\x1b[31m" not in out.getvalue(), "what is written cannot steer the terminal"


def test_nothing_is_drawn_where_nobody_looks():
    for screen, out, show in ((*console(False), True), (*console(True), False)):
        with following(screen, "talk.mp4", show) as shown:
            assert shown is None
        assert out.getvalue() == ""
