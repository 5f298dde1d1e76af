"""Words: windows, times and the rules against inventions by numbers; the real model where its weights are pulled."""

import csv
import os
import socket
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from voices import RATE, noise, silence, speech, write_wav

from emoreason import assets
from emoreason.errors import AssetError, ConfigError
from emoreason.media import Clip
from emoreason.perception import words
from emoreason.perception.observation import Voice
from emoreason.perception.settings import PerceptionSettings
from emoreason.perception.voice import read_voice

SETTINGS = PerceptionSettings()
DATA = Path(os.environ.get("EMOREASON_DATA") or Path(__file__).parents[3] / "shared/data")


def voice(*spans, duration_s=60.0):
    steps = round(duration_s / 0.05)
    return Voice(tuple(spans), (), 0.05, np.full(steps, np.nan, np.float32), np.zeros(steps, np.float32))


class Listener:
    """Stands in for the model: says what it is told to, one list of segments a window."""

    supported_languages = ("en", "zh")

    def __init__(self, *windows, certainty=0.9):
        self.windows, self.certainty, self.heard = list(windows), certainty, []

    def language(self, windows):
        self.asked = len(windows)
        return "en", self.certainty

    def read(self, samples, language):
        self.heard.append((len(samples) / RATE, language))
        return self.windows.pop(0)


def said(text, start=0.0, end=1.0, logprob=-0.3, compression=1.0, silent=0.0):
    scores = {"avg_logprob": logprob, "compression_ratio": compression, "no_speech_prob": silent}
    return SimpleNamespace(text=text, start=start, end=end, **scores)


@pytest.fixture
def clip(tmp_path):
    return Clip(write_wav(tmp_path / "minute.wav", noise(60)))


@pytest.fixture
def listen(monkeypatch, clip):
    def run(listener, *spans, settings=SETTINGS, **options):
        monkeypatch.setattr(words, "load", lambda threads: listener)
        return words.read_words(clip, voice(*spans), settings, **options)

    return run


def test_times_are_those_of_the_clip(listen):
    listener = Listener([said(" one", 0.0, 1.4), said(" two", 1.4, 2.0), said(" three", 1.5, 9.9)])
    found, notes = listen(listener, (10.0, 11.0), (20.0, 22.0))  # 9.8-11.2 and 19.8-22.2: 1.4 s and 2.4 s one after another
    times = [(segment.start_s, segment.end_s) for segment in found.segments]
    np.testing.assert_allclose(times, [(9.8, 11.2), (19.8, 20.4), (19.9, 22.2)])
    assert (found.text, found.language, found.language_probability, notes) == ("one two three", "en", 0.9, [])
    assert listener.heard == [(pytest.approx(3.8), "en")]


def test_long_speech_is_cut_into_windows_at_its_quietest(monkeypatch, clip):
    talk = voice((0.0, 58.0))
    talk.loudness_db[round(20 / 0.05)] = -50
    assert words._places(talk, 60.0)[0] == (0.0, pytest.approx(20.0))
    listener = Listener([], [], [])
    monkeypatch.setattr(words, "load", lambda threads: listener)
    words.read_words(clip, talk, SETTINGS)
    lengths = [length for length, _ in listener.heard]
    assert max(lengths) <= words.WINDOW_S and sum(lengths) == pytest.approx(58.2)


def test_windows_hold_the_sound_of_their_places(tmp_path):
    sound = noise(40)
    clip = Clip(write_wav(tmp_path / "noise.wav", sound))
    places = [(0.5, 1.0), (2.0, 4.5), (29.5, 31.0), (39.0, 40.0)]
    windows = list(words._windows(clip, places))
    assert [place for window in windows for place in window.places] == places
    expected = np.concatenate([sound[round(s * RATE) : round(e * RATE)] for s, e in places])
    np.testing.assert_allclose(np.concatenate([window.samples for window in windows]), expected, atol=1e-4)


def test_inventions_are_dropped_and_doubts_are_noted(listen):
    heard = [
        said("good"),
        said("doubtful", logprob=-0.8),
        said("failed", logprob=-1.2),
        said("la la la", compression=5.0),
        said("you", logprob=-0.8, silent=0.8),
        said(" ... "),
    ]
    found, notes = listen(Listener(heard), (1.0, 5.0))
    assert found.text == "good doubtful"
    assert [note.code for note in notes] == ["words_unsure", "words_dropped"]
    assert "1 of 2" in notes[0].text and "3 of 5" in notes[1].text


