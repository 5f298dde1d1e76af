"""Opens the demo in Chromium, analyses the sample clip, asks a question and takes pictures of the page.

    scripts/demo_screenshots [FOLDER] [--faces]

One picture per width and colour scheme, of the whole page. The clip's pictures are covered, so that the results may be kept where
the clip may not; --faces leaves them bare, to look at what is drawn on them.
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from emoreason.cli.demo import load
from emoreason.config import DEFAULT_MODEL

WIDTHS = {"wide": (1280, 1000), "narrow": (400, 860)}


def main() -> None:
    """Take them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/demo"))
    parser.add_argument("--faces", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    server = load("server")
    blocks, address = server.launch(server.Settings({DEFAULT_MODEL: DEFAULT_MODEL, "composer": "composer"}, port=0))
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
            covered = [] if given.faces else [page.locator(".er-view video"), page.locator(".er-view img")]
            for name, (width, height) in WIDTHS.items():
                page.set_viewport_size({"width": width, "height": height})
                page.wait_for_timeout(1500)
                path = given.folder / f"{name}-{scheme}.png"
                page.screenshot(path=path, full_page=True, mask=covered, mask_color="#8a949e")
                print(path)
        browser.close()
    blocks.close()


def ask(page: Page, question: str) -> None:
    """Type a question and wait for the whole answer."""
    box = page.locator("#question textarea, #question input").first
    box.fill(question)
    box.press("Enter")
    page.wait_for_selector("#talk .claim")  # claims are told apart once the answer is whole


if __name__ == "__main__":
    main()
