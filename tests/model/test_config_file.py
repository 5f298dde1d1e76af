import dataclasses

import pytest
import torch
import yaml
from model.families import FAMILIES
from transformers import (
    AutoConfig,
    LlamaConfig,
    LlamaForCausalLM,
    SiglipConfig,
    SiglipModel,
    SiglipVisionConfig,
    WhisperConfig,
    WhisperModel,
)

from emoreason import assets
from emoreason.config import names
from emoreason.errors import AssetError, ConfigError
from emoreason.model.config_file import load_config, read_model_file
from emoreason.model.modeling import EmoReasonForConditionalGeneration, build

TOY_TEXT = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2, vocab_size=100)
TOY_VISION = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2, image_size=16, patch_size=8)
TOY_WHISPER = dict(
    d_model=16, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=16, decoder_layers=1, decoder_attention_heads=2,
    decoder_ffn_dim=16, num_mel_bins=8, max_source_positions=100, vocab_size=100, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    decoder_start_token_id=1,
)  # fmt: skip
GOOD = dict(
    verified="structure only",
    family="llama",
    backbone={"path": "somewhere"},
    face={"image_size": 16, "trunk_dim": 96, "dim": 24, "heads": 2, "layers": 1, "dynamics": 2},
    voice={"path": "somewhere", "tokens": 2},
    lora={"r": 2},
)


def shrink(file):
    """The model of a file with toy sizes in place of its sources': same parts, same family, nothing fetched."""
    trunk = SiglipVisionConfig(**TOY_VISION) if file.trunk else None
    small = {**file.face, "dim": 32, "heads": 2} | ({} if trunk else {"image_size": 16, "trunk_dim": 96})
    config = dataclasses.replace(file, face=small).compose(
        FAMILIES[file.family].language_config(), WhisperConfig(**TOY_WHISPER), trunk
    )
    config.backbone = config.voice = config.face = None
    return config


def write(folder, **changes):
    path = folder / "model.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in (GOOD | changes).items() if value != "gone"}))
    return path


@pytest.mark.parametrize("name", names("models"))
def test_every_shipped_file_builds_at_toy_size(name):
    file = read_model_file(name)
    model = build(shrink(file))
    assert model.config.language_config.model_type == file.family
    assert any("lora_" in parameter for parameter, _ in model.named_parameters()) == (file.lora is not None)
    assert hasattr(model.face.trunk, "model") == (file.trunk is not None)


def test_full_models_do_not_claim_more_than_was_tested():
    claims = {name: read_model_file(name).verified for name in names("models")}
    assert claims.pop("tiny") == "pinned weights"
    assert len(claims) >= 6 and set(claims.values()) == {"structure only"}


def test_tiny_adds_at_most_24_soft_tokens():
    layout = shrink(read_model_file("tiny")).layout
    assert layout.face + layout.voice <= 24


