"""The training loop on a toy: what matters is that nothing is lost and nothing is silently wrong."""

import json
import multiprocessing
import os
import signal
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training_toys import PLAN, STEPS, Toy, ToyExamples, collate, train_slowly, validate

from emoreason.errors import ConfigError, EnvironmentProblem, TrainingError
from emoreason.training import checkpoint
from emoreason.training.batches import Batches
from emoreason.training.fit import Schedule, fit


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def train(folder, **changed):
    model = Toy()
    fitted = fit(model, ToyExamples(), collate, Schedule(**PLAN | changed), folder, evaluate=lambda: validate(model))
    return model, fitted


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# resuming


def start(folder):
    process = multiprocessing.get_context("spawn").Process(target=train_slowly, args=(str(folder),))
    process.start()
    while checkpoint.latest(folder) is None:
        assert process.is_alive()
        time.sleep(0.01)
    time.sleep(0.04)
    return process


def test_killed_and_resumed_equals_uninterrupted(tmp_path):
    process = start(tmp_path / "killed")
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    left = checkpoint.load(checkpoint.latest(tmp_path / "killed"))[1]["step"]
    assert 0 < left < STEPS
    resumed, fitted = train(tmp_path / "killed", save_every_s=0.1)
    whole, expected = train(tmp_path / "whole")
    assert same(weights(resumed), weights(whole))
    assert fitted.best == expected.best and fitted.steps == STEPS and fitted.finished
    losses = [(entry["step"], entry.get("loss")) for entry in fitted.history]
    assert losses == [(entry["step"], entry.get("loss")) for entry in expected.history]


def test_sigterm_saves_and_stops(tmp_path):
    process = start(tmp_path)
    os.kill(process.pid, signal.SIGTERM)
    process.join(60)
    assert process.exitcode == 0
    assert 0 < checkpoint.load(checkpoint.latest(tmp_path))[1]["step"] < STEPS
    assert same(weights(train(tmp_path, save_every_s=0.1)[0]), weights(train(tmp_path / "whole")[0]))


def test_a_finished_run_is_not_trained_again(tmp_path):
    first, _ = train(tmp_path)
    examples = ToyExamples()
    again = Toy()
    fitted = fit(again, examples, collate, Schedule(**PLAN), tmp_path, evaluate=lambda: validate(again))
    assert examples.asked == [] and fitted.finished
    assert same(weights(first), weights(again))


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    train(tmp_path)
    with pytest.raises(ConfigError, match="schedule was .*train into another folder"):
        train(tmp_path, batch=5)


def test_a_checkpoint_of_another_stage_is_refused(tmp_path):
    train(tmp_path)
    model = Toy()
    model.old.requires_grad_(True)
    with pytest.raises(ConfigError, match="trains other parts"):
        fit(model, ToyExamples(), collate, Schedule(**PLAN), tmp_path)


@pytest.mark.parametrize("window", [1, 3])
def test_batches_depend_on_their_number_alone(window):
    def take(start, count):
        stream = iter(Batches(ToyExamples(), collate, 4, start, window))
        return [([draw.index for draw in draws], batch["x"].tolist()) for draws, batch in (next(stream) for _ in range(count))]

    whole = take(0, 12)
    assert take(5, 7) == whole[5:]
    drawn = sorted(index for indices, _ in whole for index in indices)
    assert drawn == list(range(12 * 4))


def test_windows_sort_by_size():
    stream = iter(Batches(ToyExamples(), lambda some: {"sizes": [one["length"] for one in some]}, 4, 0, 8))
    spans = [max(sizes) - min(sizes) for sizes in (next(stream)[1]["sizes"] for _ in range(8))]
    plain = iter(Batches(ToyExamples(), lambda some: {"sizes": [one["length"] for one in some]}, 4, 0, 1))
    unsorted = [max(sizes) - min(sizes) for sizes in (next(plain)[1]["sizes"] for _ in range(8))]
    assert sum(spans) < sum(unsorted) / 3


def test_processes_share_the_draws():
    streams = [iter(Batches(ToyExamples(), collate, 2, 0, 1, process, 3)) for process in range(3)]
    drawn = [draw.index for stream in streams for _ in range(4) for draw in next(stream)[0]]
    assert sorted(drawn) == list(range(24))


# what a checkpoint is


def test_checkpoints_are_safetensors_and_json_only(tmp_path):
    train(tmp_path)
    kept = [path for path in tmp_path.glob("step-*")]
    assert len(kept) == 1 and {path.name for path in kept[0].iterdir()} == {
        "weights.safetensors",
        "optimizer.safetensors",
        "averaged.safetensors",
        "state.json",
    }
    names = set(load_file(kept[0] / "weights.safetensors"))
    assert names == {name for name in Toy().state_dict() if name.startswith("new.")}


def test_a_full_disk_loses_no_earlier_checkpoint(tmp_path, monkeypatch):
    train(tmp_path, steps=10)
    before = checkpoint.latest(tmp_path)
    content = {path.name: path.read_bytes() for path in before.iterdir()}
    real = checkpoint.save_file

    def full(values, file):
        real(values, file)
        if "optimizer" in Path(file).name:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(EnvironmentProblem, match="No space left.*make room and resume"):
        checkpoint.save(tmp_path, 11, {"weights": {}, "optimizer": {"0.step": torch.ones(1)}}, {})
    assert checkpoint.latest(tmp_path) == before
    assert {path.name: path.read_bytes() for path in before.iterdir()} == content
    assert not list(tmp_path.glob(".part-*"))


