"""Tuning of the encoder on sounds: the adapter learns, is saved and taken by whoever loads the voice; old weights load."""

import pytest
import torch
from safetensors.torch import load_file

from emoreason.errors import ConfigError
from emoreason.model.config import VOICE_EMOTIONS
from emoreason.model.voice import VoiceEncoder
from emoreason.training.parts import load_parts
from emoreason.training.phases import places_of
from emoreason.training.voice.data import encode
from emoreason.training.voice.sounds import batch_of_sounds, whole
from emoreason.training.voice.training import (
    Corpus,
    SoundClips,
    collate_sounds,
    new_training,
    predict,
    train_voice,
)
from tests.stage_settings import VOICE, voice_settings
from tests.voice_toys import whisper, write_corpus  # noqa: F401  (whisper is a fixture)

PLAN = {"steps": 3, "batch": 8, "warmup": 0.1, "evaluate_every": 2, "precision": "fp32", "window": 2}
PHASES = [
    {"name": "voices", "sources": [{"data": "ravdess"}, {"data": "nemo"}], "validation": ["ravdess", "nemo"]},
    {"name": "tuned", "sources": [{"data": "ravdess"}, {"data": "nemo"}], "validation": ["ravdess", "nemo"],
     "tuning": {"lr": 1e-2, "changed": 0.5}},
]  # fmt: skip
ADAPTER = {"rank": 2, "layers": [0, 1]}
TUNED = voice_settings(phases=PHASES, adapter=ADAPTER, schedule=PLAN, lr=1e-2)


@pytest.fixture(scope="module")
def corpora(whisper, tmp_path_factory):  # noqa: F811
    folder, out = tmp_path_factory.mktemp("voices"), {}
    for name in ("ravdess", "nemo"):
        voices = write_corpus(folder, name, ("anger", "neutral", "sadness"))
        plain = encode(voices, range(len(voices)), 0, whisper, folder)
        out[name] = Corpus(voices, (plain,), tuple(voices.of_split("train")), VOICE.effects)
    return out


def new(whisper, asked=TUNED, seed=0):  # noqa: F811
    return new_training(whisper, 4, asked.phases[0], seed, asked.adapter)


def test_a_new_adapter_changes_nothing(corpora, whisper):  # noqa: F811
    voices = corpora["ravdess"].voices
    batch, _ = batch_of_sounds([whole(voices, i, 80) for i in (0, 3)])
    plain, adapted = VoiceEncoder(whisper), VoiceEncoder(whisper, adapter=ADAPTER)
    adapted.load_state_dict(plain.state_dict(), strict=False)
    torch.testing.assert_close(adapted(batch).tokens, plain(batch).tokens)
    torch.nn.init.normal_(adapted.adapter.layers["1"]["fc2"][1].weight)
    before = plain(batch).tokens
    assert not torch.allclose(adapted(batch).tokens, before, atol=1e-5)
    torch.testing.assert_close(plain(batch).tokens, before)  # the encoder they share is as it was
    with pytest.raises(ConfigError, match="layer 2 is none of the encoder's 0 to 1"):
        VoiceEncoder(whisper, adapter={"rank": 2, "layers": [2]})


def test_drawn_sounds_vary_and_repeat(corpora):
    clips = SoundClips(TUNED.phases[1], corpora, 0, 80)
    draws = [next(clips.mixture) for _ in range(16)]
    examples = [clips.example(draw) for draw in draws]
    again = [clips.example(draw) for draw in draws]
    for one, same in zip(examples, again, strict=True):
        torch.testing.assert_close(one.heard.mel, same.heard.mel)
        assert one.heard.mel.shape[0] == 80 and 45 <= one.heard.mel.shape[1] <= 450
    lengths = [one.heard.mel.shape[1] for one in examples]
    assert len(set(lengths)) > 4 and 4 < lengths.count(180) < 14  # those as recorded are whole
    assert {one.domain for one in examples} == {0, 1} and clips.size(examples[0]) == examples[0].heard.mel.shape[1] / 100
    batch = collate_sounds(examples)
    assert batch["voice"].mel.shape[2] == max(one.heard.mel.shape[1] for one in examples)  # and never 30 s
    assert batch["target"].shape == (16, len(VOICE_EMOTIONS)) and not batch["looked_at"].all()


