"""Speech is found where it is, and only there."""

import os
from pathlib import Path

import numpy as np
import pytest
from builders import even_times, write_media
from scipy.signal import resample_poly
from voices import RATE, melody, noise, silence, speech, tones, write_wav

from emoreason import assets
from emoreason.errors import AssetError
from emoreason.media import Clip
from emoreason.perception import voice
from emoreason.perception.settings import PerceptionSettings

SETTINGS = PerceptionSettings()
DATA = Path(os.environ.get("EMOREASON_DATA", Path(__file__).parents[3] / "shared" / "data"))


def sample_clip():
    try:
        return next(assets.path("sample-clip").glob("*.mp4"))
    except AssetError:
        pytest.skip("the sample clip is not pulled: run `emoreason assets pull`")


@pytest.fixture(scope="module")
def dialogue(tmp_path_factory):
    sound = np.concatenate([silence(1), speech(3), silence(2), speech(2, 210, seed=3), silence(1)])
    return Clip(write_wav(tmp_path_factory.mktemp("voice") / "dialogue.wav", sound))


@pytest.mark.parametrize(
    "sound",
    [
        silence(4),
        noise(4),
        noise(4, 0.95),
        tones(4, 440),
        tones(4, 120, harmonics=30),
        tones(4, 220, 277, 330, harmonics=8),
        melody(4),
        noise(0.05),
        silence(0),
    ],
    ids=["silence", "white", "brown", "tone", "hum", "chord", "melody", "blip", "nothing"],
)
def test_sound_without_speech_is_no_voice(tmp_path, sound):
    clip = Clip(write_wav(tmp_path / "sound.wav", np.concatenate([sound, silence(0.02)])))
    found, notes = voice.read_voice(clip, SETTINGS)
    assert found is None and [note.code for note in notes] == ["no_speech"]


@pytest.fixture
def hurried(tmp_path):
    """A voice as a tape plays it that runs nearly twice as fast: from 0.8 to 2.45 s."""
    fast = resample_poly(speech(3, 230), *reversed(voice.SLOWED))
    return Clip(write_wav(tmp_path / "fast.wav", np.concatenate([silence(0.8), fast, silence(0.7)]))), 0.8 + len(fast) / RATE


@pytest.mark.parametrize("block_s", [voice.BLOCK_S, 0.7])
def test_the_second_look_is_at_the_sound_slowed_down(hurried, monkeypatch, block_s):
    monkeypatch.setattr(voice, "BLOCK_S", block_s)
    clip, until_s = hurried
    first, _ = voice._listen(clip, None)
    again, frames = voice._listen(clip, None, voice.SlowedDetector())
    assert abs(len(again) - len(first)) <= 1 and again.max() > 0.9
    spans = voice.speech_spans(again, len(frames) * 0.01)
    assert abs(spans[0][0] - 0.8) < 0.15 and abs(spans[-1][1] - until_s) < 0.2


def test_next_to_nothing_is_listened_to_again(hurried, monkeypatch):
    clip, until_s = hurried
    listen, asked = voice._listen, []

    def deaf(clip, progress, detector=None):
        asked.append(detector)
        probabilities, frames = listen(clip, progress, detector)
        return (np.zeros_like(probabilities), frames) if detector is None else (probabilities, frames)

    monkeypatch.setattr(voice, "_listen", deaf)
    found, notes = voice.read_voice(clip, SETTINGS)
    assert not notes and abs(found.spans[-1][1] - until_s) < 0.2 and len(asked) == 2
    assert {cue.cue for cue in found.cues} >= {"pitch", "loudness"}


def test_speech_and_digital_silence_are_listened_to_once(dialogue, tmp_path, monkeypatch):
    asked, listen = [], voice._listen
    monkeypatch.setattr(voice, "_listen", lambda *given: asked.append(given) or listen(*given))
    voice.read_voice(dialogue, SETTINGS)
    voice.read_voice(Clip(write_wav(tmp_path / "nothing.wav", np.zeros(2 * RATE, np.float32))), SETTINGS)
    assert len(asked) == 2


@pytest.mark.parametrize("name", ["18/03-01-05-02-02-01-18", "20/03-01-06-02-02-02-20", "06/03-01-03-02-02-02-06"])
def test_high_voices_that_shout_are_speech(name):
    file = DATA / "ravdess_speech" / f"Actor_{name}.opus"
    if not file.is_file():
        pytest.skip("RAVDESS is not at hand (EMOREASON_DATA)")
    found, _ = voice.read_voice(Clip(file), SETTINGS)
    assert sum(end_s - start_s for start_s, end_s in found.spans) > 1


