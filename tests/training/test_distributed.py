"""Two processes train what one would with the same samples a step, and go on as if they had never been killed."""

import json
import time

import pytest
import torch
from distributed_toys import ONE, STEPS, TWO, divided, language, merged, plain, start, untouched
from model.families import FAMILIES, toy
from safetensors.torch import load_file
from torch import nn

from emoreason.errors import ConfigError
from emoreason.training import checkpoint, division, log
from emoreason.training.sft import Tuning


def finish(processes):
    for process in processes:
        process.join(120)  # a busy machine takes its time to import
    assert [process.exitcode for process in processes] == [0, 0]


def kill(processes):
    for process in processes:
        process.kill()
        process.join()


def close(one, other):
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], atol=2e-5, rtol=2e-4, msg=lambda said, name=name: f"{name}: {said}")


def losses(folder):
    return [(entry["step"], entry[name]) for entry in log.read(folder) for name in ("loss", "valid_loss") if name in entry]


@pytest.mark.parametrize("train", [plain, language])
def test_two_processes_are_one_with_the_same_samples_a_step(train, tmp_path):
    finish(start(train, tmp_path / "two", **TWO))
    alone, fitted = train(tmp_path / "one", **ONE)
    ranks = [load_file(tmp_path / "two" / f"{rank}.safetensors") for rank in range(2)]
    assert all(torch.equal(ranks[0][name], ranks[1][name]) for name in ranks[0])
    close(ranks[0], merged(alone) if train is language else alone.state_dict())
    before = untouched(train)
    assert any((ranks[0][name] - before[name]).abs().max() > 1e-3 for name in before)
    two, one = losses(tmp_path / "two"), losses(tmp_path / "one")
    assert [step for step, _ in two] == [step for step, _ in one] and len(one) >= fitted.steps
    assert [loss for _, loss in two] == pytest.approx([loss for _, loss in one], rel=1e-4)


def test_killed_and_resumed_equals_uninterrupted(tmp_path):
    options = dict(TWO, window=2)
    killed = start(plain, tmp_path / "killed", slow=True, save_every_s=0.05, **options)
    while checkpoint.latest(tmp_path / "killed") is None:
        assert all(process.is_alive() for process in killed)
        time.sleep(0.01)
    kill(killed)
    assert 0 < checkpoint.load(checkpoint.latest(tmp_path / "killed"))[1]["step"] < STEPS
    finish(start(plain, tmp_path / "killed", **options))
    finish(start(plain, tmp_path / "whole", **options))
    resumed, whole = (load_file(tmp_path / name / "0.safetensors") for name in ("killed", "whole"))
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")
    with pytest.raises(ConfigError, match="processes was 2, is 1"):
        plain(tmp_path / "whole", **options)


@pytest.mark.parametrize("options", [{}, {"checkpointing": True}, {"offload": True}])
def test_frozen_layers_in_shares_train_the_same(options, tmp_path):
    """FSDP2: each process holds half of them."""
    finish(start(divided, tmp_path / "two", **options, **TWO))
    alone, _ = language(tmp_path / "one", **ONE)
    ranks = [load_file(tmp_path / "two" / f"{rank}.safetensors") for rank in range(2)]
    assert all(torch.equal(ranks[0][name], ranks[1][name]) for name in ranks[0])
    close(ranks[0], checkpoint.trained_state(alone))
    started = checkpoint.trained_state(Tuning(toy(FAMILIES["qwen2_5_vl"], lora={"r": 2})[1], 0.0))
    assert any((ranks[0][name] - started[name]).abs().max() > 1e-4 for name in ranks[0] if "lora" in name)
    shares = [json.loads((tmp_path / f"two/share-{rank}.json").read_text()) for rank in range(2)]
    assert shares == [[pytest.approx(0.5, abs=0.05)]] * 2
    two, one = losses(tmp_path / "two"), losses(tmp_path / "one")
    assert [loss for _, loss in two] == pytest.approx([loss for _, loss in one], rel=1e-4)


def test_frozen_layers_in_shares_go_on_after_a_kill(tmp_path):
    killed = start(divided, tmp_path / "killed", save_every_s=0.01, steps=40, **TWO)
    while checkpoint.latest(tmp_path / "killed") is None:
        assert all(process.is_alive() for process in killed)
        time.sleep(0.01)
    kill(killed)
    assert 0 < checkpoint.load(checkpoint.latest(tmp_path / "killed"))[1]["step"] < 40
    finish(start(divided, tmp_path / "killed", steps=40, **TWO))
    finish(start(divided, tmp_path / "whole", steps=40, **TWO))
    resumed, whole = (load_file(tmp_path / name / "0.safetensors") for name in ("killed", "whole"))
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


@pytest.mark.parametrize(
    "asked, said",
    [
        ({"ACCELERATE_USE_DEEPSPEED": "true"}, "DeepSpeed is not supported: launch by configs/accelerate/zero3.yaml"),
        ({"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "1"}, "FSDP1 is not supported: set fsdp_version: 2"),
        ({"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}, "nothing to divide"),
    ],
)
def test_divisions_that_are_refused(asked, said, tmp_path, monkeypatch):
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=said):
        plain(tmp_path, **ONE)
    assert not list(tmp_path.iterdir())


def test_quantised_weights_are_not_divided():
    layer = nn.Linear(2, 2)
    layer.weight = nn.Parameter(torch.zeros(2, 2, dtype=torch.uint8), requires_grad=False)
    with pytest.raises(ConfigError, match="quantised weights cannot be divided"):
        division.check(layer)
