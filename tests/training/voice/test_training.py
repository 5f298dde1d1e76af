from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from emoreason.errors import ConfigError, TrainingError
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.model.config import VOICE_EMOTIONS
from emoreason.training.fit import Fitted
from emoreason.training.log import read
from emoreason.training.parts import load_parts
from emoreason.training.phases import places_of
from emoreason.training.voice import training
from emoreason.training.voice.data import Heard, encode
from emoreason.training.voice.protocols import judged, run_protocol
from emoreason.training.voice.training import (
    Corpus,
    VoiceClips,
    batch_of,
    collate,
    decide,
    moments,
    new_training,
    predict,
    scores,
    train_voice,
)
from tests.stage_settings import VOICE, voice_settings
from tests.voice_toys import whisper, write_corpus  # noqa: F401  (whisper is a fixture)

SCHEDULE = {"steps": 40, "batch": 12, "warmup": 0.1, "ema": 0.9, "evaluate_every": 20, "weight_decay": 0.05}
LEARNS = voice_settings(schedule=SCHEDULE, lr=1e-2, dropout=0.0, augment={"mixing": 0.0, "masked": 0.1})
PHASE = VOICE.phases[0]
ALONE = voice_settings("voice-without-nemo").phases[0]
SOURCES = [{"data": "ravdess", "weight": 2.0}, {"data": "nemo", "weight": 1.0}]
SOME = ("anger", "neutral", "sadness")


@pytest.fixture(scope="module")
def corpora(whisper, tmp_path_factory):  # noqa: F811
    folder, out = tmp_path_factory.mktemp("voices"), {}
    for name, emotions in (("ravdess", ("anger", "disgust", "neutral", "sadness")), ("nemo", SOME)):
        voices = write_corpus(folder, name, emotions)
        train = voices.of_split("train")
        plain = encode(voices, range(len(voices)), 0, whisper, folder)
        out[name] = Corpus(voices, (plain, encode(voices, train, 1, whisper, folder, VOICE.effects)), tuple(train))
    return out


@pytest.fixture
def model(whisper):  # noqa: F811
    return new_training(whisper, 4, PHASE, 0)


def test_draws_are_balanced_repeat_and_keep_to_the_training_speakers(corpora):
    clips = VoiceClips(voice_settings(phases={"voices": {"sources": SOURCES}}).phases[0], corpora, 3)
    draws = [next(clips.mixture) for _ in range(180)]
    made = [(draw.part, clips.example(draw)) for draw in draws]
    shares = torch.bincount(torch.tensor([example.emotion for _, example in made]), minlength=len(VOICE_EMOTIONS)) / 180
    trained = shares > 0
    torch.testing.assert_close(shares[trained], clips.prior()[trained], atol=0.02, rtol=0)
    assert clips.prior()[VOICE_EMOTIONS.index("surprise")] == pytest.approx(1e-3)
    for draw in draws:
        corpus = clips.corpora[draw.part]
        assert corpus.voices.splits[clips.clips[draw.part][draw.item]] == "train"
    again = clips.example(draws[7]).heard
    torch.testing.assert_close(again.states, made[7][1].heard.states)


def test_examples_are_parts_of_the_clip_and_vary(corpora):
    clips = VoiceClips(ALONE, corpora, 0)
    draw = next(clips.mixture)
    whole = corpora["ravdess"].copies[0][clips.clips["ravdess"][draw.item]].states
    varied = [clips.example(replace(draw, index=index)).heard for index in range(20)]
    assert len({one.states.shape[1] for one in varied}) > 3
    assert any(one.prosody.isnan().all() for one in varied) and any(not one.prosody.isnan().all() for one in varied)
    assert all(0 < one.states.shape[1] <= max(whole.shape[1], 60) for one in varied)


def test_padding_and_company_change_no_prediction(corpora, model):
    model.voice.set_moments(*moments(VoiceClips(ALONE, corpora, 0)))
    together = predict(model, corpora["ravdess"], [0, 1, 2])
    alone = torch.cat([predict(model, corpora["ravdess"], [i]) for i in (0, 1, 2)])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_every_part_but_whisper_learns(corpora, model):
    clips = VoiceClips(PHASE, corpora, 0)
    batch = collate([clips.example(next(clips.mixture)) for _ in range(16)])
    out = model(**batch)
    out["loss"].backward()
    assert out["loss"] > 0 and set(out) == {"loss", "emotion", "tokens"}
    for name, parameter in model.named_parameters():
        assert name.startswith("voice.encoder.") != (parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)), name


def test_mixup_mixes_labels_as_it_mixes_voices(model, monkeypatch):
    seen = []
    monkeypatch.setattr(model.head, "forward", lambda pooled: seen.append(pooled) or pooled[:, : len(VOICE_EMOTIONS)])
    monkeypatch.setattr("emoreason.training.voice.model._loss", lambda logits, target: seen.append(target) or logits.sum())
    heard = [Heard(torch.randn(3, 5, 32), torch.zeros(len(VOICE_CUES))) for _ in range(2)]
    target = torch.eye(len(VOICE_EMOTIONS))[:2]
    pure = model.voice.pool_states(**batch_of(heard)).pooled
    model.set_phase(voice_settings(loss={"smoothing": 0.0}, dropout=0.0).phases[0])
    model.eval()
    torch.manual_seed(1)
    model(**batch_of(heard), target=target)
    pooled, mixed = seen[0], seen[1]
    torch.testing.assert_close(mixed.sum(1), torch.ones(2))
    torch.testing.assert_close(pooled, mixed[:, :1] * pure[:1] + mixed[:, 1:2] * pure[1:])


