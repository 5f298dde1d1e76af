"""Stage 0 for faces on made-up data: it learns, the tokens learn, phases and protocols fit together, scores are right."""

import dataclasses

import pytest
import torch
from made_faces import made_faces

from emoreason.errors import ConfigError, TrainingError
from emoreason.labels.action_units import AUS
from emoreason.labels.emotions import EMOTIONS
from emoreason.model.config import FaceConfig
from emoreason.training.face_augment import Strength
from emoreason.training.face_batches import Collate, FaceClips, Source
from emoreason.training.face_model import FaceWeights
from emoreason.training.face_protocols import cross_validated, home, left_out
from emoreason.training.face_scores import CODED, accuracy, decide, interval, mean_f1, uar
from emoreason.training.face_stage import Phase, alone, calibrate, joint, new_training, scores
from emoreason.training.fit import Schedule

# Not narrower: with 8 channels and two threads, oneDNN's convolution backward was seen to corrupt the heap (torch 2.13, CPU).
SMALL = FaceConfig(trunk_dim=96, dim=16, heads=2, layers=1, dynamics=2, dropout=0.0)
TWO_STEPS = Phase(Schedule(steps=2, batch=8, ema=0.5, precision="fp32"), 1e-3, 1e-3)
FACES = {name: made_faces(name, 80) for name in ("ferplus", "ckplus48", "ckplus_neutral_peak")}


def batch(seed=0):
    sources = [Source(FACES["ferplus"], "still", 0.5), Source(FACES["ckplus_neutral_peak"], "course", 0.5)]
    clips = FaceClips(sources, seed)
    return Collate(Strength())([clips.example(next(clips.mixture)) for _ in range(10)])


def test_every_term_reaches_the_tokens_and_nothing_is_dead():
    model = new_training(SMALL, 0)
    out = model(**batch())
    assert torch.isfinite(out["loss"]) and {"emotion", "coded", "measured", "tokens", "units", "series"} < set(out)
    out["loss"].backward()
    dead = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not dead


@pytest.mark.parametrize("term", ["coded", "measured", "tokens", "units", "series"])
def test_the_weight_of_a_term_is_its_weight(term):
    model, given = new_training(SMALL, 0).eval(), batch()
    before = vars(FaceWeights())[term]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first = model(**given)
    model.weights = dataclasses.replace(model.weights, **{term: before + 1})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        second = model(**given)
    assert float((second["loss"] - first["loss"]).detach()) == pytest.approx(float(first[term]), rel=1e-4)


def test_labels_that_are_not_known_do_not_count():
    model, given = new_training(SMALL, 0).eval(), batch()
    nothing = {name: torch.full_like(given[name], torch.nan) for name in ("emotion", "aus", "measured", "series")}
    assert float(model(given["face"], **nothing)["loss"].detach()) == 0


def test_a_batch_can_be_learned_by_heart():
    torch.manual_seed(0)
    model, given = new_training(SMALL, 0), batch()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        out = model(**given)
        optimizer.zero_grad()
        out["loss"].backward()
        optimizer.step()
        losses.append({name: float(value.detach()) for name, value in out.items()})
    assert losses[-1]["emotion"] < 0.6 * losses[0]["emotion"] and losses[-1]["tokens"] < 0.8 * losses[0]["tokens"]


def test_phases_are_saved_and_only_loaded_the_second_time(tmp_path):
    first = alone(SMALL, FACES, tmp_path / "alone", TWO_STEPS)
    assert {"face.trunk.safetensors", "face.safetensors", "heads.emotion.safetensors"} <= {
        file.name for file in (tmp_path / "alone").iterdir()
    }
    again = alone(SMALL, FACES, tmp_path / "alone", TWO_STEPS)
    for name, value in first.state_dict().items():  # the auxiliary heads, too: the next phase goes on with them
        assert torch.equal(again.state_dict()[name], value), name
    prior = first.emotion.log_prior.exp()
    assert prior.sum() == pytest.approx(1) and torch.allclose(prior, torch.full((8,), 1 / 8), atol=0.01)
    second = joint(first, FACES, tmp_path / "joint", phase=TWO_STEPS)
    assert (tmp_path / "joint" / "parts.json").is_file() and second is first


