"""Backbone families at toy size: random two-layer configurations, toy tokenizers with each family's documented special tokens,
a chat template in the family's form, and the family's own image processor at a size that suits."""

from dataclasses import dataclass, field

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoConfig,
    Gemma3ImageProcessorPil,
    GotOcr2ImageProcessorPil,
    Idefics3ImageProcessorPil,
    LlavaOnevisionImageProcessorPil,
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessorPil,
    SmolVLMImageProcessorPil,
)

from emoreason.labels.emotions import EMOTIONS
from emoreason.model.config import EmoReasonConfig
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.prompt import answer_text, emotion_question

WIDTH = 32
_CORPUS = [emotion_question(EMOTIONS), answer_text("f1 AU12 strong.", "p1 shows happiness.", "happiness"), "no cue stands out"]
_TEXT = dict(
    hidden_size=WIDTH, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, vocab_size=600,
    max_position_embeddings=2048, bos_token_id=1, eos_token_id=2, pad_token_id=0,
)  # fmt: skip
_VISION = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, image_size=56, patch_size=14)

_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_GEMMA = (
    "{{ bos_token }}{% for message in messages %}"
    "<start_of_turn>{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<start_of_image>{% else %}{{ part['text'] | trim }}"
    "{% endif %}{% endfor %}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
_IDEFICS = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}:{% else %}: {% endif %}{% for part in message['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}<image>{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
_IDEFICS_TOKENS = ["<|im_start|>", "<end_of_utterance>", "<fake_token_around_image>", "<image>", "<global-img>"]
_IDEFICS_TOKENS += [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]


@dataclass(frozen=True)
class Family:
    """`tokens` are special; `named` gives those that the family's processor asks the tokenizer for by name."""

    name: str
    config: dict
    tokens: list[str]
    template: str
    end: str = "<|im_end|>"
    named: dict[str, str] = field(default_factory=dict)
    image_processor: object = None

    @property
    def sees(self) -> bool:
        return self.image_processor is not None

    def tokenizer(self) -> PreTrainedTokenizerFast:
        core = Tokenizer(models.BPE())
        core.pre_tokenizer, core.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
        special = ["<pad>", "<bos>", "<eos>", *self.tokens]
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        core.train_from_iterator(
            _CORPUS,
            trainers.BpeTrainer(vocab_size=500, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
        )
        return PreTrainedTokenizerFast(
            tokenizer_object=core, pad_token="<pad>", bos_token="<bos>", eos_token=self.end, chat_template=self.template,
            extra_special_tokens=self.named,
        )  # fmt: skip

    def language_config(self):
        """Token ids of the configuration are those of the toy tokenizer."""
        ids = self.tokenizer().convert_tokens_to_ids
        named = {key: value for key, value in self.config.items() if key.endswith(("_token_id", "_token_index"))}
        filled = self.config | {key: ids(value) for key, value in named.items() if isinstance(value, str)}
        return AutoConfig.for_model(self.name, **filled)


def _chatml(image: str) -> str:
    return _CHATML.replace("IMAGE", image)


_QWEN_TOKENS = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
_QWEN_IDS = dict(
    image_token_id="<|image_pad|>", video_token_id="<|video_pad|>", vision_start_token_id="<|vision_start|>",
    vision_end_token_id="<|vision_end|>",
)  # fmt: skip
_QWEN_PROCESSOR = dict(min_pixels=28 * 28, max_pixels=56 * 56)
_ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
_SIGLIP = {**_VISION, "model_type": "siglip_vision_model", "vision_use_head": False}
_QWEN2 = {**_TEXT, "model_type": "qwen2"}

FAMILIES = {
    family.name: family
    for family in (
        Family("llama", {**_TEXT, "tie_word_embeddings": True}, ["<|im_start|>", "<|im_end|>"], _chatml("")),
        Family(
            "qwen2_5_vl",
            dict(
                text_config={**_TEXT, "rope_parameters": _ROPE},
                vision_config=dict(depth=2, hidden_size=32, intermediate_size=48, num_heads=2, out_hidden_size=WIDTH,
                                   patch_size=14, window_size=56, fullatt_block_indexes=[1]),
                **_QWEN_IDS,
            ),
            _QWEN_TOKENS,
            _chatml("<|vision_start|><|image_pad|><|vision_end|>"),
            image_processor=lambda: Qwen2VLImageProcessorPil(**_QWEN_PROCESSOR),
        ),
        Family(
            "qwen3_vl",
            dict(
                text_config={**_TEXT, "head_dim": 16, "rope_parameters": {**_ROPE, "mrope_interleaved": True}},
                vision_config=dict(depth=2, hidden_size=32, intermediate_size=48, num_heads=2, out_hidden_size=WIDTH,
                                   patch_size=16, num_position_embeddings=16, deepstack_visual_indexes=[0]),
                **_QWEN_IDS,
            ),
            _QWEN_TOKENS,
            _chatml("<|vision_start|><|image_pad|><|vision_end|>"),
            image_processor=lambda: Qwen2VLImageProcessorPil(patch_size=16, min_pixels=32 * 32, max_pixels=64 * 64),
        ),
        Family(
            "smolvlm",
            dict(
                text_config={**_TEXT, "model_type": "llama"}, vision_config={**_VISION, "patch_size": 14}, scale_factor=2,
                image_token_id="<image>",
            ),
            _IDEFICS_TOKENS, _IDEFICS, "<end_of_utterance>",
            image_processor=lambda: SmolVLMImageProcessorPil(size={"longest_edge": 112}, max_image_size={"longest_edge": 56}),
        ),
        Family(
            "idefics3",
            dict(
                text_config={**_TEXT, "model_type": "llama"}, vision_config={**_VISION, "patch_size": 14}, scale_factor=2,
                image_token_id="<image>",
            ),
            _IDEFICS_TOKENS, _IDEFICS, "<end_of_utterance>",
            image_processor=lambda: Idefics3ImageProcessorPil(size={"longest_edge": 56}, max_image_size={"longest_edge": 56}),
        ),
        Family(
            "internvl",
            dict(
                text_config=_QWEN2, image_token_id="<IMG_CONTEXT>", image_seq_length=4,
                vision_config=dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
                                   image_size=[56, 56], patch_size=[14, 14]),
            ),
            ["<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>"],
            _chatml("<IMG_CONTEXT>\n"),
            named={"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>",
                   "video_token": "<video>"},
            image_processor=lambda: GotOcr2ImageProcessorPil(size={"height": 56, "width": 56}, max_patches=2),
        ),
        Family(
            "llava_onevision",
            dict(text_config=_QWEN2, vision_config=_SIGLIP, image_token_index="<image>", video_token_index="<video>",
                 image_token_id="<image>", video_token_id="<video>",
                 image_grid_pinpoints=[[56, 56], [56, 112], [112, 56]]),
            ["<|im_start|>", "<|im_end|>", "<image>", "<video>"],
            _chatml("<image>\n"),
            image_processor=lambda: LlavaOnevisionImageProcessorPil(
                size={"height": 56, "width": 56}, image_grid_pinpoints=[[56, 56], [56, 112], [112, 56]]
            ),
        ),
        Family(
            "gemma3",
            dict(
                text_config={**_TEXT, "head_dim": 16, "sliding_window": 1024, "tie_word_embeddings": True},
                vision_config=_SIGLIP, mm_tokens_per_image=4, tie_word_embeddings=True,
                boi_token_index="<start_of_image>", eoi_token_index="<end_of_image>", image_token_index="<image_soft_token>",
                boi_token_id="<start_of_image>", eoi_token_id="<end_of_image>", image_token_id="<image_soft_token>",
            ),
            ["<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>"],
            _GEMMA, "<end_of_turn>",
            named={"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"},
            image_processor=lambda: Gemma3ImageProcessorPil(size={"height": 56, "width": 56}),
        ),
    )
}  # fmt: skip


def _text_family(name: str, **options) -> Family:
    return Family(name, {**_TEXT, **options}, ["<|im_start|>", "<|im_end|>"], _chatml(""))


# Those that an ONNX graph is built of; of two of them the output layer is not the embeddings again, one has wider heads.
GRAPH_FAMILIES = {
    "llama": FAMILIES["llama"],
    "qwen2": _text_family("qwen2", tie_word_embeddings=False),
    "qwen3": _text_family("qwen3", head_dim=32, tie_word_embeddings=False),
}


def emoreason_config(family: Family, **options) -> EmoReasonConfig:
    return EmoReasonConfig(
        language_config=family.language_config(),
        face_config=dict(image_size=16, trunk_dim=96, dim=24, heads=2, layers=1, dynamics=2, dropout=0.0),
        voice_config=dict(
            whisper_config=dict(model_type="whisper", d_model=16, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=16,
                                num_mel_bins=8, max_source_positions=100),
            tokens=2,
        ),
        **options,
    )  # fmt: skip


def toy(family: Family, **options) -> tuple[EmoReasonProcessor, EmoReasonForConditionalGeneration]:
    """A processor and a random model in evaluation mode, with adapters when `lora` is given."""
    config = emoreason_config(family, **options)
    processor = EmoReasonProcessor(config, family.tokenizer(), family.image_processor() if family.sees else None)
    torch.manual_seed(0)
    model = EmoReasonForConditionalGeneration(config)
    for name, parameter in model.backbone.named_parameters():
        if name.endswith("mm_input_projection_weight"):  # Gemma 3 starts blind: its projection is zero before training
            torch.nn.init.normal_(parameter, std=0.2)
    model.add_adapter_layers()
    return processor, model.eval()
