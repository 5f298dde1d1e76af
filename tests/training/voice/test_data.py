import wave

import numpy as np
import pytest
import torch
import yaml
from stage_settings import VOICE
from training_data import make_data

from emoreason.config import resolve
from emoreason.errors import ConfigError
from emoreason.media.audio import RATE
from emoreason.model.precision import fast_bf16
from emoreason.model.segment_input import mel_of
from emoreason.model.voice import listen
from emoreason.training.settings.voice import VoiceDataSettings
from emoreason.training.voice import data as voice_data
from emoreason.training.voice.data import AROUND_S, encode, load_voices, states_of
from tests.voice_toys import whisper, write_corpus  # noqa: F401  (whisper is a fixture)


@pytest.fixture
def voices(tmp_path):
    return write_corpus(tmp_path, "ravdess", ("anger", "sadness"), clips=1)


def test_sounds_come_back_whole_or_as_speech_only(voices):
    assert len(voices) == 10 and voices.of_split("valid", "test") == [6, 7, 8, 9]
    whole, speech = voices.sound(3), voices.sound(3, speech_only=True)
    assert whole.dtype == np.float32 and len(whole) == round(1.8 * RATE)
    np.testing.assert_array_equal(speech, whole[round((0.3 - AROUND_S) * RATE) : round((1.5 + AROUND_S) * RATE)])


def test_states_are_those_of_the_model_without_pauses(voices, whisper):  # noqa: F811
    sound = voices.sound(0)
    mel = torch.from_numpy(mel_of(sound, 80))[None]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=fast_bf16(torch.device("cpu"))):
        states, mask = listen(whisper, mel, torch.ones(1, mel.shape[2], dtype=torch.bool))
    (kept,) = states_of([sound], whisper)
    assert kept.shape == (int(mask.sum()), 3, 32) and 0 < len(kept) < mask.shape[1]
    torch.testing.assert_close(kept, states[0][:, mask[0]].transpose(0, 1).half())


def test_batches_do_not_matter(voices, whisper):  # noqa: F811
    both = states_of([voices.sound(0), voices.sound(1)[:16_000]], whisper)
    (alone,) = states_of([voices.sound(1)[:16_000]], whisper)
    torch.testing.assert_close(both[1], alone, atol=0.05, rtol=0.05)  # where in bfloat16


def test_encoded_copies_resume_and_differ(voices, whisper, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(voice_data, "_PART", 4)
    train = voices.of_split("train")
    plain = encode(voices, range(len(voices)), 0, whisper, tmp_path / "states")
    seen = []
    first = encode(voices, train, 1, whisper, tmp_path / "states", VOICE.effects, 5, lambda *told: seen.append(told))
    assert seen == [("ravdess, copy 1", 4, 6), ("ravdess, copy 1", 6, 6)]
    assert train[0] in first and voices.of_split("test")[0] not in first and len(voices) - 1 in plain
    with pytest.raises(ConfigError, match="was not encoded"):
        first[voices.of_split("test")[0]]
    heard = first[2]
    assert heard.states.dtype == torch.float16 and heard.states.shape[0] == 3 and heard.prosody.shape == voices.prosody[2].shape
    assert heard.states.shape != plain[2].states.shape or not torch.equal(heard.states, plain[2].states)
    next((tmp_path / "states").glob("ravdess-copy1-00000-*.safetensors")).unlink()
    again = encode(voices, train, 1, whisper, tmp_path / "states", VOICE.effects, 5)
    torch.testing.assert_close(again[2].states, heard.states)
    torch.testing.assert_close(again[2].prosody, heard.prosody, equal_nan=True)


def test_more_clips_of_the_same_set_are_encoded_beside_those_that_are_there(voices, whisper, tmp_path):  # noqa: F811
    """As a protocol does, which judges the test split, too."""
    some = voices.of_split("train", "valid")
    encode(voices, some, 0, whisper, tmp_path / "states")
    all_of_them = encode(voices, range(len(voices)), 0, whisper, tmp_path / "states")
    assert all(i in all_of_them for i in range(len(voices)))


def test_a_data_set_that_was_not_observed_is_named(tmp_path):
    root = tmp_path / "nemo_polish"
    root.mkdir()
    columns = ("file_id", "emotion", "raw_text", "normalized_text", "speaker_id", "gender", "age")
    row = ("EB0_anger_1.wav", "anger", "Tak.", "tak", "EB0", "female", "27")
    (root / "data.tsv").write_text("\t".join(columns) + "\n" + "\t".join(row) + "\n", encoding="utf-8")
    (root / "samples").mkdir()
    with wave.open(str(root / "samples" / row[0]), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(bytes(2 * RATE))
    with pytest.raises(ConfigError, match="data observe nemo"):
        load_voices("nemo", VoiceDataSettings(recipe="nemo"), root, tmp_path / "store", tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.safetensors"))


def test_only_whole_files_with_sound_are_learned_from(tmp_path):
    make_data(tmp_path)
    given = tmp_path / "store", tmp_path / "out"
    with pytest.raises(ConfigError, match="data.seen: recipe 'ferplus' has no sounds"):
        load_voices("seen", VoiceDataSettings(recipe="ferplus"), tmp_path / "fer2013_ferplus", *given)
    recipe = yaml.safe_load(resolve("recipes", "ravdess").read_text(encoding="utf-8"))
    recipe["fields"] |= {"start_s": "0", "end_s": "1"}
    (tmp_path / "pieces.yaml").write_text(yaml.safe_dump(recipe))
    with pytest.raises(ConfigError, match="is a piece of a longer file; cut it out"):
        load_voices("pieces", VoiceDataSettings(recipe=str(tmp_path / "pieces.yaml")), tmp_path / "ravdess_speech", *given)
