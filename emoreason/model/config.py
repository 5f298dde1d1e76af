"""EmoReasonConfig: which parts the model is made of. Nested, validated when built, saved with the weights."""

from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

from emoreason.labels.action_units import ACTION_UNITS
from emoreason.labels.emotions import EMOTIONS
from emoreason.labels.label_set import CANONICAL, LabelSet
from emoreason.model.backbones import sees_pictures
from emoreason.model.batch import REGION_NAMES
from emoreason.model.head_spec import UNITS_HEAD, HeadSpec
from emoreason.model.interface import label_set_of
from emoreason.model.prompt import Layout

VOICE_EMOTIONS = tuple(e for e in EMOTIONS if e != "contempt")  # no corpus of speech or words here codes contempt
HEADS = (
    HeadSpec("emotion", "face", "distribution", "frame", EMOTIONS),
    HeadSpec(UNITS_HEAD, "face", "multi_label", "frame", tuple(ACTION_UNITS)),
    HeadSpec("voice_emotion", "voice", "single_label", "clip", VOICE_EMOTIONS),
    HeadSpec("sentiment", "words", "single_label", "clip", ("negative", "neutral", "positive")),
)
UTTERANCE_HEAD = HeadSpec("words_emotion", "utterance", "single_label", "clip", VOICE_EMOTIONS)


@strict
class FaceConfig(PreTrainedConfig):
    """`trunk_config=None` is the small trunk trained here; else any Hugging Face vision model's configuration."""

    model_type = "emoreason_face"
    sub_configs_defaults = {
        "trunk_config": SubConfigSpec(config_class=AutoConfig, model_type="siglip_vision_model", optional=True)
    }

    trunk_config: dict | PreTrainedConfig | None = None
    trunk_mean: list[float] | None = None  # of a pretrained trunk's pictures; 0.5 when not given, as SigLIP wants it
    trunk_std: list[float] | None = None
    image_size: int = 48
    trunk_dim: int = 192
    dim: int = 192
    heads: int = 4
    layers: int = 2
    dynamics: int = 4
    dropout: float = 0.1
    margin: float = 0.1
    max_frames: int = 64
    max_persons: int = 4


@strict
class VoiceConfig(PreTrainedConfig):
    """`whisper_config` describes a Whisper encoder of any size; only its encoder is built. adapter: {"rank", "layers": [places]}
    of low-rank changes to it (model.voice.VoiceAdapter); None = the encoder as it is."""

    model_type = "emoreason_voice"
    sub_configs_defaults = {"whisper_config": SubConfigSpec(config_class=AutoConfig, model_type="whisper")}

    whisper_config: dict | PreTrainedConfig | None = None
    tokens: int = 4
    adapter: dict[str, Any] | None = None


@strict
class EmoReasonConfig(PreTrainedConfig):
    """Parts and the names of their sources.

    backbone, voice, face: where the language model, the Whisper encoder and a pretrained face trunk come from ({"asset": name} or
    {"path": folder or hub id}; a trunk takes a path only); None = random weights of the configured size, saved whole. lora:
    keyword arguments of peft.LoraConfig, targets by family when not given; None = no adapter. dtype: of a loaded language model
    (float32 when not given); encoders, connectors and heads stay in float32. heads: HeadSpec fields. words: {"layer": of the
    language model, whose states of an utterance its head reads, "languages": [codes of those it learnt from], "adapter": {"rank",
    "layers": so many up to that one} or absent}; None = no such head.
    *_token_ids: filled when the tokenizer is prepared. verdict: fields of
    model.verdict.VerdictSettings. trained: set by training when it saves; an untrained model says so in every report.
    scheme, labels, crosswalk: the set that verdicts choose from, the canonical emotions unless it was fine-tuned on others.
    base: the checkpoint that all weights come from which are not stored beside this file (model.base).
    """

    model_type = "emoreason"
    sub_configs_defaults = {
        "face_config": SubConfigSpec(config_class=FaceConfig, model_type="emoreason_face"),
        "voice_config": SubConfigSpec(config_class=VoiceConfig, model_type="emoreason_voice"),
        "language_config": SubConfigSpec(config_class=AutoConfig, model_type="llama"),
    }

    face_config: dict | PreTrainedConfig | None = None
    voice_config: dict | PreTrainedConfig | None = None
    language_config: dict | PreTrainedConfig | None = None
    backbone: dict[str, Any] | None = None
    voice: dict[str, Any] | None = None
    face: dict[str, Any] | None = None
    lora: dict[str, Any] | None = None
    words: dict[str, Any] | None = None
    quantization: str | None = None  # "4bit" or "8bit": bitsandbytes, GPU only
    heads: list[dict[str, Any]] | None = None
    special_token_ids: dict[str, int] | None = None
    labels: list[str] | None = None
    scheme: str = CANONICAL
    crosswalk: dict[str, str | None] | None = None
    base: dict[str, str] | None = None
    verdict: dict[str, Any] | None = None
    trained: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        self.labels = list(self.labels or EMOTIONS)
        self.heads = [head if isinstance(head, dict) else head.to_dict() for head in self.heads or HEADS]
        self.head_specs()
        self.label_set()
        if self.quantization not in (None, "4bit", "8bit"):
            raise ValueError(f"quantization must be null, '4bit' or '8bit', got '{self.quantization}'")

    def head_specs(self) -> tuple[HeadSpec, ...]:
        """Raises ValueError when a head is described wrongly or twice."""
        specs = tuple(HeadSpec(**{**head, "labels": tuple(head["labels"])}) for head in self.heads)
        names = [spec.name for spec in specs]
        if len(set(names)) != len(names):
            raise ValueError(f"heads must have distinct names, got {names}")
        return specs

    def label_set(self) -> LabelSet:
        """What verdicts choose from. Raises ValueError for labels that are no set."""
        return label_set_of(self)

    @property
    def layout(self) -> Layout:
        """Soft tokens per person and per voice."""
        return Layout(face=len(REGION_NAMES) + self.face_config.dynamics, voice=self.voice_config.tokens + 1)

    @property
    def mel_bins(self) -> int:
        return self.voice_config.whisper_config.num_mel_bins

    @property
    def family(self) -> str:
        return self.language_config.model_type

    @property
    def positions(self) -> int:
        return self.language_config.get_text_config().max_position_embeddings

    @property
    def sees_pictures(self) -> bool:
        return sees_pictures(self.language_config)

    @property
    def text_width(self) -> int:
        """Width of the language model's embeddings, wherever its configuration keeps it."""
        return self.language_config.get_text_config().hidden_size


for config in (FaceConfig, VoiceConfig, EmoReasonConfig):
    AutoConfig.register(config.model_type, config, exist_ok=True)
