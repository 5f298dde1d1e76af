import copy

import pytest
import torch
import yaml
from model.families import FAMILIES, toy
from model.samples import segment

from emoreason.config import names
from emoreason.errors import ConfigError
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.stages import PARTS, REST, StageSpec, apply_stage, load_stage, parameter_groups

OTHER_KINDS = [name for name in names("stages") if name.startswith(("face", "voice", "words"))]  # train parts of their own
ENCODERS = dict.fromkeys(("face.trunk", "face", "voice", "heads"), "full")
LORA = {"r": 2, "lora_alpha": 4}
EVERYTHING = StageSpec(
    "everything", {part: "lora" if part == "language" else "full" for part in PARTS}, dict.fromkeys(PARTS, 1e-3)
)
PERCEPTION = StageSpec("perception", ENCODERS, dict.fromkeys(ENCODERS, 1e-3))


@pytest.fixture
def built():
    return toy(FAMILIES["qwen3_vl"], lora=LORA)


def training(model):
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def loss_of(processor, model):
    """Every head and the answer: whatever can learn, does."""
    batch = processor([segment()], ["p1 smiles. <answer>emotion=happiness</answer>"])
    out = model(**batch)
    return out.loss + sum(logits.square().mean() for logits in out.heads.values())


@pytest.mark.parametrize("name", [name for name in names("stages") if name not in OTHER_KINDS])
def test_shipped_stages_train_exactly_their_parts(built, name):
    _, model = built
    stage = load_stage(name)
    table = apply_stage(model, stage)
    once = training(model)
    assert {row.part for row in table if row.trainable} == set(stage.train)
    assert apply_stage(model, stage) == table and training(model) == once
    assert sum(row.total for row in table) == sum(parameter.numel() for parameter in model.parameters())


def test_the_exact_names_of_a_stage(built):
    _, model = built
    apply_stage(model, EVERYTHING)  # what an earlier stage left open is closed
    apply_stage(model, load_stage("multitask"))
    inside = "place length norm.weight norm.bias body.0.weight body.0.bias body.2.weight body.2.bias".split()
    connectors = {f"{modality}_connector.{name}" for modality in ("face", "voice") for name in inside}
    root = "backbone.base_model.model.model.language_model"
    tokens = {f"{root}.embed_tokens.token_adapter.trainable_tokens_delta.default"}
    projections = [f"self_attn.{x}_proj" for x in "qkvo"] + [f"mlp.{x}_proj" for x in ("gate", "up", "down")]
    adapters = {f"{root}.layers.{n}.{p}.lora_{m}.default.weight" for n in (0, 1) for p in projections for m in "AB"}
    heads = {name for name, _ in model.named_parameters() if name.startswith("heads.")}
    assert heads and training(model) == connectors | tokens | adapters | heads


def test_gradient_reaches_trainable_parts_and_no_frozen_one(built):
    processor, model = built
    for stage in (EVERYTHING, load_stage("align"), PERCEPTION):
        apply_stage(model, stage)
        model.zero_grad(set_to_none=True)
        loss_of(processor, model).backward()
        groups = parameter_groups(model, stage)
        for group in groups:
            assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in group["params"]), (stage.name, group["name"])
        assert all(p.grad is None for p in model.parameters() if not p.requires_grad)


def test_a_step_changes_trained_parameters_only(built):
    processor, model = built
    stage = load_stage("align")
    apply_stage(model, stage)
    before = copy.deepcopy(model.state_dict())
    optimiser = torch.optim.AdamW(parameter_groups(model, stage))
    loss_of(processor, model).backward()
    optimiser.step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and changed <= training(model)


def test_groups_carry_name_and_rate(built):
    _, model = built
    stage = StageSpec("x", {"connectors": "full", "language": "lora"}, {"connectors": 1e-3, "language": 2e-4})
    with pytest.raises(ConfigError, match="call apply_stage first"):
        parameter_groups(model, stage)
    apply_stage(model, stage)
    groups = parameter_groups(model, stage)
    assert {group["name"]: group["lr"] for group in groups} == {"connectors": 1e-3, "language": 2e-4}
    assert sum(len(group["params"]) for group in groups) == len(training(model))


