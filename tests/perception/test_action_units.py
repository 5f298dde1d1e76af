import numpy as np
import pytest

from emoreason.labels.action_units import ACTION_UNITS, ACTIVE, AUS, BLENDSHAPES, GAZE_AUS, RELIABILITY
from emoreason.perception.action_units import AU_MAP, FEATURES, au_series, events, feature_columns, intensity, smooth
from emoreason.perception.geometry import MEASURES
from emoreason.perception.observation import FaceTable, Person

NEUTRAL = {"eye_opening*": 0.1, "eyeBlink*": 0.1}


def resting() -> np.ndarray:
    """Features [F] at which every unit of the table is at its neutral logit (least-norm solution around an open-eyed face)."""
    x = np.zeros(len(FEATURES))
    for name, value in NEUTRAL.items():
        x[list(feature_columns(name))] = value
    weights = AU_MAP.weights.transpose(0, 2, 1).reshape(-1, len(FEATURES))  # [2 U, F]
    wanted = np.tile(AU_MAP.neutral - AU_MAP.bias, 2)
    return x + np.linalg.lstsq(weights, wanted - weights @ x, rcond=None)[0]


def push(au: str, logits: float, side: str = "both") -> np.ndarray:
    """Change of features [F] that moves one unit by `logits` (least norm over all units, so the others stay put)."""
    column = AU_MAP.aus.index(au)
    weights = AU_MAP.weights.transpose(0, 2, 1).reshape(-1, len(FEATURES))
    wanted = np.zeros((2, len(AU_MAP.aus)))
    wanted[[0, 1] if side == "both" else [0] if side == "left" else [1], column] = logits
    return np.linalg.lstsq(weights, wanted.ravel(), rcond=None)[0]


def person(x: np.ndarray, times: np.ndarray, yaw: float = 0.0, gaze=(0.0, 0.0), overall: np.ndarray | float = 1.0) -> Person:
    rows = len(times)
    shard = {
        "sample": np.arange(rows, dtype=np.int32),
        "blendshapes": x[:, : len(BLENDSHAPES)].astype(np.float32),
        "geometry": x[:, len(BLENDSHAPES) :].astype(np.float32),
        "pose": np.tile(np.float32((0, yaw, 0)), (rows, 1)),
        "gaze": np.tile(np.float32(gaze), (rows, 1)),
        "quality": np.stack([60 * np.ones(rows), np.ones(rows), 0.5 * np.ones(rows), overall * np.ones(rows)], axis=1),
    }
    return Person(1, FaceTable([shard]), np.arange(rows), times)


def clip(duration_s: float = 8.0, fps: float = 12.0, **acts: tuple[float, float, float, str]) -> tuple[np.ndarray, np.ndarray]:
    """Features [T, F] and times [T]; acts: au=(start_s, end_s, logit above neutral, side)."""
    times = np.arange(0, duration_s, 1 / fps)
    x = np.tile(resting(), (len(times), 1))
    for au, (start, end, amount, side) in acts.items():
        x[(times >= start) & (times < end)] += push(au, amount, side)
    return x, times


def lift(au: str, shown: float = 2.0) -> float:
    """Logits from neutral to `shown` above the active threshold."""
    return shown - AU_MAP.neutral[AU_MAP.aus.index(au)]


def test_the_table_covers_every_unit_and_names_real_features():
    assert set(AU_MAP.aus) == set(AUS) - set(GAZE_AUS) - {"AU45"}
    assert np.isfinite(AU_MAP.weights).all() and (np.abs(AU_MAP.weights).sum(axis=(0, 1)) > 0).all()
    assert (AU_MAP.neutral < 0).all() and (AU_MAP.spread > 0).all(), "a neutral face is inactive"
    assert set(RELIABILITY) == set(AUS)


def test_paired_features_are_left_and_right_of_the_subject():
    assert [FEATURES[i] for i in feature_columns("browDown*")] == ["browDownLeft", "browDownRight"]
    assert [FEATURES[i] for i in feature_columns("eye_opening*")] == ["eye_opening_left", "eye_opening_right"]
    assert feature_columns("jawOpen") == (BLENDSHAPES.index("jawOpen"),) * 2
    assert len(FEATURES) == len(BLENDSHAPES) + len(MEASURES)


