"""Parts of a model on disk and back."""

import json

import pytest
import torch
from torch import nn

from emoreason.errors import ConfigError
from emoreason.training.parts import load_parts, part_state, read_index, save_parts


class Little(nn.Module):
    """Names as the whole model has them; a batch norm for buffers."""

    def __init__(self, seed: int):
        super().__init__()
        torch.manual_seed(seed)
        self.face = nn.Module()
        self.face.trunk, self.face.body = nn.BatchNorm1d(3), nn.Linear(3, 2)
        self.face.trunk.running_mean.normal_()
        self.heads = nn.ModuleDict({"emotion": nn.Linear(2, 8), "voice_emotion": nn.Linear(2, 7)})
        self.face_connector, self.voice_connector = nn.Linear(2, 2), nn.Linear(2, 2)


def test_parts_come_back_and_others_stay(tmp_path):
    one, other = Little(0), Little(1)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    save_parts(one, ["face.trunk", "face", "heads.emotion", "connectors"], tmp_path, info={"uar": 0.5})
    index = load_parts(other, tmp_path)
    for name, value in other.state_dict().items():
        wanted = before[name] if name.startswith("heads.voice") else one.state_dict()[name]
        assert torch.equal(value, wanted), name
    assert index["info"] == {"uar": 0.5} and index["parts"]["face.trunk"]["tensors"] == 5


def test_a_second_stage_adds_to_the_folder(tmp_path):
    save_parts(Little(0), ["heads.emotion"], tmp_path, info={"a": 1})
    save_parts(Little(1), ["heads.voice_emotion"], tmp_path, info={"b": 2})
    index = read_index(tmp_path)
    assert set(index["parts"]) == {"heads.emotion", "heads.voice_emotion"} and index["info"] == {"a": 1, "b": 2}


def test_half_precision_is_for_floats_only(tmp_path):
    one, other = Little(0), Little(1)
    save_parts(one, ["face.trunk", "face"], tmp_path, half=True)
    load_parts(other, tmp_path)
    assert other.face.body.weight.dtype == torch.float32
    assert torch.equal(other.face.body.weight, one.face.body.weight.half().float())
    assert other.face.trunk.num_batches_tracked.dtype == torch.int64


def test_what_does_not_fit_is_named(tmp_path):
    save_parts(Little(0), ["heads.emotion", "face"], tmp_path)
    other = Little(0)
    other.heads["emotion"] = nn.Linear(2, 5)
    with pytest.raises(ConfigError, match=r"heads.emotion.bias is \[8\], the model's \[5\]"):
        load_parts(other, tmp_path, ["heads.emotion"])
    with pytest.raises(ConfigError, match="part 'voice' is not there; it holds face, heads.emotion"):
        load_parts(other, tmp_path, ["voice"])
    with pytest.raises(ConfigError, match="did you mean 'connectors'"):
        part_state(other, "connector")
    with pytest.raises(ConfigError, match="nothing of part 'voice'"):
        save_parts(other, ["voice"], tmp_path)


def test_damage_is_noticed(tmp_path):
    save_parts(Little(0), ["face"], tmp_path)
    file = tmp_path / "face.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="not what parts.json says"):
        load_parts(Little(1), tmp_path)
    (tmp_path / "parts.json").write_text(json.dumps({"format": "other"}))
    with pytest.raises(ConfigError, match="not of format"):
        load_parts(Little(1), tmp_path)
