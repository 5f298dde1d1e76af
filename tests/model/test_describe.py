import pytest
from model.families import FAMILIES, toy

from emoreason import assets
from emoreason.errors import AssetError
from emoreason.model import describe as describing
from emoreason.model.describe import describe, example_lines, stated_segment
from emoreason.model.prompt import FACE, MOST_LINES, VOICE
from emoreason.model.stages import load_stage
from emoreason.model.untrained import untrained

SECONDS = 1.0  # the toy Whisper hears two


@pytest.fixture(scope="module")
def told():
    processor, model = toy(FAMILIES["llama"], lora={"r": 2})
    return processor, model, describe(model, processor, load_stage("align"), SECONDS)


def test_every_parameter_is_in_one_part(told):
    _, model, description = told
    assert sum(row.total for row in description.parts) == sum(p.numel() for p in model.parameters())
    trainable = {row.part: row.trainable for row in description.parts if row.trainable}
    assert set(trainable) == {"connectors", "tokens"}
    assert sum(trainable.values()) == sum(p.numel() for p in model.parameters() if p.requires_grad)


def test_without_a_stage_nothing_is_said_to_train(told):
    processor, model, _ = told
    assert not any(row.trainable for row in describe(model, processor, seconds=SECONDS).parts)


def test_soft_tokens_are_those_of_the_prompt(told):
    processor, _, description = told
    ids = processor([stated_segment(processor, SECONDS)])["input_ids"][0].tolist()
    counted = [ids.count(processor.config.special_token_ids[token]) for token in (FACE, VOICE)]
    assert counted == [description.face_tokens, description.voice_tokens] and len(ids) == description.prompt_tokens


def test_the_stated_segment_has_the_most_lines_and_frames(told):
    processor, _, description = told
    inputs = stated_segment(processor, SECONDS)
    assert len({line.id for line in inputs.evidence}) == len(inputs.evidence) == MOST_LINES
    assert len({line.cue.cue for line in inputs.evidence}) > MOST_LINES // 2
    assert inputs.crops.shape[1] == description.frames == processor.config.face_config.max_frames


def test_evidence_lines_are_measured_with_the_tokenizer(told):
    processor, _, description = told
    lengths = [len(processor.tokenizer(f"{line.text}\n")["input_ids"]) for line in example_lines()]
    assert description.line_tokens == (sum(lengths) / len(lengths), max(lengths))


def test_flops_of_the_language_model_are_those_on_paper(told):
    """2 x tokens x weights of every matrix, and 4 x tokens^2 x width per layer of attention."""
    _, model, description = told
    n, text = description.prompt_tokens, model.config.language_config
    matrices = sum(
        parameter.numel()
        for name, parameter in model.backbone.named_parameters()
        if parameter.dim() == 2 and ("_proj" in name or "lm_head" in name)
    )
    head = 0 if not text.tie_word_embeddings else text.vocab_size * text.hidden_size
    attention = 4 * n * n * text.hidden_size * text.num_hidden_layers
    assert description.flops["language"] == pytest.approx(2 * n * (matrices + head) + attention, rel=0.02)
    assert description.flops["face"] > 0 < description.flops["voice"]


def test_a_picture_costs_what_the_family_says():
    processor, model = toy(FAMILIES["qwen3_vl"])
    before = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    description = describe(model, processor, seconds=SECONDS)
    marks, most = 2, 4  # at most 64 x 64 pixels, 32 x 32 a token
    assert marks < description.scene_tokens <= marks + most
    assert {name for name, parameter in model.named_parameters() if parameter.requires_grad} == before


def test_the_lines_say_it_all(told):
    lines = "\n".join(told[2].lines())
    assert f"{told[2].face_tokens} per person, {told[2].voice_tokens} for the voice" in lines
    assert "scene: none (no vision tower)" in lines and "context 2048" in lines and "64 frames" in lines


def test_tiny_as_it_ships():
    try:
        assets.path("smollm2-135m"), assets.path("whisper-base")
    except AssetError as error:
        pytest.skip(str(error))
    model, processor = untrained("tiny")
    rows = {row.part: row.total for row in describing._parts(model)}
    mean, most = describing.evidence_tokens(processor)
    assert processor.layout.face + processor.layout.voice <= 24
    assert rows["language"] + rows["rest"] + rows["tokens"] > 134e6 and rows["voice.encoder"] > 20e6
    assert mean <= most <= 28 and model.config.language_config.max_position_embeddings == 8192