def test_intensity_is_monotone_and_anchored_at_the_threshold():
    assert intensity(np.array(0.0)) == pytest.approx(ACTIVE)
    assert (np.diff(intensity(np.linspace(-8, 8, 50))) > 0).all()


def test_a_resting_face_is_quiet():
    series = au_series(person(*clip()))
    assert series.events == {}
    assert np.nanmax(series.intensity) < ACTIVE


def test_a_smile_is_found_where_it_is():
    series = au_series(person(*clip(AU12=(3.0, 5.0, lift("AU12"), "both"))))
    assert list(series.events) == ["AU12"]
    (event,) = series.events["AU12"]
    assert event.onset_s == pytest.approx(3.0, abs=0.2) and event.offset_s == pytest.approx(5.0, abs=0.2)
    assert event.onset_s <= event.apex_s <= event.offset_s
    assert event.side == "both"
    assert event.peak == pytest.approx(float(intensity(np.array(2.0))), abs=0.05)
    assert series.of("AU12").max() == pytest.approx(event.peak, abs=1e-5)


@pytest.mark.parametrize("au", ["AU04", "AU06", "AU12"])
def test_an_expression_held_through_the_whole_clip_is_not_taken_for_a_resting_face(au):
    series = au_series(person(*clip(20.0, **{au: (0.0, 20.0, lift(au), "both")})))
    (event,) = series.events[au]
    assert event.onset_s == 0 and event.offset_s == pytest.approx(20.0, abs=0.1)
    assert event.peak > 0.45


def test_a_mildly_lowered_brow_at_rest_is_learned_from_the_quiet_seconds():
    column = AU_MAP.aus.index("AU04")
    mild = 0.8 * AU_MAP.spread[column]
    x, times = clip(30.0)
    lowered = x + push("AU04", mild)
    known, stranger = au_series(person(lowered, times)), au_series(person(lowered[:1], times[:1]))
    assert known.of("AU04").mean() < 0.8 * stranger.of("AU04")[0]


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_one_sided_smile_keeps_its_side(side):
    series = au_series(person(*clip(AU12=(2.0, 4.0, lift("AU12"), side))))
    assert [event.side for event in series.events["AU12"]] == [side]
    assert series.of("AU12", side).max() > 2 * series.of("AU12", "right" if side == "left" else "left").max()


@pytest.mark.parametrize("yaw, seen, hidden", [(45.0, "right", "left"), (-45.0, "left", "right")])
def test_the_hidden_half_of_a_turned_face_follows_the_visible_one(yaw, seen, hidden):
    x, times = clip(AU12=(2.0, 4.0, lift("AU12"), seen))
    series = au_series(person(x, times, yaw=yaw))
    np.testing.assert_allclose(series.of("AU12", seen), series.of("AU12", hidden), rtol=1e-6)  # copied, then smoothed: float32
    assert [event.side for event in series.events["AU12"]] == ["both"]
    x, times = clip(AU12=(2.0, 4.0, lift("AU12"), hidden))
    assert "AU12" not in au_series(person(x, times, yaw=yaw)).events


def test_a_face_in_profile_or_without_landmarks_is_unknown():
    x, times = clip(AU12=(2.0, 4.0, lift("AU12"), "both"))
    assert np.isnan(au_series(person(x, times, yaw=80.0)).of("AU12")).all()
    lost = au_series(person(np.full_like(x, np.nan), times, gaze=(np.nan, np.nan)))
    assert np.isnan(lost.intensity).all() and lost.events == {}


def test_a_gap_breaks_an_event_and_a_short_one_does_not():
    x, times = clip(AU12=(1.0, 7.0, lift("AU12"), "both"))
    for gap_s, count in ((0.3, 1), (1.0, 2)):
        kept = (times < 3.0) | (times >= 3.0 + gap_s)
        assert len(au_series(person(x[kept], times[kept])).events["AU12"]) == count