def test_the_held_apart_fold_never_takes_part(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("emoreason.training.face_stage.train", lambda model, sources, *_: seen.extend(sources) or Stopped())
    joint(new_training(SMALL, 0), FACES, tmp_path)
    ck = [source.faces for source in seen if source.faces.dataset != "ferplus"]
    assert len(ck) == 4 and all((some["fold"] != 4).all() for some in ck)
    assert any((FACES["ckplus48"]["fold"] == 4).tolist())
    assert all((source.faces["split"] == 0).all() for source in seen if source.faces.dataset == "ferplus")


class Stopped:
    finished = False


def test_protocols_judge_every_picture_once(tmp_path):
    model = new_training(SMALL, 0)
    out = cross_validated(model, FACES, tmp_path, TWO_STEPS)
    assert out["of_7"]["n"] == 80 and set(out["au_f1"]["units"]) == set(CODED)
    without = [file.parent.name for file in tmp_path.glob("*/parts.json")]
    assert sorted(without) == [f"without-{fold}" for fold in range(5)]
    apart = left_out(model, FACES["ckplus48"])
    contempt = EMOTIONS.index("contempt")
    assert apart["of_8"]["n"] == int((FACES["ckplus48"]["majority"] != contempt).sum())
    tested = home(model, FACES["ferplus"], {FACES["ferplus"].split("test").ids[0]})
    assert tested["home_without_repeated"]["n"] == tested["home"]["n"] - 1


def test_a_protocol_that_is_stopped_gives_no_figures(tmp_path, monkeypatch):
    monkeypatch.setattr("emoreason.training.face_stage.train", lambda *_: Stopped())
    with pytest.raises(TrainingError, match="without-0: stopped"):
        cross_validated(new_training(SMALL, 0), FACES, tmp_path, TWO_STEPS)


def test_another_crop_than_the_prepared_one():
    with pytest.raises(ConfigError, match="48 pixels"):
        new_training(FaceConfig(image_size=64), 0)


def test_the_temperature_undoes_what_was_multiplied():
    model = new_training(SMALL, 0)
    with torch.no_grad():
        model.emotion.out.weight.mul_(50)
    calibrate(model, FACES["ferplus"])
    assert model.emotion.temperature > 1.5
    assert 0 <= scores(model, FACES["ferplus"])["uar"] <= 1


# scores


def test_prior_divided_out_and_another_multiplied_in():
    prior = torch.tensor([0.02] * 7 + [0.86])
    logits = prior.log()[None] + torch.tensor([[1.0] + [0.0] * 7])
    assert decide(logits, prior.log()).item() == 0
    assert decide(logits, prior.log(), prior).item() == 7
    assert decide(logits, prior.log(), among=EMOTIONS[1:]).item() != 0


def test_uar_and_f1_by_hand():
    truth, chosen = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 1, 1])
    assert accuracy(chosen, truth) == 0.75 and uar(chosen, truth) == pytest.approx((2 / 3 + 1) / 2)
    coded = torch.full((4, len(AUS)), torch.nan)
    said = torch.zeros(4, len(AUS))
    column = AUS.index("AU12")
    coded[:3, column], said[:, column] = torch.tensor([1.0, 1, 0]), torch.tensor([0.9, 0.1, 0.8, 0.9])
    assert mean_f1(said, coded)[1]["AU12"] == pytest.approx(0.5)  # one hit, one miss, one false alarm


def test_intervals_draw_whole_groups():
    values = torch.tensor([0.0, 0, 1, 1])
    low, high = interval(lambda places: float(values[places].mean()), ["a", "a", "b", "b"], draws=200)
    assert (low, high) == (0, 1)
    assert interval(lambda places: 0.5, ["a", "b"], draws=10) == [0.5, 0.5]
