"""Metrics of certain benchmarks: that a suite which asks for them gets them, from the same rows."""

import pytest
from evaluation.made import face_suite, samples_of, write_suite

from emoreason.errors import ConfigError
from emoreason.evaluation.page.described import described
from emoreason.evaluation.results import Row
from emoreason.evaluation.scores import scoring


def row(name, truth, prediction, text=""):
    return Row(id=name, group=name, status="answered", truth=truth, prediction=prediction, text=text)


def scores(kind, family, rows, labels=("joy",), **changes):
    suite, _ = face_suite(kind, metrics=[family], **changes)
    return {score.metric: score for score in scoring(suite, labels).scores(rows)}


MOODS = [
    row(f"{k}", {"label": None, "score": true}, {"label": word, "score": said})
    for k, (true, said, word) in enumerate([(1.0, 0.9, "positive"), (-2 / 3, -0.6, "negative"), (0.0, -0.1, "neutral")])
]


def test_mosi_is_scored_on_its_own_scale():
    found = scores("sentiment", "mosi", MOODS, primary="mosi_mae")
    assert found["mosi_mae"].value == pytest.approx((0.3 + 0.2 + 0.3) / 3) and found["mosi_acc7"].value == 1.0
    assert found["mosi_acc2_non0"].n == 2 and "mae" in found


def test_polarity_leaves_zeros_out():
    found = scores("sentiment", "polarity", MOODS, primary="polarity_waf")
    assert found["polarity_waf"].value == 1.0 and found["polarity_waf"].n == 2


def named(label):
    return {"label": label, "confidence": 1.0, "probabilities": {"happiness": 0.5, "fear": 0.5}, "abstained": False}


def test_micro_expressions_are_merged_and_others_left_out():
    rows = [row("a", {"label": "happiness"}, named("fear")), row("b", {"label": "fear"}, named("sadness")),
            row("c", {"label": "others"}, named("fear"))]  # fmt: skip
    for one in rows:
        one.prediction["probabilities"] = {label: 1 / 4 for label in ("happiness", "fear", "sadness", "others")}
    found = scores("emotion", "micro_expressions", rows, ("happiness", "fear", "sadness", "others"), primary="megc_uf1")
    assert found["megc_uar"].n == 2 and found["megc_uar"].value == 0.5  # sadness is negative, as fear is


def test_graded_units_are_compared_where_they_were_graded():
    truth = [{"units": {"AU04": True, "AU12": x > 0}, "intensities": {"AU12": x}} for x in (0.0, 0.4, 0.8)]
    said = [{"units": {"AU04": 0.9, "AU12": x}, "bound": 0.25} for x in (0.2, 0.4, 1.0)]
    rows = [row(f"{k}", *pair) for k, pair in enumerate(zip(truth, said, strict=True))]
    found = scores("action_units", "intensity", rows, units=["AU04", "AU12"], primary="intensity_mae")
    assert found["intensity_mae"].parts["AU12"] == pytest.approx(5 * 0.4 / 3) and found["intensity_mae"].parts["AU04"] is None
    assert 0.9 < found["intensity_icc31"].parts["AU12"] < 1


def test_a_hit_is_any_word_of_the_list_on_the_label_s_wheel():
    words = [["joyful", "angry", "sad"], ["sad"], []]
    rows = [row(f"{k}", {"words": ["joy"]}, {"words": said}) for k, said in enumerate(words)]
    found = scores("open_vocabulary", "hit", rows, ("joy", "anger"), primary="list_length")
    (hit,) = (score for name, score in found.items() if name.startswith("hit_") and not name.endswith("neutral"))
    assert hit.value == pytest.approx(1 / 3) and found["list_length"].value == pytest.approx(4 / 3)
    assert all(described(name) for name in found)


def test_truths_of_a_hit_are_the_labels(tmp_path):
    path = write_suite(tmp_path, kind="open_vocabulary", metrics=["hit"], primary="list_length")
    assert [sample.truth for sample in samples_of(path).samples][:2] == [{"words": ["joy"]}, {"words": ["anger"]}]


def test_descriptions_are_compared_where_somebody_wrote_one():
    truth = {"label": "joy", "units": {}, "reference": "He smiles widely"}
    counts = {"claims_per_text": [1, 1]}
    rows = [row("a", truth, {"label": "joy", "counts": counts}, "He smiles widely"),
            row("b", truth | {"reference": None}, {"label": "joy", "counts": counts}, "x")]  # fmt: skip
    found = scores("reasoning", "rege", rows, primary="rege_emotion", input="media")
    assert found["rege_emotion"].value == pytest.approx(200) and found["rege_emotion"].n == 1


def test_nothing_to_score_is_said():
    with pytest.raises(ConfigError, match="metrics 'mosi': no sample"):
        scores("sentiment", "mosi", [row("a", {"label": "positive", "score": None}, {"label": "positive", "score": 0.1})])
