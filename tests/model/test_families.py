"""Every family, at toy size: what issue after issue of peers shows to break. One prompt holds face, voice and scene."""

import dataclasses

import pytest
import torch
import transformers
from model.families import FAMILIES, Family, toy
from model.samples import segment

from emoreason.model.backbones import PROCESSORS
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.prompt import SPECIAL_TOKENS

LORA = {"r": 2, "init_lora_weights": False}  # nothing is zero, so that everything shows in the logits
ANSWERS = ["f1 shows a smile. <answer>emotion=happiness</answer>", "No cue. <answer>emotion=unclear</answer>"]


class Toy:
    """A family's model and two segments that differ in length, persons, frames, sound and pictures."""

    def __init__(self, family: Family):
        self.family = family
        self.processor, self.model = toy(family, lora=LORA)
        scenes = int(family.sees)
        self.first = segment(0, persons=1, frames=3, mel_frames=20, scenes=scenes)
        self.second = segment(1, persons=2, frames=5, mel_frames=33, scenes=2 * scenes)

    def logits(self, *segments, model=None):
        """[B, S, vocabulary], and the mask of what is no padding."""
        batch = self.processor(segments)
        with torch.no_grad():
            return (model or self.model)(**batch).logits, batch["attention_mask"].bool()

    def last(self, one):
        return self.logits(one)[0][0, -1]


@pytest.fixture(scope="module", params=FAMILIES)
def toy_model(request):
    return Toy(FAMILIES[request.param])


@pytest.fixture(scope="module")
def seeing(toy_model):
    if not toy_model.family.sees:
        pytest.skip("a text model has no pictures")
    return toy_model