def test_the_adapter_learns_and_whisper_stays(corpora, whisper):  # noqa: F811
    model = new(whisper)
    model.set_phase(TUNED.phases[1])
    clips = SoundClips(TUNED.phases[1], corpora, 0, 80)
    given = collate_sounds([clips.example(next(clips.mixture)) for _ in range(8)])
    model(**given)["loss"].backward()
    ups = [layer[name][1].weight for layer in model.voice.adapter.layers.values() for name in layer]
    assert len(ups) == 12 and all(up.grad.abs().sum() > 0 for up in ups)
    assert all(parameter.grad is None for parameter in whisper.parameters())


def test_padding_and_company_change_no_prediction(corpora, whisper):  # noqa: F811
    model = new(whisper)
    model.set_phase(TUNED.phases[1])
    for layer in model.voice.adapter.layers.values():
        torch.nn.init.normal_(layer["q_proj"][1].weight)
    together = predict(model, corpora["nemo"], [0, 5, 2])
    alone = torch.cat([predict(model, corpora["nemo"], [i]) for i in (0, 5, 2)])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_phases_tune_after_the_states_and_the_result_is_loaded(corpora, whisper, tmp_path):  # noqa: F811
    model, places = new(whisper), places_of(TUNED.phases, tmp_path)
    assert train_voice(model, TUNED.phases, corpora, 0, places)
    before, after = (load_file(place / "voice.safetensors") for place in places)
    up = "voice.adapter.layers.0.q_proj.1.weight"
    assert not before[up].any() and after[up].any()
    torch.testing.assert_close(before["voice.centre"], after["voice.centre"])  # of the encoder as it is
    again = new(whisper, seed=5)
    assert train_voice(again, TUNED.phases, corpora, 0, places)  # only loads
    torch.testing.assert_close(predict(again, corpora["nemo"], [0, 1]), predict(model, corpora["nemo"], [0, 1]))
    plain = new_training(whisper, 4, VOICE.phases[0], 3).eval()  # a later stage, whose model file knows of no adapter
    load_parts(plain, places[-1])
    assert plain.voice.adapter.rank == 2
    plain.set_phase(TUNED.phases[1])
    torch.testing.assert_close(predict(plain, corpora["nemo"], [0, 1]), predict(model, corpora["nemo"], [0, 1]))


def test_parts_without_an_adapter_load_as_before(corpora, whisper, tmp_path):  # noqa: F811
    asked = voice_settings(schedule={"steps": 2, "batch": 8, "precision": "fp32"})
    old, places = new_training(whisper, 4, asked.phases[0], 0), places_of(asked.phases, tmp_path)
    assert train_voice(old, asked.phases, corpora, 0, places)
    adapted = new(whisper)
    load_parts(adapted, places[-1])
    assert adapted.voice.adapter is None


@pytest.mark.parametrize("domain", ["data", "speaker"])
def test_what_is_read_hides_the_domain(corpora, whisper, domain):  # noqa: F811
    asked = voice_settings(
        phases=PHASES, adapter=ADAPTER, schedule=PLAN, loss={"invariance": 0.5, "invariant_to": domain}, dropout=0.0
    )
    model = new(whisper, asked).train()
    clips = SoundClips(asked.phases[1], corpora, 0, 80)
    model.set_phase(asked.phases[1])
    given = collate_sounds([clips.example(next(clips.mixture)) for _ in range(12)])
    out = model(**given)
    assert set(out) == {"loss", "emotion", "tokens", "invariance"}
    assert int(given["domain"].max()) == (1 if domain == "data" else 5)
    alone = model.loss.model_copy(update={"emotion": 0.0, "tokens": 0.0, "invariance": 1.0})
    model.loss = alone
    optimizer = torch.optim.SGD([*model.voice.narrow.parameters(), *model.voice.pool.parameters()], 0.05)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = model(**given)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] > losses[0]  # the head is held fixed: what it reads goes the other way


def test_settings_that_do_not_go_together():
    with pytest.raises(ConfigError, match="say with `adapter` which layers"):
        voice_settings(phases=PHASES, schedule=PLAN)
    with pytest.raises(ConfigError, match="give a phase `tuning`"):
        voice_settings(adapter=ADAPTER)
    with pytest.raises(ConfigError, match="put them before those with it"):
        voice_settings(phases=[PHASES[1] | {"name": "first"}, PHASES[0]], adapter=ADAPTER, schedule=PLAN)
