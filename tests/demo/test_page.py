"""What the buttons do, without a browser, on real media."""

import json
import zipfile
from concurrent.futures import wait
from types import SimpleNamespace

import numpy as np
import pytest
from builders import even_times, tone, write_media
from PIL import Image

from emoreason import EmotionReasoner
from emoreason.cli.demo import load
from emoreason.errors import ConfigError
from emoreason.media import Clip
from emoreason.perception.settings import PerceptionSettings

MODALITIES = ["face", "voice", "words"]


@pytest.fixture
def page(studio, tmp_path):
    return load("page").Page(studio, load("sessions").Sessions(), tmp_path)


@pytest.fixture(scope="session")
def request_of():
    return lambda name="a": SimpleNamespace(session_hash=name)


@pytest.fixture(scope="module")
def short(sample, tmp_path_factory):
    """A second of the sample clip, from its laughing part."""
    clip = Clip(sample)
    times = np.arange(13.0, 14.0, 0.1)
    path = tmp_path_factory.mktemp("short") / "short <img src=x onerror=alert(1)>.mp4"
    return str(
        write_media(path, times_s=even_times(10, 10), images=[frame.image for frame in clip.frames(times)], sound=tone(1.0))
    )


def analysed(page, file, request, modalities=MODALITIES, transcript=""):
    return list(page.analyse(file, None, None, "composer", modalities, transcript, "", request))


def test_a_clip_becomes_a_view_and_equals_the_library(page, short, request_of):
    state, view, ask, _, files, _ = analysed(page, short, request_of())[-1]
    assert state == "" and ask["visible"] and files["visible"]
    report = page.sessions.of("a").report
    expected = EmotionReasoner.from_pretrained("composer", PerceptionSettings(), cache=False)(short)
    drop = {"timings_s"}
    shown, told = (json.loads(one.to_json()) for one in (report, expected))
    assert {k: v for k, v in shown.items() if k not in drop} == {k: v for k, v in told.items() if k not in drop}
    for claim in report.explanation.claims:
        assert claim.text in view


def test_names_and_words_from_outside_are_escaped(page, short, request_of):
    view = analysed(page, short, request_of(), transcript="<script>alert(2)</script> & <b>bold</b>")[-1][1]
    assert "<img" not in view and "<script" not in view and "<b>" not in view
    assert "&lt;script&gt;" in view


def test_what_does_not_count_is_left_out(page, short, request_of):
    analysed(page, short, request_of(), modalities=["voice"])
    report = page.sessions.of("a").report
    assert not report.people and report.source.has_video


@pytest.mark.parametrize("file, modalities, said", [(None, MODALITIES, "Choose a file"), ("x.mp4", [], "at least one of")])
def test_what_is_missing_is_said(page, request_of, file, modalities, said):
    assert said in analysed(page, file, request_of(), modalities)[-1][0]


def test_rubbish_and_long_clips_are_refused(page, request_of, tmp_path, sample):
    (tmp_path / "rubbish.mp4").write_bytes(b"nothing" * 99)
    assert "neither video, picture nor sound" in analysed(page, str(tmp_path / "rubbish.mp4"), request_of())[-1][0]
    page.studio = load("studio").Studio({"composer": "composer"}, longest_s=5.0)
    assert "this page takes" in analysed(page, sample, request_of())[-1][0]


def test_pages_do_not_see_each_other(page, short, request_of):
    analysed(page, short, request_of("a"))
    assert page.sessions.of("b").report is None
    page.left(request_of("a"))
    assert page.sessions.of("a").report is None


def test_the_composer_says_that_it_answers_no_questions(page, short, request_of):
    analysed(page, short, request_of())
    talk, _ = list(page.answer("Why not <b>fear</b>?", "composer", request_of()))[-1]
    assert "cannot answer questions" in talk and "<b>" not in talk and "&lt;b&gt;fear" in talk


def test_claims_of_an_answer_are_marked_and_lead_to_their_moment(page, short, request_of):
    analysed(page, short, request_of())
    html = load("viewer").talk([("Why?", page.sessions.of("a").report.explanation)])
    assert html.count('class="claim ') == len(page.sessions.of("a").report.explanation.claims) > 0
    assert 'data-start="' in html


def test_the_same_clip_without_its_face_is_compared(page, short, request_of):
    analysed(page, short, request_of())
    html = list(page.compare(None, "composer", ["voice"], request_of()))[-1][1]
    assert "No verdict" in html and "<img" not in html


def test_files_to_take_away(page, short, request_of):
    analysed(page, short, request_of())
    paths = page.export(["json", "zip of all"], True, request_of())
    names = {path.rpartition("/")[2] for path in paths}
    assert names == {"emoreason.zip", "report.json", "faces_blurred.mp4"}
    with zipfile.ZipFile(next(path for path in paths if path.endswith(".zip"))) as archive:
        assert {"report.json", "report.html", "frames.csv", "tiers.eaf"} <= set(archive.namelist())


def test_faces_are_blurred_and_the_rest_is_not(page, short, request_of):
    analysed(page, short, request_of())
    observation = page.sessions.of("a").report.observation
    (path,) = [path for path in page.export([], True, request_of()) if path.endswith(".mp4")]
    before, after = (next(iter(Clip(one).frames([0.5]))).image.astype(float) for one in (short, path))
    x, y, w, h = observation.people[0].boxes[len(observation.people[0].times_s) // 2].astype(int)

    def detail(image):
        return np.abs(np.diff(image[y : y + h, x : x + w].mean(-1), axis=1)).mean()

    assert detail(after) < 0.35 * detail(before)
    assert np.abs(before[:, :40] - after[:, :40]).mean() < 4
    assert Clip(path).has_audio


def test_a_picture_has_no_player(page, request_of, tmp_path):
    Image.new("RGB", (64, 64), (90, 80, 70)).save(tmp_path / "grey.png")
    state, view, *_ = analysed(page, str(tmp_path / "grey.png"), request_of())[-1]
    assert "<video" not in view and "No verdict" in view


def test_the_first_model_is_loaded_ahead(page, monkeypatch):
    asked = []
    monkeypatch.setattr(type(page.studio), "reasoner", lambda _, model: asked.append(model))
    wait([page.studio.warm()])
    assert asked == ["composer"]


def test_a_model_that_cannot_be_loaded_is_no_error_of_a_visit(page, monkeypatch):
    page.studio = load("studio").Studio({"gone": "no-such-model"}, longest_s=5.0)
    wait([page.studio.warm()])
    with pytest.raises(ConfigError, match="no-such-model"):
        page.studio.reasoner("gone")
