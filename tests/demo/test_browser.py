"""The page in a real browser: Chromium of the system, driven by playwright. Run with `scripts/test --browser`."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from builders import even_times, write_media

from emoreason.cli.demo import load
from emoreason.config import DEFAULT_MODEL
from emoreason.media import Clip

pytestmark = pytest.mark.browser
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_MS = 240_000  # a busy machine; nothing here measures time


@pytest.fixture(scope="module")
def address():
    server = load("server")
    blocks, address = server.launch(server.Settings({"composer": "composer", DEFAULT_MODEL: DEFAULT_MODEL}, port=0))
    yield address
    blocks.close()


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: scripts/test --browser installs it")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser, address):
    """A fresh page; at its end, that it asked nobody but this machine and met no error of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, accept_downloads=True)
    opened, asked, errors = context.new_page(), [], []
    opened.set_default_timeout(PATIENCE_MS)
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("response", lambda answer: asked.append(answer.url))
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(address)
    opened.wait_for_selector("#analyse")
    yield opened
    answered = {urlsplit(url).hostname for url in asked if url.startswith("http")}
    context.close()
    assert not errors
    assert answered <= {"127.0.0.1", "localhost"}


@pytest.fixture
def analysed(page):
    page.click("#sample")
    page.wait_for_selector(".er-view .er-timeline")
    return page


def player_time(page):
    return page.eval_on_selector(".er-view video", "video => video.currentTime")


def test_the_sample_clip_is_seen_and_explained(analysed):
    assert analysed.locator(".er-view .er-plot").count() == 1
    assert analysed.locator(".er-view a.claim").count() >= 2
    analysed.wait_for_function("document.querySelector('.er-view video').readyState >= 1")
    assert abs(analysed.eval_on_selector(".er-view video", "video => video.duration") - 19.7) < 0.3


def test_a_click_on_the_timeline_moves_the_player(analysed):
    analysed.wait_for_function("document.querySelector('.er-view video').readyState >= 1")
    plot = analysed.locator(".er-view .er-plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    analysed.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 40)
    analysed.wait_for_function("document.querySelector('.er-view video').currentTime > 1")
    assert abs(player_time(analysed) - 0.75 * 19.7) < 0.7
    analysed.wait_for_selector(".er-faces rect", state="attached")  # the face is marked at that moment


def test_a_click_on_a_claim_moves_the_player_there(analysed):
    analysed.wait_for_function("document.querySelector('.er-view video').readyState >= 1")
    claim = analysed.locator(".er-view a.claim[data-start]").first
    start, end = (float(claim.get_attribute(f"data-{name}")) for name in ("start", "end"))
    claim.click()
    analysed.wait_for_function("document.querySelector('.er-view video').currentTime > 0.05")
    assert start - 0.1 <= player_time(analysed) <= end + 0.1
    assert analysed.locator(".er-view .er-band.er-on").count() == 1


def test_the_playhead_follows_the_player(analysed):
    analysed.wait_for_function("document.querySelector('.er-view video').readyState >= 1")
    analysed.eval_on_selector(".er-view video", "video => { video.currentTime = 10 }")
    analysed.wait_for_function("Math.abs(Number(document.querySelector('.er-timeline').dataset.seconds) - 10) < 0.1")
    assert analysed.locator(".er-view .er-read").inner_text().startswith("10.0")


def test_the_keyboard_reaches_the_timeline(analysed):
    analysed.locator(".er-view .er-timeline").focus()
    analysed.keyboard.press("End")
    analysed.keyboard.press("Enter")
    analysed.wait_for_function("document.querySelector('.er-view video').currentTime > 19")
    assert player_time(analysed) > 19


def test_one_of_two_people_is_chosen(page, sample, tmp_path):
    """The clip's face and, beside it, its mirror image: two people."""
    face = next(iter(Clip(sample).frames([13.0]))).image
    both = np.ascontiguousarray(np.concatenate((face, face[:, ::-1]), axis=1))
    path = write_media(tmp_path / "two.mp4", even_times(24, 12.0), [both] * 24)
    page.set_input_files("#file input[type=file]", str(path))
    page.wait_for_selector("#file >> text=two")
    page.click("#analyse")
    page.wait_for_selector(".er-people")
    people = page.locator(".er-people button")
    assert people.all_inner_texts() == ["everybody", "p1", "p2"]
    page.eval_on_selector(".er-view video", "video => { video.currentTime = 1 }")
    page.wait_for_function("document.querySelectorAll('.er-faces rect').length === 2")
    people.nth(2).click()
    page.wait_for_function("document.querySelectorAll('.er-faces rect').length === 1")
    assert page.locator(".er-faces text").text_content() == "p2" and people.nth(2).get_attribute("aria-pressed") == "true"
    shown = page.locator(".er-view section[data-person]")
    assert [shown.nth(n).is_visible() for n in range(shown.count())] == [False, True]
    faded = page.eval_on_selector_all(".er-plot .er-row.er-dim", "rows => rows.map(row => row.dataset.person)")
    assert faded and set(faded) == {"p1"}
    people.nth(0).click()
    assert page.locator(".er-dim").count() == 0 and shown.nth(0).is_visible()


def test_a_question_is_answered_or_refused_in_words(analysed):
    box = analysed.locator("#question textarea, #question input").first
    box.fill("Why not fear? <img src=x onerror=alert(1)>")
    box.press("Enter")
    analysed.wait_for_selector("#talk >> text=cannot answer questions")
    assert analysed.locator("#talk img").count() == 0


def test_the_trained_model_explains_and_answers_with_checked_claims(page):
    page.locator("#model input").click()
    page.get_by_role("option", name=DEFAULT_MODEL).click()
    page.click("#sample")
    page.wait_for_selector(".er-view .er-timeline")
    assert page.locator(".er-view .explanation .claim .sign").count() > 0
    box = page.locator("#question textarea, #question input").first
    box.fill("Which action units show it?")
    box.press("Enter")
    page.wait_for_selector("#talk .claim")  # told apart once the answer is whole
    kinds = page.eval_on_selector_all("#talk .claim", "claims => claims.map(claim => claim.classList[1])")
    assert kinds and set(kinds) <= {"supported", "contradicted", "unverifiable"}


def test_files_can_be_taken_away(analysed):
    analysed.click("#files >> text=Take away")
    analysed.click("#make")
    link = analysed.locator("#made a[download]").first
    link.wait_for()
    with analysed.expect_download() as download:
        link.click()
    assert Path(download.value.path()).stat().st_size > 1000


def test_cancel_really_stops(page):
    page.click("#sample")
    page.wait_for_selector(".er-stage")
    page.click("#cancel")
    page.wait_for_selector("#state >> text=Stopped.")
    assert page.locator(".er-view").count() == 0


def test_rubbish_is_refused_in_words(page, tmp_path):
    (tmp_path / "<b>rubbish</b>.mp4".replace("/", "")).write_bytes(b"nothing" * 99)
    page.set_input_files("#file input[type=file]", str(next(tmp_path.iterdir())))
    page.wait_for_selector("#file >> text=rubbish")
    page.click("#analyse")
    page.wait_for_selector("#state >> text=neither video, picture nor sound")
    assert page.locator("#state b").count() == 0


def test_a_narrow_screen_has_no_sideways_scroll(analysed):
    analysed.set_viewport_size({"width": 400, "height": 800})
    wide = analysed.evaluate("document.documentElement.scrollWidth")
    assert wide <= 405
