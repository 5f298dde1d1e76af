"""Opens the demo in Chromium, analyses the sample clip, asks a question and takes pictures of the page."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from emoreason.cli.demo import load
from emoreason.config import DEFAULT_MODEL

WIDTHS = {"wide": (1280, 1000), "narrow": (400, 860)}


def main(folder: Path) -> None:
    """One picture per width and colour scheme, of the top of the page and of the whole."""
    folder.mkdir(parents=True, exist_ok=True)
    server = load("server")
    blocks, address = server.launch(server.Settings({DEFAULT_MODEL: DEFAULT_MODEL, "composer": "composer"}, port=0), wait=False)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport=dict(zip(("width", "height"), WIDTHS["wide"], strict=True)), color_scheme=scheme)
            page.set_default_timeout(300_000)
            page.goto(address)
            page.click("#sample")
            page.wait_for_selector(".er-view .er-timeline")
            ask(page, "Which action units show it?")
            page.eval_on_selector(".er-view video", "video => { video.currentTime = 13.5 }")
            for name, (width, height) in WIDTHS.items():
                page.set_viewport_size({"width": width, "height": height})
                page.wait_for_timeout(1500)
                page.screenshot(path=folder / f"{name}-{scheme}.png", full_page=True)
                print(folder / f"{name}-{scheme}.png")
        browser.close()
    blocks.close()


def ask(page: Page, question: str) -> None:
    """Type a question and wait for the whole answer."""
    box = page.locator("#question textarea, #question input").first
    box.fill(question)
    box.press("Enter")
    page.wait_for_selector("#talk .claim")  # claims are told apart once the answer is whole


if __name__ == "__main__":
    main(Path(sys.argv[1]))
