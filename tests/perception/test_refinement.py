"""Measured action units with a trained head's opinion in them, and how that opinion is kept."""

from dataclasses import replace

import numpy as np
import pytest
from observations import make_observation

from emoreason.labels.action_units import ACTIVE, AUS
from emoreason.perception.action_units import intensity
from emoreason.perception.au_series import AuSeries
from emoreason.perception.interpolation import interpolated
from emoreason.perception.refinement import TIMED, HeadUnits, Refinement, refined_series
from emoreason.perception.store import ObservationStore, load_refinement, save_refinement

HEAD = ("AU12", "AU04", "AU43")


def measured(person, **intensities: float) -> AuSeries:
    """The same intensity in every frame; units that are not named are measured as absent."""
    shown = np.full((len(person.times_s), len(AUS), 2), 0.02, np.float32)
    for au, value in intensities.items():
        shown[:, AUS.index(au)] = value
    return AuSeries(person.times_s, shown, {}, dict.fromkeys(AUS, "fused"), dict.fromkeys(AUS, "high"))


def opinion(person, every: int = 1, **logits: float) -> HeadUnits:
    times = person.times_s[::every]
    return HeadUnits(HEAD, times, np.tile([logits.get(au, -4.0) for au in HEAD], (len(times), 1)).astype(np.float32))


@pytest.fixture
def person():
    return make_observation(6.0, 10.0, [{}]).people[0]


def test_the_joint_logit_is_the_mean_of_both(person):
    series = refined_series(measured(person, AU12=ACTIVE), person, opinion(person, AU12=2.0))
    np.testing.assert_allclose(series.of("AU12"), intensity(np.array(1.0)), atol=1e-4)
    assert series.source["AU12"] == "model" and series.source["AU06"] == "fused"
    assert [round(event.onset_s) for event in series.events["AU12"]] == [0], "events are those of the joint series"


def test_a_sure_head_ends_what_was_measured_falsely(person):
    falsely = measured(person, AU04=0.4)
    assert "AU04" not in refined_series(falsely, person, opinion(person, AU04=-5.0)).events
    assert "AU04" in refined_series(falsely, person, opinion(person, AU04=1.0)).events


def test_what_was_not_measured_stays_unknown_and_sides_keep_their_difference(person):
    told = measured(person, AU12=np.nan, AU04=0.3)
    told.intensity[:, AUS.index("AU04"), 0] = 0.6
    series = refined_series(told, person, opinion(person, AU12=5.0, AU04=1.0))
    assert np.isnan(series.of("AU12")).all()
    left, right = series.of("AU04", "left"), series.of("AU04", "right")
    assert (left > right + 0.05).all()


def test_units_told_apart_by_their_duration_stay_measured(person):
    told = measured(person, AU43=0.5)
    series = refined_series(told, person, opinion(person, AU43=-6.0))
    np.testing.assert_allclose(series.of("AU43"), told.of("AU43"), atol=1e-6)
    assert "AU43" in TIMED and series.source["AU43"] == "fused"


def test_frames_far_from_any_judged_one_stay_as_measured(person):
    told = measured(person, AU12=0.3)
    sparse = opinion(person, every=20, AU12=6.0)  # one frame in two seconds
    shown = refined_series(told, person, sparse).of("AU12")
    judged = np.isin(person.times_s, sparse.times_s)
    assert (shown[judged] > 0.6).all() and shown[~judged] == pytest.approx(np.full((~judged).sum(), 0.3), abs=1e-5)


def test_interpolation_knows_its_limits():
    times = np.array([0.0, 0.2, 0.4, 1.0, 2.0])
    values, known = interpolated(times, np.array([0.0, 0.4, 2.0]), np.array([[0.0], [1.0], [3.0]]))
    assert known.tolist() == [True, True, True, False, True] and values[1, 0] == pytest.approx(0.5)


def test_an_observation_hands_the_opinion_to_its_people():
    observation = make_observation(6.0, 10.0, [{}, {}])
    refinement = Refinement("abc", {"p1": opinion(observation.people[0], AU12=3.0)})
    told = replace(observation, refinement=refinement)
    assert told.people[0].head is refinement.people["p1"] and told.people[1].head is None
    assert told.without("face").refinement is None and told.without("voice").refinement is refinement


def test_opinions_are_kept_by_weights_and_faces(tmp_path):
    observation = make_observation(6.0, 10.0, [{}])
    person = observation.people[0]
    file = tmp_path / "refined.safetensors"
    save_refinement(file, Refinement("abc", {"p1": opinion(person, AU12=3.0), "p2": opinion(person)}))
    read = load_refinement(file, "abc")
    assert read.by == "abc" and set(read.people) == {"p1", "p2"} and read.people["p1"].aus == HEAD
    np.testing.assert_array_equal(read.people["p1"].logits, opinion(person, AU12=3.0).logits)
    np.testing.assert_array_equal(read.people["p1"].times_s, person.times_s)


def test_a_store_without_a_place_keeps_no_opinion():
    store, observation = ObservationStore(None), make_observation(6.0, 10.0, [{}])
    store.keep_refinement(observation)
    assert store.refined(observation, "abc") is None