def test_decisions_leave_out_what_is_not_asked():
    evidence = torch.tensor([[0.0, 5.0, 1.0, 0.0, 0.0, 0.0, 0.0]])
    assert decide(evidence).item() == 1
    assert decide(evidence, ("anger", VOICE_EMOTIONS[2])).item() == 2


def test_training_learns_calibrates_and_is_saved(corpora, whisper, tmp_path):  # noqa: F811
    model, places = new_training(whisper, 4, LEARNS.phases[0], 0), places_of(LEARNS.phases, tmp_path)
    assert train_voice(model, LEARNS.phases, corpora, 0, places)
    valid = {name: corpus.voices.of_split("valid") for name, corpus in corpora.items()}
    told = load_parts(other := new_training(whisper, 4, PHASE, 9), tmp_path / "final")["info"]["valid"]
    other.eval()
    assert told["uar"] == pytest.approx(scores(model, corpora, valid)["uar"], abs=1e-6)
    assert told["loss"] == min(entry["valid_loss"] for entry in read(tmp_path / "final") if "valid_loss" in entry)
    assert told["uar"] > 0.6  # chance is 0.29
    prior = VoiceClips(LEARNS.phases[0], corpora, 0).prior()
    torch.testing.assert_close(model.head.log_prior.exp(), prior / prior.sum())
    assert model.head.temperature != 1
    torch.testing.assert_close(predict(other, corpora["nemo"], [0, 5]), predict(model, corpora["nemo"], [0, 5]))


def test_a_second_phase_goes_on_from_the_first(corpora, whisper, tmp_path):  # noqa: F811
    first, second = short(VOICE).phases[0], short(voice_settings("voice-without-nemo")).phases[0]
    phases = [first, second.model_copy(update={"kept": 1.0, "dropout": 0.4})]
    places = places_of(phases, tmp_path)
    assert [place.name for place in places] == ["voices", "final"]
    model = new_training(whisper, 4, first, 0)
    assert train_voice(model, phases, corpora, 0, places)
    assert {module.p for module in model.heads.modules() if isinstance(module, torch.nn.Dropout)} == {0.4}
    before = load_file(places[0] / "heads.voice_emotion.safetensors")
    for name in ("out.weight", "norm.weight"):  # all of the starting weights are kept, but not their prior
        torch.testing.assert_close(model.head.state_dict()[name], before[f"heads.voice_emotion.{name}"])
    assert not torch.equal(model.head.log_prior, before["heads.voice_emotion.log_prior"])
    again = new_training(whisper, 4, first, 5)
    assert train_voice(again, phases, corpora, 0, places)  # only loads
    torch.testing.assert_close(predict(again, corpora["nemo"], [0]), predict(model, corpora["nemo"], [0]))


def test_without_validation_speakers_nothing_trains(corpora, whisper, tmp_path):  # noqa: F811
    model, places = new_training(whisper, 4, PHASE, 0), places_of(VOICE.phases, tmp_path)
    with pytest.raises(ConfigError, match="phase 'voices': no clip is in valid of nemo"):
        train_voice(model, VOICE.phases, corpora, 0, places, valid={"nemo": []})


def test_the_left_out_corpus_is_never_read_in_training(corpora, whisper, tmp_path, monkeypatch):  # noqa: F811
    asked = []
    real = VoiceClips.example
    monkeypatch.setattr(VoiceClips, "example", lambda self, draw: asked.append(draw.part) or real(self, draw))
    told = protocol("leave:nemo", corpora, whisper, tmp_path, short(voice_settings("voice-without-nemo")))
    assert set(asked) == {"ravdess"}
    assert told["n"] == 30 and told["classes"] == 3 and set(told["recall"]) == set(SOME)
    low, high = told["uar_interval_over_speakers"]
    assert 0 <= low <= told["uar"] <= high <= 1
    with pytest.raises(ValueError, match="leave:ckplus"):
        protocol("leave:ckplus", corpora, whisper, tmp_path, VOICE)


def test_a_protocol_that_is_stopped_gives_no_figures(corpora, whisper, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(training, "train", lambda *_: Fitted(1, {}, [], finished=False))
    for name in ("leave:nemo", "cv"):
        with pytest.raises(TrainingError, match="final: stopped"):
            protocol(name, corpora, whisper, tmp_path, VOICE)


def test_folds_judge_every_clip_once_by_other_speakers(corpora, whisper, tmp_path, monkeypatch):  # noqa: F811
    trained = []
    real = VoiceClips.__init__

    def noted(self, phase, corpora, seed, clips=None):
        trained.append({corpora[name].voices.speakers[i] for name in corpora for i in clips[name]})
        real(self, phase, corpora, seed, clips)

    monkeypatch.setattr(VoiceClips, "__init__", noted)
    told = protocol("cv", corpora, whisper, tmp_path, short(VOICE))
    assert {name: one["n"] for name, one in told.items()} == {"ravdess": 40, "nemo": 30}
    assert [len(speakers) for speakers in trained] == [3] * 5  # one judged, one chooses


def short(asked):
    """Two steps."""
    plan = {"schedule": {"steps": 2, "batch": 12, "precision": "fp32"}}
    return asked.model_copy(update={"phases": [phase.model_copy(update=plan) for phase in asked.phases]})


def protocol(name, corpora, whisper, folder, asked):  # noqa: F811
    return run_protocol(name, asked, lambda phase: new_training(whisper, 4, phase, 0), corpora, 0, folder)


def test_judging_counts_only_trained_and_occurring_emotions(corpora, model):
    told = judged(model, corpora["nemo"], corpora["nemo"].voices.of_split("test"))
    assert told["speakers"] == 1 and told["uar_interval_over_speakers"] is None
    assert told["uar_interval_over_clips"] is not None
