"""Two processes train what one would with the same samples a step, and go on as if they had never been killed."""

import time

import pytest
import torch
from distributed_toys import ONE, STEPS, TWO, language, merged, plain, start, untouched
from safetensors.torch import load_file

from emoreason.errors import ConfigError
from emoreason.training import checkpoint, log


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


@pytest.mark.parametrize("name", ["ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED"])
def test_divided_weights_are_refused(name, tmp_path, monkeypatch):
    monkeypatch.setenv(name, "true")
    with pytest.raises(ConfigError, match=f"{name} divides the weights"):
        plain(tmp_path, **ONE)
    assert not list(tmp_path.iterdir())
