from dataclasses import replace

import pytest
import torch

from emoreason.errors import TrainingError
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.model.config import VOICE_EMOTIONS
from emoreason.training.fit import Fitted, Schedule
from emoreason.training.parts import load_parts, save_parts
from emoreason.training.voice_data import Heard, encode
from emoreason.training.voice_protocols import judged, run_protocol
from emoreason.training.voice_stage import (
    PARTS,
    Corpus,
    Phase,
    Strength,
    VoiceClips,
    batch_of,
    collate,
    decide,
    moments,
    new_training,
    predict,
    scores,
    train,
)
from tests.voice_toys import whisper, write_corpus  # noqa: F401  (whisper is a fixture)

PHASE = Phase(Schedule(steps=40, batch=12, warmup=0.1, ema=0.9, evaluate_every=20, precision="fp32"), 1e-2,
              Strength(dropout=0.0, mixing=0.0, masked=0.1))  # fmt: skip
SOME = ("anger", "neutral", "sadness")


@pytest.fixture(scope="module")
def corpora(whisper, tmp_path_factory):  # noqa: F811
    folder, out = tmp_path_factory.mktemp("voices"), {}
    for name, emotions in (("ravdess", ("anger", "disgust", "neutral", "sadness")), ("nemo", SOME)):
        voices = write_corpus(folder, name, emotions)
        plain = encode(voices, range(len(voices)), 0, whisper, folder)
        out[name] = Corpus(voices, (plain, encode(voices, voices.of_split("train"), 1, whisper, folder)))
    return out


@pytest.fixture
def model(whisper):  # noqa: F811
    return new_training(whisper, 4, Strength(), 0)


def test_draws_are_balanced_repeat_and_keep_to_the_training_speakers(corpora):
    clips = VoiceClips(list(corpora.values()), Strength(), 3, weights={"ravdess": 2.0, "nemo": 1.0})
    draws = [next(clips.mixture) for _ in range(180)]
    made = [(draw.part, clips.example(draw)) for draw in draws]
    shares = torch.bincount(torch.tensor([emotion for _, (_, emotion) in made]), minlength=len(VOICE_EMOTIONS)) / 180
    trained = shares > 0
    torch.testing.assert_close(shares[trained], clips.prior()[trained], atol=0.02, rtol=0)
    assert clips.prior()[VOICE_EMOTIONS.index("surprise")] == pytest.approx(1e-3)
    for draw in draws:
        corpus = clips.corpora[draw.part]
        assert corpus.voices.splits[clips.clips[draw.part][draw.item]] == "train"
    again = clips.example(draws[7])[0]
    torch.testing.assert_close(again.states, made[7][1][0].states)


def test_examples_are_parts_of_the_clip_and_vary(corpora):
    clips = VoiceClips([corpora["ravdess"]], Strength(), 0)
    draw = next(clips.mixture)
    whole = corpora["ravdess"].copies[0][clips.clips["ravdess"][draw.item]].states
    varied = [clips.example(replace(draw, index=index))[0] for index in range(20)]
    assert len({one.states.shape[1] for one in varied}) > 3
    assert any(one.prosody.isnan().all() for one in varied) and any(not one.prosody.isnan().all() for one in varied)
    assert all(0 < one.states.shape[1] <= max(whole.shape[1], 60) for one in varied)


def test_padding_and_company_change_no_prediction(corpora, model):
    model.voice.set_moments(*moments(VoiceClips([corpora["ravdess"]], Strength(), 0)))
    together = predict(model, corpora["ravdess"], [0, 1, 2])
    alone = torch.cat([predict(model, corpora["ravdess"], [i]) for i in (0, 1, 2)])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_every_part_but_whisper_learns(corpora, model):
    batch = collate([VoiceClips([corpora["nemo"]], Strength(), 0).example(draw) for draw in _draws(corpora["nemo"], 8)])
    out = model(**batch)
    out["loss"].backward()
    assert out["loss"] > 0 and set(out) == {"loss", "emotion", "tokens"}
    for name, parameter in model.named_parameters():
        assert name.startswith("voice.encoder.") != (parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)), name


