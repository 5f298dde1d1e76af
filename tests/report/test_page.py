"""The page: whole, safe with hostile text, bounded in size, and true to the numbers it draws."""

import base64
import hashlib
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from builders import even_times, write_media
from observations import make_observation
from PIL import Image
from report_fixtures import HOSTILE, make_report, two_people

from emoreason.perception.au_series import AuEvent
from emoreason.report import schema
from emoreason.report.clock import clock, span, ticks
from emoreason.report.emotion_report import EmotionReport
from emoreason.report.page import page, script, style, timeline_svg
from emoreason.report.page.document import passages
from emoreason.report.page.keyframes import MOST, moments_of, try_key_frames
from emoreason.report.page.marks import MOST_POINTS, MOST_SPANS, Mark, curve, lanes, strip, thinned

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Reads a page into `nodes`: (tag, attributes); checks that tags close in order."""

    def __init__(self, text: str):
        super().__init__()
        self.nodes, self.stack, self.text, self.inline = [], [], "", {}
        self.feed(text)
        self.close()
        assert not self.stack, self.stack

    def handle_starttag(self, tag, attrs):
        self.nodes.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.nodes.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack and self.stack[-1] == tag, f"</{tag}> closes {self.stack[-3:]}"
        self.stack.pop()

    def handle_data(self, data):
        if self.stack and self.stack[-1] in ("style", "script"):
            self.inline[self.stack[-1]] = self.inline.get(self.stack[-1], "") + data
        else:
            self.text += data

    def of(self, css_class: str) -> list[dict[str, str]]:
        return [attrs for _, attrs in self.nodes if css_class in attrs.get("class", "").split()]


@pytest.fixture(scope="module")
def shown():
    return Page(page(make_report()))


def test_hostile_text_stays_text(shown):
    tags = [tag for tag, _ in shown.nodes]
    assert tags.count("script") == 1 and "img" not in tags
    assert not [name for _, attrs in shown.nodes for name in attrs if name.startswith("on") or name == "style"]
    for text in HOSTILE[:3]:
        assert text in shown.text
    assert '<b>"x"&y; שלום.mp4' in shown.text


def test_policy_allows_exactly_the_inline_style_and_script(shown):
    (policy,) = (a["content"] for t, a in shown.nodes if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    for tag in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(shown.inline[tag].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_nothing_is_fetched(shown):
    for _, attrs in shown.nodes:
        for name in ("src", "href", "xlink:href", "action", "data"):
            assert attrs.get(name, "#").startswith(("#", "data:image/jpeg;base64,"))
    assert "url(" not in style() and "@import" not in style() and not re.search(r"fetch|XMLHttp|innerHTML|eval", script())


def test_each_claim_is_marked_and_linked_to_its_moment(shown):
    report = make_report()
    marked = shown.of("claim")
    assert [m["class"].split()[1] for m in marked] == [c.verdict for c in report.explanation.claims]
    assert [(m.get("data-start"), m.get("href")) for m in marked] == [
        ("1.8", "#timeline"), ("1.8", "#timeline"), ("2.0", "#timeline"), (None, None), ("5.0", "#timeline"),
    ]  # fmt: skip
    assert marked[2]["title"] == "contradicted: -12 dBFS, high"
    assert {"timeline"} == {attrs["id"] for _, attrs in shown.nodes if "id" in attrs}


def test_passages_keep_the_text_whatever_the_claims():
    claim = make_report().explanation.claims[0]
    said = [claim.model_copy(update={"text": text}) for text in ("a smile", "smile", "a smile", "not there", "")]
    text = "There is a smile, then a smile."
    parts = passages(text, said)
    assert "".join(part for part, _ in parts) == text
    assert [part for part, found in parts if found] == ["a smile", "a smile"]


def test_figure_shows_people_voice_words_and_claims(shown):
    names = shown.text
    for name in ("p1", "p2", "AU12 lip corner puller", "loudness", "pitch", "words", "claims", "anger", "0.0 s", "12.0 s"):
        assert name in names
    labels = [attrs["data-label"] for attrs in shown.of("er-bar") if "data-label" in attrs]
    assert "p1 AU12 strong (peak 0.86)" in labels and "p2 speaks" in labels and f"“{HOSTILE[0]}”" in labels
    bar = next(a for a in shown.of("er-bar") if a.get("data-label", "").startswith("p1 AU12 strong"))
    assert (bar["x"], bar["width"]) == ("15%", "25.83%")  # 1.8 s and 3.1 s of 12 s


def test_abstaining_and_measureless_reports_have_a_page():
    report = make_report(abstained=True)
    again = Page(page(EmotionReport.from_json(report.to_json())))
    assert "No verdict" in again.text and "too little to see" in again.text
    assert again.of("er-bar") and not again.of("er-curve")


def with_course(report: EmotionReport, *spans: tuple[float, float, str, float]) -> EmotionReport:
    course = [schema.EmotionSpan(start_s=a, end_s=b, emotion=e, confidence=p) for a, b, e, p in spans]
    first = report.people[0].model_copy(update={"course": course})
    verdict = report.verdict.model_copy(update={"course": course})
    return report.model_copy(update={"verdict": verdict, "people": [first, *report.people[1:]]})


@pytest.mark.parametrize("abstained", [False, True])
def test_a_course_is_the_headline_and_a_row_of_the_figure(abstained):
    report = with_course(make_report(abstained=abstained), (0, 5.9, "sadness", 0.61), (5.9, 11.9, "happiness", 0.94))
    shown = Page(page(report, key_frames=False))
    assert "Sadness, then happiness from 5.9 s" in shown.text and "confidence 61 %, then 94 %" in shown.text
    assert ("No single emotion is named" if abstained else "Over the whole clip: neutral") in shown.text
    assert "is shown" not in shown.text.split("Explanation")[0]
    labels = [attrs["data-label"] for attrs in shown.of("er-bar") if "data-label" in attrs]
    assert "p1 sadness, a phase" in labels and "p1 happiness, a phase" in labels


def test_one_phase_changes_nothing_on_the_page():
    report = with_course(make_report(), (0, 11.9, "neutral", 0.5))
    assert page(report, key_frames=False) == page(make_report(), key_frames=False)


def test_a_picture_has_a_page_without_a_timeline():
    observation = make_observation(0.0, people=[])
    report = make_report(observation, abstained=True)
    assert timeline_svg(report, observation) == "" and "er-timeline" not in {
        c for _, a in Page(page(report)).nodes for c in [a.get("class")]
    }


def test_curves_end_where_nothing_was_measured():
    times = np.arange(0, 10, 0.1)
    values = np.where((times > 4) & (times < 6), np.nan, 0.5)
    path = re.search(r' d="([^"]*)"', curve(times, values, 10.0, low=0, high=1, name="x"))[1]
    strokes = [np.fromstring(part, sep=" ").reshape(-1, 2) for part in path.split("M")[1:]]
    assert [stroke[[0, -1], 0].tolist() for stroke in strokes] == [[0.0, 400.0], [600.0, 990.0]]
    assert {y for stroke in strokes for y in stroke[:, 1]} == {50.0}


def test_long_curves_keep_their_peaks():
    times = np.arange(0, 3600, 1 / 12)
    values = np.zeros(len(times))
    values[20_000] = 1.0
    path = re.search(r' d="([^"]*)"', curve(times, values, 3600.0, low=0, high=1, name="x", peaks=True))[1]
    points = np.fromstring(path[1:], sep=" ").reshape(-1, 2)
    assert len(points) == MOST_POINTS
    assert points[points[:, 1].argmin()].tolist() == pytest.approx([1000 * times[20_000] / 3600, 0], abs=1.5)


def test_full_rows_are_thinned_but_cover_the_same_time():
    marks = [Mark(s, s + 0.9, "smiles" if s < 500 else "frowns", f"k{s < 500}") for s in range(1000)]
    some = thinned(marks, 1000.0)
    assert len(some) <= MOST_SPANS
    assert {m.label for m in some if m.end_s <= 500} == {"smiles"} and {m.label for m in some if m.start_s >= 500} == {"frowns"}
    assert sum(m.end_s - m.start_s for m in some) == pytest.approx(1000, rel=0.01)
    assert strip(marks, 1000.0, 10).count("<path") == 2


def test_claims_that_overlap_lie_in_rows():
    marks = [Mark(0, 5, "a"), Mark(1, 2, "b"), Mark(5, 6, "c"), *(Mark(1.5, 2, "d") for _ in range(9))]
    rows = lanes(marks, most=4)
    assert [m.label for m in rows[0]] == ["a", "c"] and len(rows) == 4 and sum(map(len, rows)) == len(marks)


def test_an_hour_with_four_people_stays_small():
    report, duration = make_report(make_observation(1.0)), 3600.0
    rng, units = np.random.default_rng(0), ("AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU10", "AU12", "AU14", "AU25")
    observation = make_observation(
        duration,
        fps=4,
        people=[{"speaking": [(s, s + 2.0) for s in np.arange(4.0 * n, duration, 18)]} for n in range(4)],
        voice={"pitch": (200.0, "typical"), "loudness": (-20.0, "typical")},
        words=[(s, s + 3.0, "something that somebody said in a long conversation <&>") for s in np.arange(0, duration - 4, 4.0)],
    )
    for person in observation.people:  # the builder's bumps are slow for thousands of events
        series = person.action_units
        starts = np.sort(rng.uniform(0, duration - 5, (len(units), 200)))
        events = {
            au: [AuEvent(t, t + 0.5, t + 2, 0.5 + 0.4 * (t % 1), "both") for t in row]
            for au, row in zip(units, starts, strict=True)
        }
        noise = np.abs(rng.normal(0, 0.3, series.intensity.shape)).clip(0, 1)
        person.__dict__["action_units"] = replace(series, events=events, intensity=noise)
    long = make_report(observation)
    segments = [
        schema.SegmentReport(start_s=6 * n, end_s=6 * n + 6, verdict=report.verdict, explanation=report.explanation)
        for n in range(600)
    ]
    text = page(long.model_copy(update={"segments": segments}).attach(observation, long.frame_probabilities))
    assert len(text.encode()) < 500_000
    assert "540 more in report.json" in text and Page(text).of("er-many")


def test_a_crowd_is_cut_to_those_longest_in_view():
    people = [{"start_s": 0.0, "end_s": 1.0 + n} for n in range(12)]
    shown = Page(page(make_report(make_observation(20, people=people), abstained=True)))
    assert [a["data-label"] for a in shown.of("er-seen")] == [f"p{n} in view" for n in range(5, 13)]
    assert "4 people were in view for a shorter time" in shown.text


def test_times_read_well():
    assert [clock(4.25), clock(119.94), clock(125), clock(3725), clock(4, 600)] == ["4.2 s", "119.9 s", "2:05", "1:02:05", "0:04"]
    assert [span(1.8, 4.9, 12), span(64, 70, 300)] == ["1.8–4.9 s", "1:04–1:10"]
    for duration in (0.3, 1, 19.7, 60, 119, 3600, 100_000):
        times = ticks(duration)
        assert 2 <= len(times) <= 12 and times[0] == 0 and times[-1] <= duration


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "two people.mp4"
    write_media(path, even_times(120, 10.0), size=(640, 360))
    return str(path)


def test_key_frames_are_cut_again_at_the_strongest_moments(clip):
    observation = two_people(path=clip)
    frames, reason = try_key_frames(observation)
    assert reason is None and 2 <= len(frames) <= MOST and [f.time_s for f in frames] == sorted(f.time_s for f in frames)
    smile = min(frames, key=lambda frame: abs(frame.time_s - 3.0))
    assert abs(smile.time_s - 3.0) <= 0.1 and smile.units[0].startswith("p1 AU12 0.8")
    picture = Image.open(io.BytesIO(base64.b64decode(smile.jpeg)))
    assert picture.size == (smile.width, smile.height) == (400, 225)
    box, person = smile.boxes[0], observation.people[0]
    at = int(np.argmin(np.abs(person.times_s - smile.time_s)))
    assert box.person == "p1" and [box.x, box.width] == pytest.approx(person.boxes[at][[0, 2]] * 400 / 640, abs=0.01)
    with_frames, without = (page(make_report(observation), key_frames=choice) for choice in (True, False))
    assert with_frames.count("data:image/jpeg") == len(frames) and "data:image" not in without.replace("img-src data:", "")
    assert len(without.encode()) < 500_000


def test_moments_are_apart_and_prefer_what_is_reliable():
    weak = {"AU06": [(1.0, 1.2, 1.5, 0.9, "both")], "AU12": [(5.0, 5.2, 5.5, 0.5, "both"), (5.3, 5.4, 5.6, 0.49, "both")]}
    moments = moments_of(make_observation(10, people=[{"au": weak}], reliability={"AU06": "low"}))
    assert moments[:2] == [5.2, 1.2] and len(moments) == 3  # and the best view, at 0 s


def test_a_picture_is_shown_once():
    events = {"AU06": [(0.0, 0.0, 0.0, 0.5, "both")], "AU12": [(0.0, 0.0, 0.0, 0.8, "both")]}
    observation = make_observation(0.05, people=[{"au": events}, {}])
    picture = replace(observation, source=replace(observation.source, duration_s=0.0, kind="picture"))
    picture.__dict__["people"] = observation.people  # with the series that the builder made
    assert moments_of(picture) == [0.0]


def test_a_moved_file_is_said_not_raised():
    text = Page(page(make_report())).text
    assert "No pictures" in text and "no such file" in text
