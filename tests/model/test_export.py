import dataclasses
import json

import pytest
import torch
from model.families import FAMILIES, toy
from model.samples import segment
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer

from emoreason import cli
from emoreason.errors import ConfigError
from emoreason.model import export as exporting
from emoreason.model.export import export, open_export
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.prompt import SPECIAL_TOKENS

STOCK = {"llama": AutoModelForCausalLM, "qwen3_vl": AutoModelForImageTextToText, "gemma3": AutoModelForImageTextToText}


def checkpoint_of(name, folder):
    """As training leaves it: an adapter and special-token rows that differ from where they started."""
    processor, model = toy(FAMILIES[name], lora={"r": 2, "lora_alpha": 4})
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if "lora_B" in parameter_name or "trainable_tokens" in parameter_name:
                parameter.normal_(std=0.3)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=STOCK)
def exported(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    checkpoint = checkpoint_of(request.param, folder / "checkpoint")
    return request.param, checkpoint, export(checkpoint, folder / "out")


@pytest.fixture(scope="module")
def model(exported):
    return EmoReasonForConditionalGeneration.from_pretrained(exported[1])


def test_the_backbone_is_stock_and_merged(exported, model):
    name, _, out = exported
    stock = STOCK[name].from_pretrained(out / "backbone").eval()
    tokenizer = AutoTokenizer.from_pretrained(out / "backbone")
    assert not any("lora" in key or "token_adapter" in key for key in stock.state_dict())
    ids = tokenizer(f"p1 smiles {SPECIAL_TOKENS[2]} f1 p1 AU12 strong", return_tensors="pt").input_ids
    assert tokenizer.convert_tokens_to_ids(SPECIAL_TOKENS[2]) in ids  # a trained row is in play
    with torch.no_grad():
        ours, theirs = model.backbone(input_ids=ids).logits, stock(input_ids=ids).logits
        with model.backbone.disable_adapter():
            bare = model.backbone(input_ids=ids).logits
    assert torch.allclose(ours, theirs, atol=1e-4) and not torch.allclose(ours, bare, atol=1e-2)


def test_both_halves_together_are_the_model(exported, model):
    name, _, out = exported
    again, processor = open_export(out)
    batch = processor([segment(scenes=1 if FAMILIES[name].sees else 0)])
    with torch.no_grad():
        ours, theirs = model(**batch), again(**batch)
    assert torch.allclose(ours.logits, theirs.logits, atol=1e-4)
    assert all(torch.allclose(ours.heads[head], theirs.heads[head], atol=1e-4) for head in ours.heads)
    assert again.config.labels == model.config.labels


@pytest.mark.parametrize("turns", [(), (("Who speaks?", "p1 does."),)])
def test_the_prompt_a_server_renders_is_the_local_text_prompt(exported, turns):
    _, processor = open_export(exported[2])
    inputs = dataclasses.replace(segment(), turns=turns)
    messages = json.loads(json.dumps(processor.messages(inputs, soft=False)))  # as they travel
    tokenizer = AutoTokenizer.from_pretrained(exported[2] / "backbone")
    served = tokenizer.apply_chat_template(messages, tokenize=True, add_generation_prompt=True)["input_ids"]
    assert served == processor([inputs], soft=False)["input_ids"][0].tolist()
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == processor.text(inputs, soft=False) and not any(token in text for token in SPECIAL_TOKENS)


def test_files_are_safe_and_the_readme_says_what_is_there(exported):
    _, _, out = exported
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert {"README.md", "backbone/model.safetensors", "emoreason/model.safetensors", "backbone/tokenizer.json"} <= files
    assert not {path for path in files if path.endswith((".bin", ".pt", ".pkl", ".pth"))}
    readme = (out / "README.md").read_text()
    assert "untrained" in readme and "happiness" in readme and "all weights were made here" in readme


def test_the_readme_names_the_licences_of_its_sources():
    config = toy(FAMILIES["llama"])[1].config
    config.trained = True
    config.backbone, config.face = {"asset": "smollm2-135m"}, {"path": "some/trunk"}
    readme = exporting._readme(config, torch.nn.Identity())
    assert "SmolLM2" in readme and "(Apache-2.0)" in readme and "some/trunk" in readme and "untrained" not in readme


def test_a_failed_export_leaves_nothing(tmp_path, monkeypatch):
    checkpoint = checkpoint_of("llama", tmp_path / "checkpoint")

    def fail(*_):
        raise RuntimeError("no more power")

    monkeypatch.setattr(exporting, "_readme", fail)  # the backbone is written by then
    with pytest.raises(RuntimeError):
        export(checkpoint, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_what_cannot_be_exported_is_said_in_one_line(tmp_path, capsys):
    (tmp_path / "taken").mkdir()
    assert cli.run(["export", str(tmp_path / "taken"), "--out", str(tmp_path / "x")]) == 1
    assert capsys.readouterr().err.strip() == f"{tmp_path / 'taken'} is no checkpoint: model.safetensors is not in it"
    (tmp_path / "taken" / "model.safetensors").touch()
    assert cli.run(["export", str(tmp_path / "taken"), "--out", str(tmp_path / "taken")]) == 1
    assert "is there already: name a new folder" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="is no export: backbone/config.json"):
        open_export(tmp_path)


def test_the_command_prints_the_folder(tmp_path, capsys):
    checkpoint = checkpoint_of("llama", tmp_path / "checkpoint")
    assert cli.run(["export", str(checkpoint), "--out", str(tmp_path / "deep" / "out")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "deep" / "out")
    assert (tmp_path / "deep" / "out" / "backbone" / "config.json").is_file()
    assert cli.run(["export", str(checkpoint), "--out", str(tmp_path / "plain"), "--no-graph"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "plain") and not (tmp_path / "plain" / "onnx").exists()


def test_a_family_without_graphs_is_exported_with_a_warning(tmp_path, capsys):
    checkpoint = checkpoint_of("qwen3_vl", tmp_path / "checkpoint")
    assert cli.run(["export", str(checkpoint), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert "warning: no graph for onnxruntime (graphs are built for the families llama" in said.err
    assert not (tmp_path / "out" / "onnx").exists()