def test_mixup_mixes_labels_as_it_mixes_voices(model, monkeypatch):
    seen = []
    monkeypatch.setattr(model.head, "forward", lambda pooled: seen.append(pooled) or pooled[:, : len(VOICE_EMOTIONS)])
    monkeypatch.setattr("emoreason.training.voice_stage._loss", lambda logits, target: seen.append(target) or logits.sum())
    heard = [Heard(torch.randn(3, 5, 32), torch.zeros(len(VOICE_CUES))) for _ in range(2)]
    target = torch.eye(len(VOICE_EMOTIONS))[:2]
    pure = model.voice.pool_states(**batch_of(heard)).pooled
    model.strength = replace(model.strength, smoothing=0.0, dropout=0.0)
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


def test_training_learns_calibrates_and_is_saved(corpora, model, whisper, tmp_path):  # noqa: F811
    clips = VoiceClips(list(corpora.values()), PHASE.strength, 0)
    valid = {name: corpus.voices.of_split("valid") for name, corpus in corpora.items()}
    model = new_training(whisper, 4, PHASE.strength, 0)
    fitted = train(model, clips, valid, PHASE, tmp_path / "run")
    assert fitted.finished and fitted.best["uar"] == pytest.approx(scores(model, corpora, valid)["uar"], abs=1e-6)
    assert fitted.best["loss"] == min(entry["valid_loss"] for entry in fitted.history if "valid_loss" in entry)
    assert fitted.best["uar"] > 0.6  # chance is 0.29
    torch.testing.assert_close(model.head.log_prior.exp(), clips.prior() / clips.prior().sum())
    assert model.head.temperature != 1
    save_parts(model, PARTS, tmp_path / "parts")
    other = new_training(whisper, 4, PHASE.strength, 9)
    load_parts(other, tmp_path / "parts")
    torch.testing.assert_close(predict(other, corpora["nemo"], [0, 5]), predict(model, corpora["nemo"], [0, 5]))


def test_the_left_out_corpus_is_never_read_in_training(corpora, whisper, tmp_path, monkeypatch):  # noqa: F811
    asked = []
    real = VoiceClips.example
    monkeypatch.setattr(VoiceClips, "example", lambda self, draw: asked.append(draw.part) or real(self, draw))
    short = replace(PHASE, schedule=replace(PHASE.schedule, steps=4, evaluate_every=None))
    told = run_protocol("leave:nemo", whisper, 4, corpora, tmp_path, short)
    assert set(asked) == {"ravdess"}
    assert told["n"] == 30 and told["classes"] == 3 and set(told["recall"]) == set(SOME)
    low, high = told["uar_interval_over_speakers"]
    assert 0 <= low <= told["uar"] <= high <= 1
    with pytest.raises(ValueError, match="leave:ckplus"):
        run_protocol("leave:ckplus", whisper, 4, corpora, tmp_path, short)


def test_a_protocol_that_is_stopped_gives_no_figures(corpora, whisper, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr("emoreason.training.voice_protocols.train", lambda *_: Fitted(1, {}, [], finished=False))
    for protocol in ("leave:nemo", "cv"):
        with pytest.raises(TrainingError, match="stopped at step 1"):
            run_protocol(protocol, whisper, 4, corpora, tmp_path)


def test_folds_judge_every_clip_once_by_other_speakers(corpora, whisper, tmp_path, monkeypatch):  # noqa: F811
    trained = []
    real = VoiceClips.__init__

    def noted(self, corpora, strength, seed, clips=None, weights=None):
        trained.append({corpus.voices.speakers[i] for corpus in corpora for i in clips[corpus.voices.dataset]})
        real(self, corpora, strength, seed, clips, weights)

    monkeypatch.setattr(VoiceClips, "__init__", noted)
    short = replace(PHASE, schedule=replace(PHASE.schedule, steps=2, evaluate_every=None))
    told = run_protocol("cv", whisper, 4, corpora, tmp_path, short)
    assert {name: one["n"] for name, one in told.items()} == {"ravdess": 40, "nemo": 30}
    assert [len(speakers) for speakers in trained] == [3] * 5  # one judged, one chooses


def test_judging_counts_only_trained_and_occurring_emotions(corpora, model):
    told = judged(model, corpora["nemo"], corpora["nemo"].voices.of_split("test"))
    assert told["speakers"] == 1 and told["uar_interval_over_speakers"] is None
    assert told["uar_interval_over_clips"] is not None


def _draws(corpus, count):
    clips = VoiceClips([corpus], Strength(), 0)
    return [next(clips.mixture) for _ in range(count)]
