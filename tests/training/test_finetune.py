"""A run that begins with a checkpoint, and what is shipped for GPUs."""

import pytest
import torch
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from distributed_toys import language
from training_data import make_model, make_run

from emoreason.config import names, resolve, shipped
from emoreason.errors import ConfigError
from emoreason.model.config_file import read_model_file
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.untrained import untrained
from emoreason.training import samples
from emoreason.training.finetune import initial
from emoreason.training.pipeline import Pipeline
from emoreason.training.run import load_run
from emoreason.training.ship import save, ship

RUN = {"stages": {"reason": {"stage": "reason", "mixture": {"own": {"data": "ravdess", "tasks": ["emotion"]}},
                             "schedule": {"steps": 2, "batch": 2}}}}  # fmt: skip
GPU = [name for name in names("runs") if name.startswith("qwen")]


def written(folder, **keys):
    file = folder / "run.yaml"
    file.write_text(yaml.safe_dump(RUN | keys))
    return file


def test_a_run_begins_with_the_weights_of_a_checkpoint(tmp_path):
    model, processor = untrained(make_model(tmp_path))
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "lora_" in name or "connector" in name:
                value.copy_(torch.arange(value.numel()).reshape(value.shape) / 64)
    save(model, processor, tmp_path / "base")
    begun, _ = initial(load_run(written(tmp_path, init_from=str(tmp_path / "base"))))
    state = begun.state_dict()
    changed = {name: value for name, value in model.state_dict().items() if "lora_" in name or "connector" in name}
    assert len(changed) > 8
    for name, value in changed.items():
        torch.testing.assert_close(state[name], value, atol=1e-2, rtol=1e-3, msg=name)  # matrices are kept in half precision


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "one of the two"),
        ({"model": "tiny", "init_from": "base"}, "one of the two"),
        ({"init_from": "base", "stages": {"face": {}}}, "leave out the stage face"),
    ],
)
def test_where_a_run_begins_must_be_clear(tmp_path, keys, said):
    with pytest.raises(ConfigError, match=said):
        load_run(written(tmp_path, **keys))


def test_a_checkpoint_goes_on_with_a_recipe_that_is_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "MOST_TOKENS", 4)  # a random model never ends its answers
    make_run(tmp_path)
    save(*untrained(tmp_path / "toy.yaml"), tmp_path / "base")
    base = {file.name: file.read_bytes() for file in (tmp_path / "base").iterdir()}
    recipe = yaml.safe_load(resolve("recipes", "ravdess").read_text(encoding="utf-8"))
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(recipe | {"name": "own"}))
    stage = RUN["stages"]["reason"] | {"mixture": {"own": {"data": str(own), "tasks": ["emotion"]}}, "validation": 2}
    run = load_run(written(tmp_path, init_from=str(tmp_path / "base"), stages={"reason": stage}))
    assert Pipeline(run, tmp_path / "out", {}, str(tmp_path / "data"), tmp_path / "store").train("reason")
    assert ship(run, tmp_path / "out", tmp_path / "tuned")["reason"]["reason"]["steps"] == 2
    tuned, begun = (EmoReasonForConditionalGeneration.from_pretrained(tmp_path / name).state_dict() for name in ("tuned", "base"))
    changed = {name for name, value in tuned.items() if not torch.equal(value, begun[name])}
    assert changed and all("lora_" in name for name in changed)
    assert base == {file.name: file.read_bytes() for file in (tmp_path / "base").iterdir()}


def test_a_folder_without_weights_is_no_checkpoint(tmp_path):
    with pytest.raises(ConfigError, match="init_from: .* is no checkpoint: config.json is missing"):
        initial(load_run(written(tmp_path, init_from=str(tmp_path))))


def test_checkpointed_layers_learn_the_same(tmp_path):
    plain, kept = language(tmp_path / "kept", batch=2)
    again, computed = language(tmp_path / "computed", checkpointing=True, batch=2)
    assert any(module.gradient_checkpointing for module in again.modules() if hasattr(module, "gradient_checkpointing"))
    assert [entry.get("loss") for entry in kept.history] == pytest.approx([entry.get("loss") for entry in computed.history])
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("name, kind", [("ddp", "MULTI_GPU"), ("fsdp2", "FSDP"), ("zero3", "FSDP")])
def test_configurations_of_accelerate_are_ones(name, kind):
    config = load_config_from_file(str(shipped() / "configs" / "accelerate" / f"{name}.yaml"))
    assert config.distributed_type.value == kind and config.num_processes == 2 and not config.use_cpu
    assert kind != "FSDP" or config.fsdp_config["fsdp_version"] == 2


@pytest.mark.parametrize("name", GPU)
def test_runs_for_gpus_spare_memory(name):
    run = load_run(name)
    model = read_model_file(run.model)
    assert model.verified == "structure only" and model.dtype == "bfloat16" and model.lora
    assert model.quantization == ("4bit" if name.endswith("qlora") else None)
    assert all(stage.checkpointing for stage in run.tuning().values()) and len(GPU) == 4


def test_the_run_of_the_page_is_one(tmp_path):
    page = (shipped() / "docs" / "finetune.md").read_text(encoding="utf-8")
    (tmp_path / "run.yaml").write_text(page.split("```yaml\n")[1].split("```")[0])
    run = load_run(tmp_path / "run.yaml")
    assert run.init_from == "path/to/checkpoint" and run.labels == "moods.yaml" and run.data_sets() == ["moods.yaml", "meld"]
    assert all(f"`{name}`" in page for name in GPU)