def test_tiny_takes_its_sizes_from_its_sources():
    try:
        assets.path("smollm2-135m"), assets.path("whisper-base")
    except AssetError as error:
        pytest.skip(str(error))
    config = load_config("tiny")
    assert config.text_width == 576 and config.voice_config.whisper_config.d_model == 512
    assert config.backbone == {"asset": "smollm2-135m"} and config.voice == {"asset": "whisper-base"}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Folders as from_pretrained finds them: a language model, a Whisper, a SigLIP with its text half."""
    folder, torch_state = tmp_path_factory.mktemp("sources"), torch.random.get_rng_state()
    torch.manual_seed(1)
    text = {**TOY_TEXT, "bos_token_id": 1, "eos_token_id": 2}
    models = {
        "language": LlamaForCausalLM(LlamaConfig(**TOY_TEXT)),
        "whisper": WhisperModel(WhisperConfig(**TOY_WHISPER)).half(),
        "siglip": SiglipModel(SiglipConfig(text_config=text, vision_config=TOY_VISION)),
    }
    for name, model in models.items():
        model.save_pretrained(folder / name)
    torch.random.set_rng_state(torch_state)
    return folder, models


@pytest.fixture
def sourced(sources, tmp_path):
    folder, _ = sources
    return write(
        tmp_path,
        backbone={"path": str(folder / "language")},
        voice={"path": str(folder / "whisper"), "tokens": 2},
        face={"trunk": {"path": str(folder / "siglip"), "family": "siglip_vision_model"}, "dim": 24, "heads": 2, "layers": 1},
    )


def test_weights_of_every_source_are_loaded(sources, sourced):
    model, originals = build(load_config(sourced)), sources[1]
    own = model.face.trunk.model.state_dict()
    assert own.keys() == originals["siglip"].vision_model.state_dict().keys()
    assert all(torch.equal(own[name], value) for name, value in originals["siglip"].vision_model.state_dict().items())
    heard = originals["whisper"].encoder.layers[0].fc1.weight
    assert torch.equal(model.voice.encoder.layers[0].fc1.weight, heard.float())
    layer = "layers.0.mlp.up_proj"
    base = model.backbone.get_base_model().model.get_submodule(layer).base_layer.weight
    assert torch.equal(base, originals["language"].model.get_submodule(layer).weight)
    assert model.config.face_config.image_size == model.face.trunk.image_size == 16


def test_sourced_weights_are_not_copied_into_a_checkpoint(sourced, tmp_path):
    model = build(load_config(sourced))
    model.save_pretrained(tmp_path / "checkpoint")
    again = EmoReasonForConditionalGeneration.from_pretrained(tmp_path / "checkpoint")
    ours, theirs = model.state_dict(), again.state_dict()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    saved = (tmp_path / "checkpoint" / "model.safetensors").stat().st_size
    trunk = sum(value.numel() for value in model.face.trunk.model.parameters())
    assert saved < 4 * (sum(p.numel() for p in model.parameters()) - trunk)


def test_pictures_are_normalised_as_the_trunk_wants(sources, tmp_path):
    trunk = {"path": str(sources[0] / "siglip"), "family": "siglip_vision_model"}
    file = read_model_file(write(tmp_path, face={"trunk": trunk, "trunk_mean": [0.4, 0.5, 0.6], "trunk_std": [0.2, 0.2, 0.2]}))
    model = build(shrink(file))
    assert model.face.trunk.mean.flatten().tolist() == pytest.approx([0.4, 0.5, 0.6])
    assert model.face.trunk.std.flatten().tolist() == pytest.approx([0.2] * 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbon": {"path": "x"}}, r"unknown key 'backbon'; did you mean 'backbone'\?"),
        ({"family": "lama"}, r"family is 'lama'; did you mean 'llama'\?"),
        ({"family": "gone"}, "family missing"),
        ({"verified": "yes"}, "verified is 'yes'; known: structure only, pinned weights"),
        ({"backbone": {"asset": "smollm2-135"}}, r"backbone.asset is 'smollm2-135'; did you mean 'smollm2-135m'\?"),
        ({"backbone": {"asset": "smollm2-135m", "path": "x"}}, "backbone must name one source"),
        ({"backbone": "x"}, "backbone must be a mapping"),
        ({"face": {"dims": 3}}, r"unknown key 'face.dims'; did you mean 'dim'\?"),
        ({"face": {"dim": "wide"}}, "dim"),
        ({"face": {"trunk": {"path": "x", "family": "siglip"}, "image_size": 3}}, "are then the trunk's own"),
        ({"voice": {"path": "x", "token": 3}}, r"unknown key 'voice.token'; did you mean"),
        ({"lora": {"rank": 3}}, r"unknown key 'lora.rank'"),
        ({"quantization": "2bit"}, "quantization is '2bit'"),
        ({"labels": "anger"}, "labels"),
    ],
)
def test_a_wrong_file_is_told_what_is_wrong(tmp_path, changes, message):
    path = write(tmp_path, **changes)
    with pytest.raises(ConfigError, match=message) as caught:
        read_model_file(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["a: [", "- a\n- b\n", ""])
def test_what_is_no_mapping_is_refused(tmp_path, text):
    path = tmp_path / "model.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="model.yaml"):
        read_model_file(path)


def test_a_source_of_another_family_is_refused(sources, tmp_path):
    path = write(tmp_path, family="qwen2", backbone={"path": str(sources[0] / "language")})
    with pytest.raises(ConfigError, match="family is 'qwen2', but .* is of family 'llama'"):
        load_config(path)


def test_a_source_that_cannot_be_had_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(AutoConfig, "from_pretrained", lambda *_, **__: (_ for _ in ()).throw(OSError("not\nthere")))
    with pytest.raises(ConfigError, match="backbone: the configuration of 'somewhere' cannot be had .not there."):
        load_config(write(tmp_path))
