"""The page of a result: whole, escaped, self-contained."""

import re

import pytest
from evaluation.made import LABELS, named, row, task_of

from emoreason.evaluation.page import page
from emoreason.evaluation.page.charts import reliability_svg, risk_coverage_svg
from emoreason.evaluation.page.document import matrix
from emoreason.evaluation.tasks.emotion import sureness
from emoreason.evaluation.worst import WorstSample, worst
from emoreason.scoring.metrics.calibration import reliability, risk_coverage

RUN = {
    "judge": {"name": "composer", "revision": "1"},
    "limit": None,
    "left_out": {"without <b>label</b>": 3},
    "unread": [],
    "unreachable": [],
    "made": "2026",
    "crosswalk": {"happiness": "joy"},
    "environment": {"emoreason": "1", "python": "3", "machine": "m", "cores": 2, "packages": {}},
    "key": "k",
    "samples_sha256": "s",
}
ROWS = [
    row("a", {"label": "joy"}, named("joy", 0.9), fold=0),
    row("<script>b", {"label": "joy"}, named("anger", 0.8), fold=1),
    row("c", {"label": "anger"}, reason="nobody <i>there</i>", notes=["no_face"], fold=1),
    row("d", {"label": "anger"}, status="failed", reason="<img src=x>", fold=0),
]


def made(kind="emotion", rows=ROWS, labels=LABELS, looked=None, **changes):
    task = task_of(kind, labels, **changes)
    looked = [WorstSample(one, "said <u>this</u>") for one in worst(task, rows)] if looked is None else looked
    return page(RUN, task, rows, task.scores(rows), task.by_fold(rows), looked)


def test_everything_from_outside_is_escaped():
    text = made(title="Ti<tle>")
    assert not re.search(r"<(script|b|i|u|img src=x|tle)>", text)
    for escaped in (
        "&lt;script&gt;b",
        "nobody &lt;i&gt;there",
        "&lt;img src=x&gt;",
        "said &lt;u&gt;",
        "without &lt;b&gt;label",
        "Ti&lt;tle",
    ):
        assert escaped in text, escaped


def test_no_outside_reference():
    text = made()
    assert "default-src &#39;none&#39;" in text and not re.search(r"(?:src|href)=\"(?!data:)[a-z]+:", text)


def test_what_it_shows():
    text = made()
    assert "1 of 4 samples failed" in text and "0.250" in text
    for heading in ("Scores", "Folds", "Confusion", "Confidence", "Worst samples"):
        assert f"<h2>{heading}</h2>" in text
    assert "try, not a result" not in text


@pytest.mark.parametrize(
    ("kind", "rows", "changes"),
    [
        (
            "action_units",
            [row("a", {"units": {"AU12": True}}, {"units": {"AU12": 0.5}})],
            {"units": ["AU12"], "primary": "au_mean_f1"},
        ),
        ("causes", [row("a", {"pairs": [[2, 1, "joy"]]}, {"pairs": [[1, 1, "joy"]]})], {"primary": "emotion_pair_weighted_f1"}),
        ("sentiment", [row("a", {"label": "positive", "score": None}, {"label": "neutral", "score": 0.0})], {}),
        (
            "valence_arousal",
            [row("a", {"valence": 0.1, "arousal": 0.2}, {"valence": 0.2, "arousal": 0.1})],
            {"primary": "mean_ccc"},
        ),
        ("open_vocabulary", [row("a", {"words": ["sad"]}, {"words": ["glad"]})], {"primary": "list_length"}),
        (
            "reasoning",
            [row("a", {"label": None}, {"label": None, "counts": {"claims_per_text": [0, 1]}})],
            {"primary": "claims_per_text"},
        ),
        (
            "hallucination",
            [
                row("a#yes", {"answer": "yes", "asked": "joy", "pair": "a"}, {"answer": "no"}),
                row("a#no", {"answer": "no", "asked": "fear", "pair": "a"}),
            ],
            {"primary": "hallucination_overall"},
        ),
    ],
)
def test_every_kind_has_a_page(kind, rows, changes):
    text = made(kind, rows, **changes)
    assert "<h2>Scores</h2>" in text and ("Action units" in text) == (kind == "action_units")
    task = task_of(kind, LABELS, **changes)
    assert all(task.describe(score.metric) for score in task.scores(rows))


def test_worst_are_the_surest_mistakes():
    rows = [row(f"{k}", {"label": "joy"}, named("anger" if k else "joy", 0.4 + k / 10)) for k in range(5)]
    assert [one.id for one in worst(task_of(), rows, most=3)] == ["4", "3", "2"]


def test_the_matrix_counts_rows_and_what_has_no_answer():
    lines = {line["label"]: line for line in matrix(LABELS, ROWS)["lines"]}
    assert [cell["n"] for cell in lines["joy"]["cells"]] == [1, 1, 0, 0]
    assert [cell["n"] for cell in lines["anger"]["cells"]] == [0, 0, 0, 2] and lines["anger"]["recall"] == 0.0
    assert lines["fear"]["recall"] is None and lines["joy"]["cells"][0]["right"]


def test_charts_stay_inside_their_axes():
    sure, right = sureness(ROWS)
    for svg in (reliability_svg(reliability(sure, right)), risk_coverage_svg(risk_coverage(sure, right))):
        width, height = map(float, re.search(r'viewBox="0 0 (\d+) (\d+)"', svg).groups())
        for x in re.findall(r' c?x="([\d.]+)"', svg):
            assert 0 <= float(x) <= width
        for y in re.findall(r' c?y="([\d.]+)"', svg):
            assert 0 <= float(y) <= height


def test_phrases():
    units = task_of("action_units", units=["AU04"])
    assert units.phrase({"units": {"AU04": True, "AU12": False}}) == "AU04"
    assert units.phrase({"units": {"AU04": 0.1, "AU12": 0.5, "AU01": None}}) == "AU12 0.50"
    assert task_of().phrase({"label": "joy"}) == "joy" and task_of("causes").phrase({"pairs": [[2, 1, None]]}) == "2 because of 1"
    asked = {"answer": "yes", "asked": "joy", "pair": "a"}
    assert [task_of("hallucination").phrase(one) for one in (asked, {"answer": "no"})] == ["yes to “joy”", "no"]
