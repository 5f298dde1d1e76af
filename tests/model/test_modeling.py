"""What does not depend on the backbone's family, shown on the smallest one."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from model.families import FAMILIES, emoreason_config, toy
from model.samples import segment
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel

from emoreason.errors import ConfigError, EnvironmentProblem
from emoreason.model import backbones
from emoreason.model.backbones import (
    load_backbone,
    load_image_processor,
    load_tokenizer,
    lora_targets,
    new_backbone,
    picture_processor,
)
from emoreason.model.modeling import WEIGHTS, EmoReasonForConditionalGeneration, build, token_loss
from emoreason.perception.regions import regions

LLAMA = FAMILIES["llama"]
LORA = {"r": 2, "init_lora_weights": False}


@pytest.fixture(scope="module")
def pair():
    return toy(LLAMA)


def logits(pair, one):
    processor, model = pair
    with torch.no_grad():
        return model(**processor([one])).logits[0, -1]


def differ(pair, one, other):
    return (logits(pair, one) - logits(pair, other)).abs().max() > 1e-5


# inputs


def test_shuffling_landmarks_changes_the_logits(pair):
    one = segment()
    order = np.random.default_rng(1).permutation(478)
    assert differ(pair, one, dataclasses.replace(one, landmarks=one.landmarks[:, :, order]))


@pytest.mark.parametrize(("first", "second"), [("left_brow", "right_brow"), ("left_eye", "right_eye"), ("mouth", "chin_jaw")])
def test_swapping_regions_changes_the_logits(pair, first, second):
    one, swapped = segment(), segment().landmarks.copy()
    a, b = regions()[first], regions()[second]
    count = min(len(a), len(b))
    swapped[:, :, a[:count]], swapped[:, :, b[:count]] = one.landmarks[:, :, b[:count]], one.landmarks[:, :, a[:count]]
    assert differ(pair, one, dataclasses.replace(one, landmarks=swapped))


def test_swapping_persons_changes_the_logits(pair):
    one = segment(persons=2)
    assert differ(pair, one, dataclasses.replace(one, crops=one.crops[::-1], landmarks=one.landmarks[::-1]))


def test_masked_persons_frames_and_silence_change_nothing(pair):
    processor, model = pair
    batch = processor([segment(persons=1, frames=3, mel_frames=20), segment(1, persons=2, frames=5, mel_frames=32)])
    face, voice = batch["face"], batch["voice"]
    hidden = ~face.frame_mask
    assert hidden.any() and not voice.mel_mask.all()
    noise = {name: torch.full_like(getattr(face, name), torch.nan) for name in ("landmarks", "blendshapes", "pose", "gaze")}
    noise |= {"crops": torch.full_like(face.crops, 255), "times_s": torch.full_like(face.times_s, 99.0)}
    mixed = {
        name: torch.where(hidden.view(*hidden.shape, *[1] * (value.dim() - 3)), value, getattr(face, name))
        for name, value in noise.items()
    }
    loud = dataclasses.replace(voice, mel=torch.where(voice.mel_mask[:, None], voice.mel, 7.0))
    with torch.no_grad():
        before = model(**batch).logits
        after = model(**{**batch, "face": dataclasses.replace(face, **mixed), "voice": loud}).logits
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-5)


def test_placeholders_and_tokens_must_agree_in_number(pair):
    processor, model = pair
    batch = processor([segment(persons=2)])
    with pytest.raises(ValueError, match="holds 20 face placeholders, but the encoder gives 10 face tokens"):
        model(**{**batch, "face": processor([segment(persons=1)])["face"]})
    with pytest.raises(ValueError, match="3 voice placeholders, but the encoder gives 0"):
        model.generate(**{**batch, "voice": None})


def test_a_text_prompt_is_the_backbone_alone(pair):
    processor, model = pair
    batch = processor([segment()], soft=False)
    alone = model.backbone(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    torch.testing.assert_close(model(**batch).logits, alone.logits)


def test_heads_answer_for_the_parts_that_had_input(pair):
    processor, model = pair
    one = segment(persons=2, frames=4)
    heads = model(**processor([one])).heads
    assert heads["emotion"].shape == (1, 2, 4, 8) and heads["voice_emotion"].shape == (1, 7)
    assert "voice_emotion" not in model(**processor([one.without("voice")])).heads
    assert "emotion" not in model(**processor([one.without("face")])).heads


@pytest.mark.parametrize("name", ["llama", "gemma3"])  # Gemma multiplies the rows of its table
def test_soft_tokens_start_as_long_as_words(name):
    processor, model = toy(FAMILIES[name])
    one = segment(scenes=int(FAMILIES[name].sees))
    batch = processor([one])
    table = model.get_input_embeddings()
    ids = batch["input_ids"][0]
    with torch.no_grad(), model.soft_tokens(batch["input_ids"], *model.encode(batch["face"], batch["voice"])):
        norms = table(batch["input_ids"])[0].norm(dim=-1)
    ours = torch.isin(ids, torch.tensor(sorted(model.config.special_token_ids.values())[:2]))
    assert ours.any() and 0.7 < norms[ours].mean() / norms[~ours].mean() < 1.4


# weights


@pytest.fixture
def folder(tmp_path, pair):
    processor, model = toy(LLAMA, lora=LORA)
    processor.save_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    return tmp_path


def rewrite(folder, change):
    state = load_file(folder / WEIGHTS)
    change(state)
    save_file(state, folder / WEIGHTS)


@pytest.mark.parametrize("part", ["face", "voice", "face_connector", "voice_connector", "heads", "backbone"])
def test_missing_weights_name_the_part(folder, part):
    def drop(state):
        counter = "num_batches_tracked"  # of batch norms: nothing is lost without it, so torch takes it as given
        del state[next(name for name in state if name.startswith(f"{part}.") and counter not in name)]

    rewrite(folder, drop)
    with pytest.raises(ConfigError, match=rf"do not fit the configuration in {part} \(first: {part}\."):
        EmoReasonForConditionalGeneration.from_pretrained(folder)


def test_unknown_and_misshapen_weights_name_the_part(folder):
    rewrite(folder, lambda state: state.update({"ears.weight": torch.zeros(1)}))
    with pytest.raises(ConfigError, match="in ears"):
        EmoReasonForConditionalGeneration.from_pretrained(folder)
    rewrite(folder, lambda state: (state.pop("ears.weight"), state.update({"heads.emotion.out.bias": torch.zeros(3)})))
    with pytest.raises(ConfigError, match=r"heads.emotion.out.bias are \[3\], the configuration makes \[8\]"):
        EmoReasonForConditionalGeneration.from_pretrained(folder)


def test_the_auto_class_loads_it(folder):
    assert isinstance(AutoModel.from_pretrained(folder), EmoReasonForConditionalGeneration)


def test_a_named_backbone_is_not_copied_but_its_adapter_is(tmp_path):
    config = LLAMA.language_config()
    torch.manual_seed(1)
    new_backbone(config).save_pretrained(tmp_path / "base")
    processor, _ = toy(LLAMA, backbone={"path": str(tmp_path / "base")}, lora=LORA)
    torch.manual_seed(2)
    model = build(processor.config).eval()
    model.save_pretrained(tmp_path / "ours")
    names = [name for name in load_file(tmp_path / "ours" / WEIGHTS) if name.startswith("backbone.")]
    assert names and all("lora_" in name or "trainable_tokens" in name for name in names)
    again = EmoReasonForConditionalGeneration.from_pretrained(tmp_path / "ours")
    batch = processor([segment()])
    with torch.no_grad():
        torch.testing.assert_close(again(**batch).logits, model(**batch).logits)


def test_embeddings_grow_to_hold_our_tokens():
    config = dataclasses.replace(LLAMA, config={**LLAMA.config, "vocab_size": 500})
    processor, _ = toy(LLAMA)
    settings = emoreason_config(config, special_token_ids={t: 500 + n for n, t in enumerate(processor.config.special_token_ids)})
    assert build(settings).get_input_embeddings().weight.shape[0] == 504


@pytest.mark.parametrize("name", ["llama", "qwen3_vl"])
def test_the_language_model_may_be_in_half_precision(tmp_path, name):
    processor, model = toy(FAMILIES[name])
    model.backbone.save_pretrained(tmp_path)
    processor.config.backbone, processor.config.dtype = {"path": str(tmp_path)}, torch.bfloat16
    half = build(processor.config).eval()
    half.load_state_dict({n: v for n, v in model.state_dict().items() if not n.startswith("backbone.")}, strict=False)
    assert half.backbone.dtype == torch.bfloat16 and half.face_connector.length.dtype == torch.float32
    batch = processor([segment(scenes=int(FAMILIES[name].sees))])
    with torch.no_grad():
        torch.testing.assert_close(half(**batch).logits.float(), model(**batch).logits, atol=0.02, rtol=0.05)


# backbones


@pytest.mark.parametrize(
    "name",  # as the families' published preprocessor_config.json spell them
    ["Qwen2VLImageProcessorFast", "Idefics3ImageProcessor", "SmolVLMImageProcessor", "GotOcr2ImageProcessorFast",
     "LlavaOnevisionImageProcessor", "Gemma3ImageProcessor"],
)  # fmt: skip
def test_published_image_processors_load_without_torchvision(tmp_path, name):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_processor_type": name, "image_mean": [0.1, 0.2, 0.3]}))
    loaded = load_image_processor({"path": str(tmp_path)})
    assert type(loaded).__name__ == name.removesuffix("Fast") + "Pil" and list(loaded.image_mean) == [0.1, 0.2, 0.3]


def test_a_chat_template_beside_the_processor_is_found(tmp_path):
    tokenizer = LLAMA.tokenizer()
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": "{{ messages[0]['content'] }}!"}))
    asked = [{"role": "user", "content": "hi"}]
    assert load_tokenizer({"path": str(tmp_path)}).apply_chat_template(asked, tokenize=False) == "hi!"


def test_unknown_families_say_what_to_do():
    config = AutoConfig.for_model("gpt2")
    with pytest.raises(ConfigError, match="'gpt2' has no entry in model/backbones.py.*lora.target_modules"):
        lora_targets(config)
    with pytest.raises(ConfigError, match="'gpt2' has no entry in PROCESSORS"):
        picture_processor(config, LLAMA.tokenizer(), None)
    with pytest.raises(ConfigError, match="backbone must be"):
        load_backbone({"folder": "x"})


def test_quantization_needs_a_gpu_and_bitsandbytes(monkeypatch):
    with pytest.raises(ValueError, match="quantization must be"):
        emoreason_config(LLAMA, quantization="3bit")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EnvironmentProblem, match="'4bit' needs a CUDA GPU"):
        load_backbone({"path": "unused"}, "4bit")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(backbones, "find_spec", lambda _: None)
    with pytest.raises(EnvironmentProblem, match="'8bit' needs bitsandbytes"):
        load_backbone({"path": "unused"}, "8bit")


def test_the_loss_weighs_labels():
    logits, predicts = torch.randn(3, 11), torch.tensor([[-100, 4, 2, -100], [-100, -100, 7, -100]])
    weights = torch.tensor([[0.0, 0.0, 3.0, 1.0], [0.0, 0.0, 0.0, 2.0]])  # of the labels, one place after what predicts them
    each = torch.nn.functional.cross_entropy(logits, torch.tensor([4, 2, 7]), reduction="none")
    torch.testing.assert_close(token_loss(logits, predicts, weights), (each * torch.tensor([3.0, 1.0, 2.0])).sum() / 6)
    torch.testing.assert_close(token_loss(logits, predicts), each.mean())