def test_the_vocabulary_and_the_backbones_own_tower_never_train(built):
    _, model = built
    stage = StageSpec("x", {"language": "full"}, {"language": 1e-4})
    table = {row.part: row for row in apply_stage(model, stage)}
    assert table[REST].trainable == 0 < table[REST].total
    assert not any("visual" in name or "lora_" in name or "embed_tokens" in name for name in training(model))
    assert any(name.endswith("input_layernorm.weight") for name in training(model))


def test_what_trains_in_full_is_saved_whole(tmp_path):
    processor, model = toy(FAMILIES["llama"], lora=LORA)
    model.config.backbone, model.config.voice = {"path": "nowhere"}, {"path": "nowhere"}
    rates = {"language": 1e-2, "voice.encoder": 1e-2}
    stage = StageSpec("x", {"language": "full", "voice.encoder": "full"}, rates)
    apply_stage(model, stage)
    optimiser = torch.optim.AdamW(parameter_groups(model, stage))
    loss_of(processor, model).backward()
    optimiser.step()
    model.save_pretrained(tmp_path)
    again = EmoReasonForConditionalGeneration.from_pretrained(tmp_path).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in model.state_dict().items())


def test_sines_of_whisper_stay(built):
    _, model = built
    apply_stage(model, EVERYTHING)
    assert "voice.encoder.embed_positions.weight" not in training(model)


@pytest.mark.parametrize(
    ("part", "options", "message"),
    [
        ("language", {}, "nothing to train in 'language' as lora; lora needs `lora`"),
        ("tokens", {}, "nothing to train in 'tokens' as full; their rows come with the adapter"),
    ],
)
def test_a_part_that_is_not_there_cannot_train(part, options, message):
    _, model = toy(FAMILIES["llama"], **options)
    with pytest.raises(ConfigError, match=message):
        apply_stage(model, StageSpec("x", {part: EVERYTHING.train[part]}, {part: 1e-3}))


def test_a_quantized_backbone_cannot_train_in_full(built):
    _, model = built
    model.config.quantization = "4bit"
    with pytest.raises(ConfigError, match="4bit cannot train in full; use lora"):
        apply_stage(model, StageSpec("x", {"language": "full"}, {"language": 1e-3}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"train": {"conectors": "full"}, "lr": {}}, r"unknown key 'train.conectors'; did you mean 'connectors'\?"),
        ({"train": {"heads": "lora"}, "lr": {}}, "train.heads is 'lora', but takes frozen, full"),
        ({"train": {"language": "lorra"}, "lr": {}}, r"takes frozen, lora, full; did you mean 'lora'\?"),
        ({"train": {"heads": "full"}, "lr": {}}, "lr.heads is missing"),
        ({"train": {"heads": "frozen"}, "lr": {"heads": 1e-3}}, "unknown key 'lr.heads'; known: none"),
        ({"train": {"heads": "full"}, "lr": {"heads": "fast"}}, "lr.heads must be a number above 0, got 'fast'"),
        ({"train": {"heads": "full"}, "lr": {"heads": 0}}, "lr.heads must be a number above 0, got 0"),
        ({"trian": {}, "lr": {}}, r"unknown key 'trian'; did you mean 'train'\?"),
        ({"train": ["heads"], "lr": {}}, "train must be a mapping of parts"),
        ({"train": {}}, "lr must be a mapping of parts"),
        ({"kind": "face"}, "is of kind 'face'; only stages of kind sft say which parts of the model train"),
    ],
)
def test_a_wrong_file_is_told_what_is_wrong(tmp_path, content, message):
    path = tmp_path / "stage.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=message) as caught:
        load_stage(path)
    assert str(path) in str(caught.value)


def test_yaml_reads_1e_3_as_text_and_we_as_a_number(tmp_path):
    path = tmp_path / "quick.yaml"
    path.write_text("train: {heads: full}\nlr: {heads: 1e-3}\n")
    assert load_stage(path) == StageSpec("quick", {"heads": "full"}, {"heads": 1e-3})
