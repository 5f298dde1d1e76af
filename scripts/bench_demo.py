"""Measures the demo as a visitor meets it: from the command to a usable page, from a click to the sample clip's result.

    python scripts/bench_demo.py [--runs 3] [--page docs/benchmarks/demo.md]

The browser runs on the same machine and takes its share of it. Needs Chromium, the extra `demo` and the sample clip.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from statistics import median

import psutil
from playwright.sync_api import Browser, sync_playwright

from emoreason import __version__
from emoreason.config import DEFAULT_MODEL

MEASURES = {
    "open": "from `emoreason demo` to a page that can be used (aim: under 10)",
    "first": "the sample clip clicked at once, until its result is there: the model is still being loaded (aim: under 30)",
    "later": "the sample clip once more, after a reload",
}


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--page", type=Path)
    given = parser.parse_args()
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        runs = [visit(browser) for _ in range(given.runs)]
        browser.close()
    text = page(runs)
    print(text)
    if given.page:
        given.page.write_text(text, encoding="utf-8")


def visit(browser: Browser) -> dict[str, float]:
    """Seconds of one start of the demo."""
    started, seconds = time.perf_counter(), {}
    command = [sys.executable, "-m", "emoreason", "demo", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        address = next(found[0] for line in server.stdout if (found := re.search(r"http://[\d.]+:\d+", line)))
        page = browser.new_page()
        page.set_default_timeout(300_000)
        page.goto(address)
        page.wait_for_selector("#sample")
        seconds["open"] = time.perf_counter() - started
        for name in ("first", "later"):
            clicked = time.perf_counter()
            page.click("#sample")
            page.wait_for_selector(".er-view .er-timeline")
            seconds[name] = time.perf_counter() - clicked
            page.reload()
            page.wait_for_selector("#sample")
        page.close()
        server.terminate()
    return seconds


def page(runs: list[dict[str, float]]) -> str:
    """Markdown."""
    machine = f"{os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.machine()}, no GPU"
    rows = [
        f"| {what} | {median(run[name] for run in runs):.1f} s | {', '.join(f'{run[name]:.1f}' for run in runs)} |"
        for name, what in MEASURES.items()
    ]
    return "\n".join(
        [
            "# The demo",
            "",
            f"emoreason {__version__}, {date.today()}, Python {platform.python_version()}, {machine}, the browser on it, too. "
            f"`scripts/bench_demo.py`, {len(runs)} starts, the model is {DEFAULT_MODEL}.",
            "",
            "| measure | median | each start |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    main()
