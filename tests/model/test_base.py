"""A fine-tuned checkpoint holds what it changed and names its base by hash."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from training_data import make_model

from emoreason.errors import ConfigError
from emoreason.inference.judges.loading import load_model
from emoreason.model import base, checkpoint_files
from emoreason.model.config import EmoReasonConfig
from emoreason.model.export import export, open_export
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.untrained import untrained
from emoreason.training.ship import save


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A base, and two checkpoints made from it, the second from the first."""
    folder = tmp_path_factory.mktemp("base")
    model, processor = untrained(make_model(folder))
    save(model, processor, folder / "one")
    for name, before, part, value in (("two", "one", "face_connector", 0.25), ("three", "two", "lora_B", 0.5)):
        model = EmoReasonForConditionalGeneration.from_pretrained(folder / before)
        processor = EmoReasonProcessor.from_pretrained(folder / before, model.config)
        with torch.no_grad():
            for key, tensor in model.named_parameters():
                if part in key and tensor.dim() > 1:
                    tensor.fill_(value)
        model.config.base = base.named(folder / before)
        save(model, processor, folder / name)
    return folder


def test_only_what_was_changed_is_stored_and_all_of_it_loads(folders):
    kept = {name: set(load_file(folders / name / checkpoint_files.WEIGHTS)) for name in ("one", "two", "three")}
    assert kept["two"] and all("face_connector" in name for name in kept["two"])
    assert kept["three"] and all("lora_B" in name for name in kept["three"])
    assert len(kept["one"]) > 50
    one, two, three = (EmoReasonForConditionalGeneration.from_pretrained(folders / name) for name in ("one", "two", "three"))
    differs = {name for name, value in three.state_dict().items() if not torch.equal(value, one.state_dict()[name])}
    assert differs == kept["two"] | kept["three"]
    assert three.config.base["sha256"] == checkpoint_files.sha256(folders / "two")
    assert two.config.base["path"] == str((folders / "one").resolve()) and one.config.base is None
    assert load_model(folders / "three").weights_sha256 == checkpoint_files.sha256(folders / "three")


def test_weights_may_lie_in_several_files(folders, tmp_path):
    folder = tmp_path / "two files"
    shutil.copytree(folders / "one", folder)
    whole = load_file(folder / checkpoint_files.WEIGHTS)
    apart = {name: whole.pop(name) for name in list(whole) if name.startswith("heads.")}
    save_file(whole, folder / checkpoint_files.WEIGHTS)
    save_file(apart, folder / "heads.safetensors")
    places = dict.fromkeys(whole, checkpoint_files.WEIGHTS) | dict.fromkeys(apart, "heads.safetensors")
    index = folder / checkpoint_files.SHARDS
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    one, two = (EmoReasonForConditionalGeneration.from_pretrained(place).state_dict() for place in (folders / "one", folder))
    assert all(torch.equal(value, two[name]) for name, value in one.items())
    before = checkpoint_files.sha256(folder)
    save_file(apart | {name: value + 1 for name, value in apart.items()}, folder / "heads.safetensors")
    assert checkpoint_files.sha256(folder) != before

    for wrong in ("../one/model.safetensors", "gone.safetensors"):
        index.write_text(json.dumps({"metadata": {}, "weight_map": places | {"x": wrong}}))
        with pytest.raises(ConfigError, match="is no file beside it"):
            EmoReasonForConditionalGeneration.from_pretrained(folder)

    model = EmoReasonForConditionalGeneration.from_pretrained(folders / "one")
    model.save_pretrained(folder)
    assert not index.exists(), "what is saved over it is whole"


def test_an_export_needs_no_base(folders, tmp_path):
    export(folders / "three", tmp_path / "out")
    model, _ = open_export(tmp_path / "out")
    assert model.config.base is None
    whole = EmoReasonForConditionalGeneration.from_pretrained(folders / "three").state_dict()
    assert all(torch.equal(model.state_dict()[name], value) for name, value in whole.items() if not name.startswith("backbone."))


def test_a_base_that_is_another_one_or_gone_is_said(folders, tmp_path, monkeypatch):
    config = EmoReasonConfig.from_pretrained(folders / "three")
    config.base = config.base | {"sha256": "0" * 64}
    with pytest.raises(ConfigError, match="another version of .*two.*fine-tune again"):
        EmoReasonForConditionalGeneration.from_pretrained(folders / "three", config)
    config.base = {"path": str(tmp_path / "nowhere"), "sha256": "0" * 64}
    with pytest.raises(ConfigError, match="was fine-tuned from .*nowhere.* and needs it"):
        EmoReasonForConditionalGeneration.from_pretrained(folders / "three", config)


def test_weights_of_the_package_are_named_not_placed(folders, monkeypatch):
    monkeypatch.setattr("emoreason.config.SHIPPED_WEIGHTS", folders.resolve())
    monkeypatch.chdir(folders / "three")  # where no folder has that name
    assert base.named("one")["path"] == "one" and checkpoint_files.checkpoint_folder("one") == folders.resolve() / "one"
    with pytest.raises(ConfigError, match="is no checkpoint: config.json is missing"):
        checkpoint_files.checkpoint_folder("four")
