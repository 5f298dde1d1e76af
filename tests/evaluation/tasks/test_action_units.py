"""Action units: measured or by the head, their bounds, and their scores."""

import pytest
from evaluation.made import SMILE, context_of, row, sample_input, values
from inference.toys import make_judge, noise_clip, observed
from scipy.special import expit

from emoreason.evaluation.inputs import SampleInput
from emoreason.labels.action_units import ACTION_UNITS
from emoreason.perception.segments import Segment


def test_units_with_their_intensity():
    suite_units = ["AU04", "AU12"]
    (prediction,) = context_of("action_units", units=suite_units).predictions([sample_input("a", {}, people=SMILE)])
    assert prediction.prediction["units"] == {"AU04": 0.0, "AU12": pytest.approx(0.9, abs=0.02)}
    (nobody,) = context_of("action_units", units=suite_units).predictions([sample_input("a", {}, people=())])
    assert nobody.status == "silent"


@pytest.fixture(scope="module")
def toy():
    return make_judge(trained=True).with_settings(most_tokens=4)  # what it writes means nothing anyway


def by_head(toy, one):
    """The largest probability over the frames of the only face, from the logits that the engine hands out."""
    judge = toy
    given = judge.processor.prepare(one.observation, Segment(0.0, 30.0), one.clip, "?")
    logits = judge.engine.read(judge.processor([given])).heads["action_units"][0, 0]  # [T, K]
    largest = expit(logits[given.frame_mask[0]]).max(0)
    return {au: float(largest[list(ACTION_UNITS).index(au)]) for au in ("AU04", "AU12")}


def test_units_by_the_head_of_a_model(toy, tmp_path):
    clip = noise_clip(tmp_path)
    seen, nobody = sample_input("a", {}), sample_input("b", {})
    pair = [
        SampleInput(seen.sample, seen.record, observed(clip), clip),
        SampleInput(nobody.sample, nobody.record, observed(clip, ()), clip),
    ]
    prediction = context_of("action_units", toy, units=["AU04", "AU12"], answer="head").predictions(pair)
    assert prediction[0].prediction["units"].keys() == {"AU04", "AU12"} and prediction[0].prediction["bound"] == 0.5
    assert prediction[0].prediction["units"] == pytest.approx(by_head(toy, pair[0]), abs=1e-3)
    assert prediction[1].status == "silent" and prediction[1].reason == "no face was found"
    measured = context_of("action_units", toy, units=["AU04", "AU12"]).predictions(pair[:1])
    assert measured[0].prediction["units"]["AU12"] == pytest.approx(0.9, abs=0.02) and measured[0].prediction["bound"] == 0.25


def test_action_units_from_the_bound_of_slight_on():
    rows = [
        row("a", {"units": {"AU01": True, "AU04": False}}, {"units": {"AU01": 0.25, "AU04": 0.24}}),
        row("b", {"units": {"AU01": False, "AU04": True}}, {"units": {"AU01": 0.9, "AU04": None}}),
        row("c", {"units": {"AU04": True}}),
    ]
    found = values("action_units", rows, units=["AU01", "AU04"], primary="au_mean_f1")["au_mean_f1"]
    assert found.parts == {"AU01": pytest.approx(2 / 3), "AU04": 0.0} and found.unanswered == 1
    assert found.value == pytest.approx(1 / 3)


def test_a_known_set_of_units_has_its_name():
    units = ["AU01", "AU02", "AU04", "AU06", "AU09", "AU12", "AU25", "AU26"]
    rows = [row("a", {"units": {"AU12": True}}, {"units": {"AU12": 0.5}})]
    assert values("action_units", rows, units=units, primary="disfa8_mean_f1")["disfa8_mean_f1"].value == 1.0


def test_a_bound_of_the_answer_s_own():
    rows = [row("a", {"units": {"AU01": True, "AU04": False}}, {"units": {"AU01": 0.5, "AU04": 0.4}, "bound": 0.5})]
    found = values("action_units", rows, units=["AU01", "AU04"], primary="au_mean_f1")["au_mean_f1"]
    assert found.value == 1.0


def test_graded_units_are_compared_where_they_were_graded():
    truth = [{"units": {"AU04": True, "AU12": x > 0}, "intensities": {"AU12": x}} for x in (0.0, 0.4, 0.8)]
    prediction = [{"units": {"AU04": 0.9, "AU12": x}, "bound": 0.25} for x in (0.2, 0.4, 1.0)]
    rows = [row(f"{k}", *pair) for k, pair in enumerate(zip(truth, prediction, strict=True))]
    found = values("action_units", rows, metrics=["intensity"], units=["AU04", "AU12"], primary="intensity_mae")
    assert found["intensity_mae"].parts["AU12"] == pytest.approx(5 * 0.4 / 3) and found["intensity_mae"].parts["AU04"] is None
    assert 0.9 < found["intensity_icc31"].parts["AU12"] < 1