def test_a_truncated_log_line_is_dropped(tmp_path):
    train(tmp_path)
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"step": 3, "lo')
    assert train(tmp_path)[1].history[-1]["step"] == STEPS


# what goes wrong


def test_nan_stops_with_the_batch_saved(tmp_path):
    examples = ToyExamples(bad_item=17)
    before = Toy()
    with pytest.raises(TrainingError, match="the loss is nan; its batch is in .*safetensors"):
        fit(before, examples, collate, Schedule(**PLAN), tmp_path)
    batch = load_file(next(tmp_path.glob("not-finite-*.safetensors")))
    draws = json.loads(next(tmp_path.glob("not-finite-*.json")).read_text())
    assert batch["y"].isnan().tolist() == [draw["item"] == 17 for draw in draws] and batch["y"].isnan().any()
    assert all(value.isfinite().all() for value in before.state_dict().values())


def test_a_model_of_which_nothing_trains_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="nothing in the model trains"):
        fit(Toy().requires_grad_(False), ToyExamples(), collate, Schedule(**PLAN), tmp_path)


@pytest.mark.parametrize("changed", [{"steps": -1}, {"ema": 1.0}, {"warmup": -0.1}, {"precision": "fp8"}, {"track": ["paper"]}])
def test_a_schedule_that_cannot_be_is_refused(changed):
    with pytest.raises(ConfigError, match=next(iter(changed))):
        Schedule(**PLAN | changed)


@pytest.mark.skipif(find_spec("wandb") is not None, reason="wandb is installed")
def test_a_tracker_that_is_not_installed_is_named_before_anything_trains(tmp_path):
    with pytest.raises(ConfigError, match="pip install wandb"):
        train(tmp_path, track=["wandb"])
    assert not list(tmp_path.glob("step-*"))


# what it does


def test_trackers_get_the_numbers_only_where_they_are_asked_for(tmp_path):
    train(tmp_path / "quiet")
    assert not list((tmp_path / "quiet").rglob("events.*"))
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _, fitted = train(tmp_path / "tracked", track=["tensorboard"])
    board = EventAccumulator(str(tmp_path / "tracked" / "tensorboard")).Reload()
    logged = {entry["step"]: entry["loss"] for entry in fitted.history if "loss" in entry}
    assert {event.step: event.value for event in board.Scalars("loss")} == pytest.approx(logged)


def test_it_learns_and_frozen_parts_do_not_drop_out(tmp_path):
    model = Toy()
    groups = [{"name": "new", "params": list(model.new.parameters()), "lr": 0.03}]
    fitted = fit(model, ToyExamples(), collate, Schedule(**PLAN | {"steps": 60}), tmp_path, groups, lambda: validate(model))
    assert fitted.best["loss"] < validate(Toy().eval())["loss"] / 2
    assert set(model.training_seen) == {(False, True), (False, False)}  # while training, and in validation
    assert torch.equal(model.old[0].weight, Toy().old[0].weight)
    assert fitted.history[5]["other"] == pytest.approx(2 * fitted.history[5]["loss"])


def test_patience_ends_it_with_the_best_weights(tmp_path):
    model, scores = Toy(), iter([0.2, 0.9, 0.5, 0.4, 0.3])
    seen = []

    def evaluate():
        seen.append(weights(model))
        return {"uar": next(scores)}

    schedule = Schedule(**PLAN | {"evaluate_every": 4, "patience": 2})
    fitted = fit(model, ToyExamples(), collate, schedule, tmp_path, evaluate=evaluate, best="uar")
    assert fitted.finished and fitted.steps == 16 and fitted.best == {"uar": 0.9, "step": 8}
    assert same(weights(model), seen[1])


def test_averaged_weights_are_those_validated(tmp_path):
    model = Toy()
    seen = []

    def evaluate():
        seen.append(weights(model))
        return {"loss": 1.0}

    fit(model, ToyExamples(), collate, Schedule(**PLAN), tmp_path, evaluate=evaluate)
    averaged = load_file(checkpoint.latest(tmp_path) / "averaged.safetensors")
    raw = load_file(checkpoint.latest(tmp_path) / "weights.safetensors")
    assert torch.equal(seen[0]["new.0.weight"], averaged["new.0.weight"])
    assert not torch.equal(seen[0]["new.0.weight"], raw["new.0.weight"])


def test_groups_have_their_own_rates_and_norms_no_decay(tmp_path):
    model = Toy()
    groups = [
        {"name": "first", "params": list(model.new[0].parameters()), "lr": 1e-2},
        {"name": "rest", "params": [*model.new[1].parameters(), *model.new[4].parameters()], "lr": 1e-3},
    ]
    fitted = fit(model, ToyExamples(), collate, Schedule(**PLAN | {"warmup": 0.0}), tmp_path, groups=groups)
    middle = fitted.history[STEPS // 2 - 1]
    assert middle["lr_first"] == pytest.approx(10 * middle["lr_rest"]) and middle["lr_first"] == pytest.approx(5e-3, rel=0.15)


def test_progress_is_told(tmp_path):
    told = []
    fit(Toy(), ToyExamples(), collate, Schedule(**PLAN), tmp_path, progress=lambda *said: told.append(said))
    assert [done for _, done, _ in told] == list(range(1, STEPS + 1)) and told[-1][2] == STEPS
    assert told[-1][0].startswith("training, loss 0.") or told[-1][0].startswith("training, loss ")
