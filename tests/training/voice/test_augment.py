import numpy as np
import pytest
from stage_settings import VOICE

from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.media.audio import RATE
from emoreason.training.settings.voice import VoiceEffects
from emoreason.training.voice import augment as effects
from emoreason.training.voice.augment import Change, augment

SHIPPED = VOICE.effects


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def tone():
    return (0.3 * np.sin(2 * np.pi * 200 * np.arange(2 * RATE) / RATE)).astype(np.float32)


def level_db(sound):
    return 10 * np.log10(np.mean(sound.astype(float) ** 2))


def band_db(sound, low_hz, high_hz):
    power = np.abs(np.fft.rfft(sound)) ** 2
    hz = np.fft.rfftfreq(len(sound), 1 / RATE)
    return 10 * np.log10(power[(hz >= low_hz) & (hz < high_hz)].mean())


def test_copies_are_valid_sound_differ_and_repeat(tone):
    made = [augment(tone, np.random.default_rng([1, i]), lambda rng: tone[::-1], SHIPPED)[0] for i in range(12)]
    again = [augment(tone, np.random.default_rng([1, i]), lambda rng: tone[::-1], SHIPPED)[0] for i in range(12)]
    for one, same in zip(made, again, strict=True):
        assert one.dtype == np.float32 and np.isfinite(one).all() and np.abs(one).max() <= 1
        assert len(one) >= SHIPPED.crop_least_s * RATE / SHIPPED.speeds[1] - 2
        np.testing.assert_array_equal(one, same)
    assert len({one.tobytes() for one in made}) == 12


def test_effects_that_are_off_leave_the_sound_as_it_is(tone):
    nothing = VoiceEffects(level_db=[level_db(tone)] * 2)
    same, change = augment(tone, np.random.default_rng(0), lambda rng: tone, nothing)
    np.testing.assert_allclose(same, tone, atol=1e-5)
    assert change.speed == 1 and not change.blurred and abs(change.level_db) < 1e-3


@pytest.mark.parametrize("effect", ["room", "noise", "microphone", "line", "codec"])
def test_each_effect_is_one_setting(tone, effect):
    alone = SHIPPED.model_copy(update={"crop": 0, "speed": 0, "silence": 0, "elsewhere": 1, "level_db": (level_db(tone),) * 2})
    off = dict.fromkeys(("room", "noise", "microphone", "line", "codec"), 0.0)
    sound = tone + 0.1 * np.sin(2 * np.pi * 3000 * np.arange(len(tone)) / RATE).astype(np.float32)
    only = alone.model_copy(update=off | {effect: 1.0})
    heard, change = augment(sound, np.random.default_rng(1), lambda rng: sound[::-1], only)
    assert change.blurred and len(heard) == len(sound)
    gain = 10 ** ((level_db(sound) - level_db(heard)) / 20)
    assert not np.allclose(gain * heard, sound, atol=1e-3)


def test_faster_is_shorter_and_higher(tone):
    fast = effects.at_speed(tone, 1.1)
    assert len(fast) == pytest.approx(len(tone) / 1.1, abs=2)
    assert np.argmax(np.abs(np.fft.rfft(fast))) * RATE / len(fast) == pytest.approx(220, abs=1)


@pytest.mark.parametrize("snr_db", [5, 20])
def test_noise_lies_as_far_below_as_asked(tone, rng, snr_db):
    noise = effects.noisy(tone, rng.normal(size=500), snr_db) - tone
    assert level_db(tone) - level_db(noise) == pytest.approx(snr_db, abs=0.01)


def test_a_room_rings_on(rng):
    click = np.zeros(RATE, np.float32)
    click[100] = 1
    heard = effects.reverberant(click, rng, SHIPPED.rt60_s)
    assert heard[100] > 0.5 and (heard[:100] ** 2).sum() < 1e-6
    early, late = (heard[a : a + 800].std() for a in (200, 2200))
    assert 0 < late < early


def test_a_line_cuts_what_lies_above(rng):
    white = rng.normal(size=RATE).astype(np.float32)
    cut = effects.band_limited(white, rng)
    assert band_db(cut, 7500, 8000) < band_db(cut, 1000, 2000) - 6


def test_mu_law_is_coarse_and_close(tone, rng):
    coarse = effects.companded(tone, rng)
    assert len(np.unique(coarse)) <= 255
    assert level_db(tone) - level_db(coarse - tone) > 30


def test_a_crop_is_a_piece_and_not_too_short(tone, rng):
    for _ in range(5):
        piece = effects.crop(tone, rng, 0.6, 1.2)
        assert 1.2 * RATE <= len(piece) <= len(tone)
    short = tone[: RATE // 2]
    assert len(effects.crop(short, rng, 0.6, 1.2)) == len(short)


def test_silence_surrounds_the_sound(tone, rng):
    padded = effects.in_silence(tone, rng, 0.8)
    assert len(padded) > len(tone) and level_db(padded[:50]) < -50


def test_what_becomes_of_the_cues():
    names = list(VOICE_CUES)
    clean = np.arange(1.0, len(names) + 1)
    told = dict(zip(names, Change(1.1, -6.0, True).prosody(clean), strict=True))
    before = dict(zip(names, clean, strict=True))
    assert told["pitch"] == pytest.approx(1.1 * before["pitch"]) and told["rate"] == pytest.approx(1.1 * before["rate"])
    assert told["loudness"] == before["loudness"] - 6 and told["pitch_range"] == before["pitch_range"]
    assert np.isnan(told["effort"]) and np.isnan(told["voicing"])
    np.testing.assert_array_equal(Change().prosody(clean), clean)
