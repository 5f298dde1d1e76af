"""Prosodic cues of voices whose pitch, loudness and syllables are known."""

import numpy as np
import pytest
from scipy.signal import lfilter
from voices import noise, silence, speech

from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.perception import pitch, prosody


def frames_of(sound):
    stream = pitch.FrameStream()
    cut = np.concatenate([stream.feed(sound), stream.finish()])
    return prosody.analyse(cut, np.ones(len(cut), bool))


def measure(sound, *spans):
    return prosody.measure(frames_of(sound), spans or [(0.0, len(sound) / pitch.RATE)])


def test_all_cues_of_a_long_enough_voice_are_measured_and_known():
    assert set(measure(speech(6))) == set(VOICE_CUES)


@pytest.mark.parametrize("hz", [110, 220])
def test_pitch_and_its_range(hz):
    values = measure(speech(4, hz))
    assert values["pitch"] == pytest.approx(hz, rel=0.08)  # the glide is not symmetric around voiced frames
    assert values["pitch_range"] == pytest.approx(6, abs=0.5)  # 3 semitones up and down


def test_two_voices_do_not_make_a_wide_range():
    sound = np.concatenate([speech(3, 100), silence(1), speech(3, 240)])
    assert measure(sound, (0.0, 3.0), (4.0, 7.0))["pitch_range"] == pytest.approx(6, abs=0.5)


def test_loudness_follows_the_gain_and_nothing_else_does():
    loud, soft = measure(speech(4)), measure(0.1 * speech(4))
    assert loud["loudness"] - soft["loudness"] == pytest.approx(20, abs=0.1)
    assert {k: v for k, v in loud.items() if k != "loudness"} == pytest.approx(
        {k: v for k, v in soft.items() if k != "loudness"}, rel=0.01
    )


def test_a_brighter_voice_has_more_effort():
    sound = speech(4)
    brighter = lfilter([1, -0.8], [1], sound)
    assert measure(brighter)["effort"] > measure(sound)["effort"] + 5


def test_noise_lowers_the_voicing_quality():
    assert measure(speech(4) + 0.3 * noise(4))["voicing"] < measure(speech(4))["voicing"] - 3


@pytest.mark.parametrize("per_s", [3, 5])
def test_rate_counts_syllables(per_s):
    assert measure(speech(6, syllables_per_s=per_s, seed=1))["rate"] == pytest.approx(per_s, rel=0.15)


def test_pauses_are_the_quiet_inside_speech_and_short_gaps_between_spans():
    inside = np.concatenate([speech(3), silence(0.5), speech(3, seed=1)])
    assert measure(inside)["pauses"] == pytest.approx(0.5 / 6.5, abs=0.02)
    between = np.concatenate([speech(3), silence(1), speech(3, seed=1), silence(4), speech(3, seed=2)])
    assert measure(between, (0.0, 3.0), (4.0, 7.0), (11.0, 14.0))["pauses"] == pytest.approx(1 / 10, abs=0.02)
    assert measure(np.concatenate([silence(0.4), speech(5), silence(0.4)]))["pauses"] < 0.02  # the detector's padding


def test_short_speech_has_no_rate_and_no_pauses():
    assert {"rate", "pauses"}.isdisjoint(measure(speech(0.8)))
    assert "pauses" not in measure(speech(3))
    assert measure(silence(0.3)) == {}


def test_cues_cover_all_speech_first_then_each_long_span():
    spans = [(0.0, 2.5), (3.5, 4.1), (5.0, 8.0)]
    sound = np.concatenate([speech(2.5), silence(1), speech(0.6), silence(0.9), speech(3)])
    cues = prosody.voice_cues(frames_of(sound), spans)
    assert list(dict.fromkeys((cue.start_s, cue.end_s) for cue in cues)) == [(0.0, 8.0), (0.0, 2.5), (5.0, 8.0)]
    for cue in cues:
        assert (cue.unit, cue.level) == (VOICE_CUES[cue.cue].unit, VOICE_CUES[cue.cue].level(cue.value))
    assert prosody.voice_cues(frames_of(sound), []) == ()


def test_series_are_medians_and_mean_powers():
    sound = np.concatenate([speech(2), silence(1)])
    frames = frames_of(sound)
    pitch_hz, loudness_db = prosody.series(frames, 5)
    assert len(pitch_hz) == len(loudness_db) == 60
    assert np.isnan(pitch_hz[45:]).all() and loudness_db[45:].max() == pytest.approx(prosody.SILENT_DB)
    power = 10 ** (frames.level_db[48:53] / 10)
    assert loudness_db[10] == pytest.approx(10 * np.log10(power.mean()), abs=1e-3)
    assert pitch_hz[10] == pytest.approx(np.median(frames.pitch_hz[48:53]))


def test_frames_without_speech_are_not_judged():
    stream = pitch.FrameStream()
    cut = stream.feed(speech(1))
    frames = prosody.analyse(cut, np.zeros(len(cut), bool))
    assert np.isnan(frames.pitch_hz).all() and np.isnan(frames.effort_db).all() and np.isfinite(frames.level_db).all()


def test_every_kind_of_cue_has_a_range_and_a_reference():
    for kind in VOICE_CUES.values():
        assert kind.low < kind.high and kind.reference and len(set(kind.words)) == 3
        values = (kind.low - 1, (kind.low + kind.high) / 2, kind.high + 1)
        assert [kind.level(value) for value in values] == ["low", "typical", "high"]