def test_an_unsure_language_is_noted_and_doubts_are_not_kept(listen):
    found, notes = listen(Listener([said("good"), said("doubtful", logprob=-0.8)], certainty=0.3), (1.0, 5.0))
    assert found.text == "good" and [note.code for note in notes] == ["words_unsure", "words_dropped"]


def test_nothing_trustworthy_is_no_words(listen):
    found, notes = listen(Listener([said("failed", logprob=-3.0)]), (1.0, 5.0))
    assert found is None and [note.code for note in notes] == ["words_dropped"]


def test_a_given_language_is_not_detected(listen):
    listener = Listener([said("你好")])
    found, _ = listen(listener, (1.0, 5.0), settings=PerceptionSettings(language="zh"))
    assert (found.language, found.language_probability, hasattr(listener, "asked")) == ("zh", 1.0, False)
    with pytest.raises(ConfigError, match="xx"):
        listen(Listener(), (1.0, 5.0), settings=PerceptionSettings(language="xx"))


def test_the_language_is_decided_once_over_the_first_windows(listen):
    listener = Listener([], [])
    seen = []
    listen(listener, (0.0, 20.0), (25.0, 45.0), progress=lambda *step: seen.append(step))
    assert listener.asked == 2 and len(listener.heard) == 2
    assert [step[0] for step in seen] == ["words", "words"] and seen[-1][1:] == (45.2, 60.0)


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("  two \n lines\t", "two lines"),
        ("a\x1b[31mred\x07", "a [31mred"),
        ("safe\u202egnp.exe", "safe gnp.exe"),
        ("\ufeffword\u200b", "word"),
        ("می\u200cخواهم 你好 żółw", "می\u200cخواهم 你好 żółw"),
    ],
)
def test_untrusted_text_is_made_harmless(raw, cleaned):
    assert words.clean(raw) == cleaned


def test_a_missing_tokenizer_is_an_error_and_not_a_download(tmp_path, monkeypatch):
    monkeypatch.setattr(assets, "path", lambda name: tmp_path)
    for name in ("model.bin", "config.json"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(AssetError, match=r"tokenizer\.json.*assets pull"):
        words.load(1)


@pytest.fixture
def whisper(monkeypatch):
    """The real model, with the network out of reach."""

    def refuse(*args, **kwargs):
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    try:
        assets.path("whisper-base")
    except AssetError:
        pytest.skip("whisper-base is not pulled: run `emoreason assets pull`")
    return words.load(2)


def test_the_model_is_loaded_once(whisper):
    assert words.load(2) is whisper


def test_sounds_without_words_give_no_words(whisper, tmp_path):
    """Left alone, Whisper hears 'you' in silence, a sentence in noise, a hundred vowels in these."""
    sound = np.concatenate([speech(3), silence(2), noise(3), silence(1)])
    clip = Clip(write_wav(tmp_path / "vowels.wav", sound))
    found, notes = words.read_words(clip, voice((0.0, 3.0), (5.0, 8.0), duration_s=9.0), SETTINGS)
    assert found is None and [note.code for note in notes] == ["words_dropped"]


def test_language_and_words_share_one_encoding(whisper, monkeypatch):
    calls = []
    encode = words.WhisperModel.encode
    monkeypatch.setattr(words.WhisperModel, "encode", lambda self, features: calls.append(1) or encode(self, features))
    window = words.Window(((0.0, 2.0),), speech(2, seed=5))
    language, certainty = whisper.language([window])
    whisper.read(window.samples, language)
    assert len(calls) == 1 and 0 < certainty <= 1 and language in whisper.supported_languages


@pytest.mark.skipif(not (DATA / "nemo_polish").is_dir(), reason="no nemo_polish in EMOREASON_DATA or ../shared/data")
def test_polish_sentences_are_read(whisper):
    with open(DATA / "nemo_polish/data.tsv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["emotion"] == "neutral"][::200]
    errors = []
    for row in rows:
        clip = Clip(DATA / "nemo_polish/samples" / row["file_id"])
        found, _ = words.read_words(clip, read_voice(clip, SETTINGS)[0], SETTINGS)
        assert found.language == "pl"
        errors.append(_distance(_letters(row["raw_text"]), _letters(found.text)) / len(_letters(row["raw_text"])))
    assert np.mean(errors) < 0.2


def _letters(text):
    return [character for character in text.lower() if character.isalnum()]


def _distance(truth, heard):
    """Levenshtein."""
    row = list(range(len(heard) + 1))
    for i, wanted in enumerate(truth, 1):
        diagonal, row[0] = row[0], i
        for j, got in enumerate(heard, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (wanted != got))
    return row[-1]
