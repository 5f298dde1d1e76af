"""The page loads nothing, escapes everything, and marks exactly what is learned."""

import base64
import hashlib
import random
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from face_pictures import face
from observations import make_observation
from voices import speech, write_wav

from emoreason.cli import run
from emoreason.instructions.collator import Source
from emoreason.instructions.conversation import converse
from emoreason.instructions.preview import few, labels, page, preview, show, waveform
from emoreason.instructions.record import ClosedLabel, Media, Record
from emoreason.instructions.tasks import tasks_for

LABELS = ("anger", "happiness", "sadness")
HOSTILE = '</style><script>alert("x")</script><img src=https://example.org/x.png>'


def record(name: str, value: str, **more) -> Record:
    label = ClosedLabel(scheme="set", value=value)
    return Record(id=name, dataset="set", split="train", group="g1", licence="none", labels=[label], **more)


class Reader(HTMLParser):
    """Tags with their attributes, the text of marks, the text of prompts."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.marked: list[str] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag == "mark"

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.marked.append(data)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    cv2.imwrite(str(tmp_path / "face.png"), np.full((48, 48, 3), 90, np.uint8))
    write_wav(tmp_path / "voice.wav", speech(2.0))
    return tmp_path


@pytest.fixture
def shown(root):
    one = record("a<b>", "happiness", media=Media(image="face.png", audio="voice.wav"), open_labels=[HOSTILE])
    smile = {"au": {"AU12": [(0.2, 1, 1.8, 0.9, "both")]}}
    observation = make_observation(people=[smile], duration_s=2, voice={"pitch": (260, "high")})
    return show(converse(one, observation, tasks_for("set", LABELS), random.Random(2)), root)


def test_media_are_on_the_page(shown):
    assert len(shown.pictures) == 1 and shown.pictures[0].width == 144 and not shown.problems
    assert len(shown.wave) == 240 and max(shown.wave) == pytest.approx(1) and shown.seconds == pytest.approx(2, abs=0.1)
    html = page([shown], "Set")
    (image,) = [attributes for tag, attributes in Reader(html).tags if tag == "img"]
    jpeg = base64.b64decode(image["src"].removeprefix("data:image/jpeg;base64,"))
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (144, 144, 3)


def test_nothing_is_loaded_and_nothing_gets_in(shown):
    html = page([shown], HOSTILE)
    tags = Reader(html).tags
    assert not {tag for tag, _ in tags} & {"script", "link", "iframe", "object", "form", "base"}
    assert all(not {"style", "onclick", "onerror"} & set(attributes) for _, attributes in tags)
    sources = [value for _, attributes in tags for key, value in attributes.items() if key in ("src", "href")]
    assert sources and all(source.startswith("data:image/jpeg;base64,") for source in sources)
    policy = next(a["content"] for t, a in tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy")
    css = re.search(r"<style>(.*?)</style>", html, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    assert "default-src 'none'" in policy and f"style-src 'sha256-{digest}'" in policy and "unsafe" not in policy
    assert "&lt;script&gt;" in html and "a&lt;b&gt;" in html


def test_every_answer_is_marked_and_no_prompt(shown):
    html = page([shown], "Set")
    marked = "".join(Reader(html).marked)
    for exchange in shown.conversation.exchanges:
        assert exchange.answer.replace(" ", "") in marked.replace(" ", "")
        assert exchange.question not in marked
        assert exchange.question in unescape(html)
    assert 'class="measured"' in html and shown.conversation.messages()[0].content in unescape(html)


def test_a_file_that_cannot_be_read_is_named(root):
    (root / "face.png").write_bytes(b"nothing")
    one = record("1", "anger", media=Media(image="face.png"))
    observation = make_observation(people=[{}], duration_s=1)
    made = show(converse(one, observation, tasks_for("set", LABELS), random.Random(0)), root)
    assert not made.pictures and len(made.problems) == 1 and "face.png" in made.problems[0]
    assert "face.png" in page([made], "Set")


def test_few_records_cover_the_labels():
    records = [record(f"{n}", LABELS[0] if n < 90 else LABELS[n % 2 + 1], transcript="well") for n in range(100)]
    some = few(records, 4, random.Random(1))
    assert len(some) == 4 and {one.labels[0].value for one in some} == set(LABELS)
    assert [int(one.id) for one in some] == sorted(int(one.id) for one in some)
    assert few(records, 4, random.Random(1)) == some
    assert few(records[:2], 9, random.Random(1)) == records[:2]


def test_labels_are_told_with_their_shares():
    votes = ClosedLabel(scheme="set", value="anger", shares={"anger": 0.75, "sadness": 0.25, "happiness": 0.0})
    made = converse(
        record("1", "anger", media=Media(image="x.png")).model_copy(update={"labels": [votes]}),
        make_observation(people=[{}], duration_s=1), tasks_for("set", LABELS), random.Random(0),
    )  # fmt: skip
    assert labels(made) == ["set: anger (anger 0.75, sadness 0.25)"]


def test_waveform_of_silence_and_of_nothing():
    assert waveform(np.zeros(1000, np.float32)) == (0.0,) * 240
    assert waveform(np.zeros(0, np.float32)) == ()
    assert len(waveform(np.ones(7, np.float32))) == 7


def test_records_are_measured_on_the_way(tmp_path):
    cv2.imwrite(str(tmp_path / "face.png"), face(128)[..., ::-1])  # skips without the assets
    records = [record("1", "happiness", media=Media(image="face.png"), cropped_face=True)]
    html = page_of(records, tmp_path)
    assert html == page_of(records, tmp_path)
    assert "p1: face seen" in html and html.count("<article>") == 1


def page_of(records: list[Record], root: Path) -> str:
    return preview(records, Source(records, root, {"": tasks_for("set", LABELS)}, None, words=True), "Set", root / "store")


def test_command_writes_a_page(tmp_path, capsys):
    (tmp_path / "jaffe").mkdir()
    cv2.imwrite(str(tmp_path / "jaffe" / "KA.HA1.29.tiff"), face(128)[..., ::-1])
    command = ["data", "preview", "jaffe", "--root", f"jaffe={tmp_path / 'jaffe'}", "--out", str(tmp_path / "pages")]
    assert run([*command, "--store", str(tmp_path / "store")]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == tmp_path / "pages" / "jaffe.html" and path.read_text("utf-8").count("<article>") == 1