def test_a_flicker_of_one_frame_is_no_event():
    times = np.arange(0, 2, 1 / 12)
    series = np.zeros((len(times), 2))
    series[10] = 0.9
    assert events(series, times) == []
    series[10:14] = 0.9
    assert [(e.onset_s, e.offset_s) for e in events(series, times)] == [(times[10], times[13])]


def test_an_event_outlasts_a_dip_but_not_a_pause():
    times = np.arange(0, 2, 1 / 12)
    series = np.zeros((len(times), 2))
    series[4:16] = 0.6
    series[10] = 0.2  # between OFF and ACTIVE
    assert len(events(series, times)) == 1
    series[10] = 0.1
    assert len(events(series, times)) == 2


def test_a_picture_gets_events_of_no_duration():
    x, times = clip(duration_s=0.05, AU12=(0.0, 1.0, lift("AU12"), "both"))
    assert len(times) == 1
    series = au_series(person(x, times))
    (event,) = series.events["AU12"]
    assert (event.onset_s, event.apex_s, event.offset_s) == (0, 0, 0)
    assert np.isnan(series.of("AU45")).all()


def closed_eyes(times: np.ndarray, start: float, end: float) -> np.ndarray:
    x = np.tile(resting(), (len(times), 1))
    shut = (times >= start) & (times < end)
    for name, value in {"eye_opening*": 0.0, "eyeBlink*": 0.9}.items():
        for column in set(feature_columns(name)):
            x[shut, column] = value
    return x


def test_blinks_and_closed_eyes_are_told_apart_by_duration():
    times = np.arange(0, 4, 1 / 25)
    blink, sleep = (au_series(person(closed_eyes(times, 1.0, end), times)) for end in (1.2, 2.5))
    assert len(blink.events["AU45"]) == 1 and "AU43" not in blink.events
    assert len(sleep.events["AU43"]) == 1 and "AU45" not in sleep.events


def test_slow_sampling_cannot_tell_blinks_and_says_so():
    times = np.arange(0, 4, 1 / 12)
    series = au_series(person(closed_eyes(times, 1.0, 1.2), times))
    assert np.isnan(series.of("AU45")).all()
    assert not {"AU43", "AU45"} & set(series.events)
    assert "AU43" in au_series(person(closed_eyes(times, 1.0, 2.0), times)).events


@pytest.mark.parametrize("gaze, au", [((25, 0), "AU61"), ((-25, 0), "AU62"), ((0, 25), "AU63"), ((0, -25), "AU64")])
def test_gaze_units_follow_the_subjects_own_left(gaze, au):
    series = au_series(person(*clip(), gaze=gaze))
    assert [name for name in series.events if name in GAZE_AUS] == [au]


def test_bad_frames_hardly_count():
    x, times = clip()
    quality = np.ones(len(times), np.float32)
    x[50:52] += push("AU12", lift("AU12", 4.0))
    assert "AU12" in au_series(person(x, times)).events
    quality[50:52] = 0.05
    assert "AU12" not in au_series(person(x, times, overall=quality)).events


def test_smoothing_uses_seconds_not_frames():
    times = np.array([0.0, 0.05, 0.1, 5.0, 5.05])
    values = np.array([1.0, 1.0, 1.0, 9.0, np.nan])[:, None]
    out = smooth(values, times, np.ones(5))
    np.testing.assert_allclose(out[:4, 0], [1, 1, 1, 9])
    assert np.isnan(out[4, 0])


def test_series_are_deterministic_and_typed():
    x, times = clip(AU01=(1.0, 2.0, lift("AU01"), "both"), AU25=(4.0, 6.0, lift("AU25"), "both"))
    first, second = (au_series(person(x, times)) for _ in range(2))
    np.testing.assert_array_equal(first.intensity, second.intensity)
    assert first.events == second.events and {"AU01", "AU25"} <= set(first.events)
    assert first.intensity.shape == (len(times), len(AUS), 2)
    assert set(first.source) == set(first.reliability) == set(AUS)
    assert set(first.source.values()) <= {"blendshape", "geometry", "fused"}
    for au in AUS:
        if not ACTION_UNITS[au].sided and au in AU_MAP.aus:
            np.testing.assert_allclose(first.of(au, "left"), first.of(au, "right"), atol=1e-6)