def test_the_sample_clip_has_sound_without_speech():
    found, notes = voice.read_voice(Clip(sample_clip()), SETTINGS)
    assert found is None and [note.code for note in notes] == ["no_speech"]


def test_a_silent_film_has_no_audio(tmp_path):
    clip = Clip(write_media(tmp_path / "silent.mp4", even_times(5)))
    found, notes = voice.read_voice(clip, SETTINGS)
    assert found is None and [note.code for note in notes] == ["no_audio"]


def test_speech_is_found_where_it_is(dialogue):
    found, notes = voice.read_voice(dialogue, SETTINGS)
    assert notes == []
    np.testing.assert_allclose(found.spans, [(1, 4), (6, 8)], atol=0.15)
    assert found.speech_s == pytest.approx(5, abs=0.3)
    assert len(found.pitch_hz) == len(found.loudness_db) == round(9 / found.hop_s)
    inside = np.zeros(len(found.pitch_hz), bool)
    for start, end in found.spans:
        inside[round(start / found.hop_s) : round(end / found.hop_s)] = True
    assert np.isfinite(found.pitch_hz[inside]).mean() > 0.7 and np.isnan(found.pitch_hz[~inside]).all()
    whole, first, second = (next(c for c in found.cues if c.cue == "pitch" and c.start_s == s and c.end_s == e)
                            for s, e in ((found.spans[0][0], found.spans[1][1]), *found.spans))  # fmt: skip
    assert first.value < whole.value < second.value


def test_blocks_do_not_change_what_is_heard(dialogue, monkeypatch):
    whole, _ = voice.read_voice(dialogue, SETTINGS)
    monkeypatch.setattr(voice, "BLOCK_S", 0.7)
    pieces, _ = voice.read_voice(dialogue, SETTINGS)
    assert pieces.spans == whole.spans
    np.testing.assert_allclose(pieces.loudness_db, whole.loudness_db, atol=1e-3)
    both = np.isfinite(pieces.pitch_hz) & np.isfinite(whole.pitch_hz)
    assert both.sum() > 0.95 * np.isfinite(whole.pitch_hz).sum()
    assert np.abs(12 * np.log2(pieces.pitch_hz[both] / whole.pitch_hz[both])).max() < 1


def test_the_network_carries_its_state_over_blocks():
    sound = speech(3)
    whole, pieces = voice.SpeechDetector(), voice.SpeechDetector()
    together = np.concatenate([whole.feed(sound), whole.finish()])
    apart = np.concatenate([*(pieces.feed(part) for part in np.array_split(sound, 23)), pieces.finish()])
    np.testing.assert_allclose(apart, together, atol=1e-5)
    assert len(together) == -(-len(sound) // voice.SpeechDetector.HOP)


def test_the_same_clip_gives_the_same_voice(dialogue):
    first, _ = voice.read_voice(dialogue, SETTINGS)
    again, _ = voice.read_voice(dialogue, SETTINGS)
    assert first.spans == again.spans and first.cues == again.cues
    np.testing.assert_array_equal(first.pitch_hz, again.pitch_hz)


def test_progress_reaches_the_end(dialogue):
    seen = []
    voice.read_voice(dialogue, SETTINGS, lambda *progress: seen.append(progress))
    assert seen[-1] == ("voice", pytest.approx(9.0), pytest.approx(9.0)) and seen == sorted(seen, key=lambda item: item[1])


def test_spans_bridge_short_gaps_drop_bursts_and_stay_inside():
    hop_s = voice.SpeechDetector.HOP / RATE
    probabilities = np.zeros(100)
    probabilities[0:20], probabilities[25:50] = 0.9, 0.9  # a gap of 0.16 s
    probabilities[65:68] = 0.9  # a burst of 0.1 s
    probabilities[80:100] = 0.4  # never certain
    assert voice.speech_spans(probabilities, 3.2) == ((0.0, pytest.approx(50 * hop_s + voice.PADDING_S)),)
    assert voice.speech_spans(np.full(10, 0.9), 0.3) == ((0.0, 0.3),)
    assert voice.speech_spans(np.zeros(0), 0.0) == ()