def assert_near(a, b):
    torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_gradient_reaches_every_trainable_part_and_no_frozen_one(toy_model):
    processor, model = toy(toy_model.family, lora=LORA)
    out = model.train()(**processor([toy_model.first, toy_model.second], ANSWERS))
    (out.loss + sum(logits.square().mean() for logits in out.heads.values())).backward()
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    positions = "voice.encoder.embed_positions.weight"  # Whisper's are sines, never trained
    assert frozen and all(name.startswith("backbone.") for name in frozen - {positions})
    assert all(p.grad is None for name, p in model.named_parameters() if name in frozen)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    dead = [name for name, p in trained.items() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not dead
    assert all(torch.isfinite(p.grad).all() for p in trained.values())


def test_adapters_are_on_the_language_model_alone(toy_model):
    names = [name for name, _ in toy_model.model.named_parameters() if "lora_A" in name]
    assert len(names) == 2 * 7, "seven projections in each of two layers"
    assert not any(part in name for name in names for part in ("visual", "vision", "connector", "projector"))


def test_only_the_rows_of_our_tokens_train(toy_model):
    processor, model = toy(toy_model.family, lora=LORA)
    ids = list(model.config.special_token_ids.values())
    table = model.get_input_embeddings()
    before = table.weight.detach().clone()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    model(**processor([toy_model.first], ANSWERS[:1])).loss.backward()
    optimizer.step()
    moved = (table.weight.detach() != before).any(dim=1).nonzero().flatten().tolist()
    assert moved and set(moved) <= set(ids)
    assert set(ids) == {processor.tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS}


def test_left_padded_batch_is_its_samples(toy_model):
    both, mask = toy_model.logits(toy_model.first, toy_model.second)
    assert not mask.all(), "one of the two must be padded"
    for b, one in enumerate((toy_model.first, toy_model.second)):
        assert_near(both[b][mask[b]], toy_model.logits(one)[0][0])


def test_right_padded_training_batch_is_its_samples(toy_model):
    segments = (toy_model.first, toy_model.second)
    batch = toy_model.processor(segments, ANSWERS)
    with torch.no_grad():
        both = toy_model.model(**batch).logits[0]  # [M, vocabulary], of the supervised positions of both
        alone = [
            toy_model.model(**toy_model.processor([one], [answer])).logits[0]
            for one, answer in zip(segments, ANSWERS, strict=True)
        ]
    assert [len(rows) for rows in alone] == (batch["labels"][:, 1:] != -100).sum(1).tolist()
    assert_near(both, torch.cat(alone))


def test_a_batch_may_mix_segments_with_and_without_each_modality(toy_model):
    segments = (toy_model.first.without("voice"), toy_model.second.without("scene"), toy_model.first.without("face"))
    both, mask = toy_model.logits(*segments)
    for b, one in enumerate(segments):
        assert_near(both[b][mask[b]], toy_model.logits(one)[0][0])


@pytest.mark.parametrize("gone", [("face",), ("voice",), ("evidence",), ("face", "voice", "scene", "evidence")])
def test_dropping_a_modality_works_and_shows(toy_model, gone):
    after = toy_model.last(toy_model.first.without(*gone))
    assert torch.isfinite(after).all() and (after - toy_model.last(toy_model.first)).abs().max() > 1e-3


@pytest.mark.parametrize("part", ["crops", "landmarks", "blendshapes", "pose", "gaze", "times_s", "mel", "prosody"])
def test_every_measurement_reaches_the_logits(toy_model, part):
    value, other = getattr(toy_model.first, part), getattr(segment(7, frames=3), part)
    if part == "prosody":
        other = value + 10
    changed = toy_model.last(dataclasses.replace(toy_model.first, **{part: other}))
    assert (changed - toy_model.last(toy_model.first)).abs().max() > 1e-6


def test_changing_the_picture_changes_the_logits(seeing):
    other = segment(9, scenes=1).scenes
    assert seeing.first.persons and seeing.first.mel is not None and seeing.first.scenes
    changed = seeing.last(dataclasses.replace(seeing.first, scenes=other))
    assert (changed - seeing.last(seeing.first)).abs().max() > 1e-4


def test_each_of_two_pictures_is_seen_in_its_place(seeing):
    swapped = dataclasses.replace(seeing.second, scenes=seeing.second.scenes[::-1])
    assert (seeing.last(swapped) - seeing.last(seeing.second)).abs().max() > 1e-4


def test_cached_decode_is_uncached(toy_model):
    options = {"max_new_tokens": 5, "min_new_tokens": 5, "do_sample": False}
    batch = toy_model.processor([toy_model.first, toy_model.second])
    runs = [
        toy_model.model.generate(**batch, **options, use_cache=cached, return_dict_in_generate=True, output_logits=True)
        for cached in (True, False)
    ]
    assert runs[0].sequences.tolist() == runs[1].sequences.tolist()
    assert_near(torch.stack(runs[0].logits), torch.stack(runs[1].logits))
    new = runs[0].sequences[:, -5:]
    assert not set(new.flatten().tolist()) & set(toy_model.model.config.special_token_ids.values())


def test_generation_is_what_forward_says(toy_model):
    batch = toy_model.processor([toy_model.first])
    run = toy_model.model.generate(**batch, max_new_tokens=1, do_sample=False, return_dict_in_generate=True, output_logits=True)
    assert_near(run.logits[0][0], toy_model.last(toy_model.first))


def test_save_and_load_are_equal(toy_model, tmp_path):
    toy_model.processor.save_pretrained(tmp_path)
    toy_model.model.save_pretrained(tmp_path)
    assert not [file for file in tmp_path.iterdir() if file.suffix in (".bin", ".pt", ".pkl")]
    model = EmoReasonForConditionalGeneration.from_pretrained(tmp_path)
    processor = EmoReasonProcessor.from_pretrained(tmp_path)
    before, after = (p([toy_model.first, toy_model.second]) for p in (toy_model.processor, processor))
    assert before.keys() == after.keys()
    tensors = [name for name, value in before.items() if isinstance(value, torch.Tensor)]
    assert all(torch.equal(before[name], after[name]) for name in tensors)
    with torch.no_grad():
        torch.testing.assert_close(model(**after).logits, toy_model.model(**before).logits, atol=1e-6, rtol=1e-6)


def test_merged_is_unmerged(toy_model):
    processor, model = toy(toy_model.family, lora=LORA)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "trainable_tokens" in name:
                p.add_(torch.randn_like(p))
        batch = processor([toy_model.first, toy_model.second])
        before = model(**batch).logits
        model.backbone = model.backbone.merge_and_unload()
        assert_near(model(**batch).logits, before)
    assert not any("lora" in name or "trainable_tokens" in name for name, _ in model.backbone.named_parameters())


@pytest.mark.parametrize(("name", "stock"), [("gemma3", "Gemma3Processor"), ("idefics3", "Idefics3Processor")])
def test_a_prompt_with_pictures_alone_is_what_the_stock_processor_makes(name, stock):
    """Those two families' processors have no video half, so the stock class runs without torchvision as it is."""
    family = FAMILIES[name]
    processor, _ = toy(family)
    tokenizer, arguments = family.tokenizer(), PROCESSORS[name][1](processor.config.language_config)
    theirs = getattr(transformers, stock)(
        image_processor=family.image_processor(), tokenizer=tokenizer, chat_template=tokenizer.chat_template, **arguments
    )
    one = segment(2, scenes=2).without("face", "voice")
    messages = processor.messages(one)
    for part, scene in zip(messages[0]["content"], one.scenes, strict=False):
        part["image"] = scene
    expected = theirs.apply_chat_template(
        messages, tokenize=True, add_generation_prompt=True, return_dict=True, processor_kwargs={"return_tensors": "pt"}
    )
    ours = processor([one])
    assert ours["input_ids"].tolist() == expected["input_ids"].tolist()
    torch.testing.assert_close(ours["pixel_values"], expected["pixel_values"])
