"""Pitch and harmonicity against sounds whose pitch and noise are known."""

import numpy as np
import pytest
from voices import noise, tones

from emoreason.perception import pitch


def track(sound):
    stream = pitch.FrameStream()
    frames = np.concatenate([stream.feed(sound), stream.finish()])
    return pitch.track(pitch.spectra(frames), np.abs(frames).max(axis=1))


@pytest.mark.parametrize("hz", [80, 120, 220, 400])
@pytest.mark.parametrize("ratio_db", [10, 20])
def test_pitch_and_harmonicity_of_a_noisy_harmonic_sound(hz, ratio_db):
    sound = tones(2, hz, harmonics=40)
    measured_hz, measured_db = track(sound + noise(2) / 0.1 * sound.std() * 10 ** (-ratio_db / 20))
    assert np.nanmedian(measured_hz) == pytest.approx(hz, rel=0.01)
    assert np.nanmedian(measured_db) == pytest.approx(ratio_db, abs=1.5)
    assert np.isfinite(measured_hz).mean() > 0.95


@pytest.mark.parametrize("sound", [noise(2), noise(2, 0.9), np.zeros(32000, np.float32)])
def test_noise_and_silence_have_no_pitch(sound):
    assert np.isfinite(track(sound)[0]).mean() < 0.1


def test_a_gliding_pitch_is_followed_without_octave_jumps():
    times = np.arange(32000) / pitch.RATE
    truth = 150 * 2 ** (times / 2)  # one octave in two seconds
    phase = 2 * np.pi * np.cumsum(truth) / pitch.RATE
    measured, _ = track(sum(np.sin(k * phase) / k for k in range(1, 10)).astype(np.float32))
    inner = slice(5, 195)
    assert np.abs(12 * np.log2(measured[inner] / truth[:: pitch.HOP][inner])).max() < 0.3


def test_frames_do_not_depend_on_how_the_stream_is_cut():
    sound = noise(1.3)
    whole, pieces = pitch.FrameStream(), pitch.FrameStream()
    together = np.concatenate([whole.feed(sound), whole.finish()])
    apart = np.concatenate([*(pieces.feed(part) for part in np.array_split(sound, 17)), pieces.finish()])
    np.testing.assert_array_equal(together, apart)
    assert len(together) == len(sound) // pitch.HOP
    np.testing.assert_array_equal(together[10, pitch.WINDOW // 2 :], sound[10 * pitch.HOP :][: pitch.WINDOW // 2])


def test_no_frames_give_no_pitch():
    assert [len(part) for part in pitch.track(pitch.spectra(np.zeros((0, pitch.WINDOW))), np.zeros(0))] == [0, 0]
