"""EmoReasonForConditionalGeneration: face-region and voice tokens in the prompt of a (vision-)language model; heads beside it.

Placeholders already stand in the text; forward only overwrites their embeddings, by a hook on the backbone's own embedding
layer. So the backbone sees ordinary input ids: its pictures, position ids (mRoPE included) and cache stay its own affair.

Letters: B batch, P persons, T frames, N tokens of a group, S sequence, D width, K classes.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoProcessor, PreTrainedModel
from transformers.initialization import no_init_weights
from transformers.modeling_outputs import ModelOutput
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from emoreason import assets
from emoreason.errors import ConfigError
from emoreason.model.backbones import load_backbone, lora_targets, new_backbone
from emoreason.model.base import all_weights, base_weights, changed
from emoreason.model.batch import FaceBatch, FaceOutput, VoiceBatch, VoiceOutput, WordsBatch
from emoreason.model.checkpoint_files import SHARDS, WEIGHTS
from emoreason.model.config import EmoReasonConfig, FaceConfig
from emoreason.model.connectors import Connector
from emoreason.model.face import FaceRegionEncoder
from emoreason.model.heads import Head
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.prompt import FACE, VOICE
from emoreason.model.trunks import PretrainedTrunk, SmallTrunk
from emoreason.model.voice import VoiceEncoder
from emoreason.model.whisper import load_whisper_encoder
from emoreason.model.words import new_adapter, read_words, words_width


@dataclass
class EmoReasonOutput(ModelOutput):
    """heads: name -> logits ([B, P, T, K] per frame, [B, K] per clip) of the encoders that had input.

    logits: [B, S, vocabulary]; with labels [1, M, vocabulary], of the M supervised positions only.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    past_key_values: Any = None
    heads: dict[str, Tensor] | None = None


class EmoReasonForConditionalGeneration(PreTrainedModel):
    """Encoders, connectors and heads around any backbone. Build one with `build` or `from_pretrained`."""

    config_class = EmoReasonConfig
    _supports_sdpa = True
    _no_split_modules = None

    def __init__(self, config: EmoReasonConfig, backbone: PreTrainedModel | None = None, whisper: WhisperEncoder | None = None):
        """Random weights for every part that is not given. `backbone` and `whisper` must fit the configuration."""
        super().__init__(config)
        face, voice = config.face_config, config.voice_config
        self.backbone = backbone or new_backbone(config.language_config)
        self.face = FaceRegionEncoder(new_trunk(face), face.dim, face.heads, face.layers, face.dynamics, face.dropout)
        encoder = whisper or WhisperEncoder(voice.whisper_config)
        self.voice = VoiceEncoder(encoder, voice.tokens, adapter=voice.adapter)
        layout = config.layout
        self.face_connector = Connector(face.dim, config.text_width, layout.face)
        self.voice_connector = Connector(voice.whisper_config.d_model, config.text_width, layout.voice)
        self.words_adapter = new_adapter(self.backbone, config.words)
        widths = {"face": face.dim, "voice": self.voice.pooled_width, "words": config.text_width}
        widths["utterance"] = words_width(config.text_width)
        self.heads = nn.ModuleDict({spec.name: Head(spec, widths[spec.part]) for spec in config.head_specs()})
        table = self.backbone.get_input_embeddings()
        rows = torch.arange(0, len(table.weight), len(table.weight) // 4096 + 1, device=table.weight.device)
        with torch.no_grad():
            embedded = table(rows)  # as the layers get them: Gemma multiplies its table's rows
        self.face_connector.match(embedded)
        self.voice_connector.match(embedded)

    def _init_weights(self, module: nn.Module) -> None:
        """Every part initialises itself when it is built; transformers' default would overwrite connectors and heads."""

    def add_adapter_layers(self) -> None:
        """LoRA on the language model's layers, and the rows of our special tokens trainable, as `config.lora` says. Once."""
        from peft import LoraConfig, PeftModel, get_peft_model

        if self.config.lora is None or isinstance(self.backbone, PeftModel):
            return
        options = {"target_modules": lora_targets(self.backbone.config), **self.config.lora}
        if self.config.special_token_ids:
            options["trainable_token_indices"] = {"embed_tokens": sorted(self.config.special_token_ids.values())}
        self.backbone = get_peft_model(self.backbone, LoraConfig(**options))

    # forward

    def forward(
        self,
        input_ids: Tensor,  # [B, S]
        attention_mask: Tensor | None = None,  # [B, S]
        labels: Tensor | None = None,  # [B, S], -100 = not supervised
        label_weights: Tensor | None = None,  # [B, S] of the loss at each label; all alike when not given
        face: FaceBatch | FaceOutput | None = None,
        voice: VoiceBatch | VoiceOutput | None = None,
        words: WordsBatch | None = None,
        **backbone_inputs: Any,
    ) -> EmoReasonOutput:
        seen, heard = self.encode(face, voice)
        predicts = None if labels is None else F.pad(labels[:, 1:], (0, 1), value=-100)  # [B, S]
        with self.soft_tokens(input_ids, seen, heard), self.states_read(predicts) as states:
            out = self.backbone(input_ids=input_ids, attention_mask=attention_mask, **backbone_inputs)
        ends = prompt_ends(input_ids, attention_mask, labels)  # [B]
        whole = states[0].shape[1] == input_ids.shape[1]  # `logits_to_keep` leaves only some of the states
        read = states[0][torch.arange(len(ends), device=ends.device), ends] if whole else None  # [B, D]
        return EmoReasonOutput(
            loss=None if predicts is None else token_loss(out.logits[0], predicts, label_weights),
            logits=out.logits,
            past_key_values=out.get("past_key_values"),
            heads=self.head_logits(seen, heard, read, self.read(words)),
        )

    def encode(
        self, face: FaceBatch | FaceOutput | None, voice: VoiceBatch | VoiceOutput | None
    ) -> tuple[FaceOutput | None, VoiceOutput | None]:
        """Tokens that were cached pass as they are."""
        seen = self.face(face) if isinstance(face, FaceBatch) else face
        return seen, self.voice(voice) if isinstance(voice, VoiceBatch) else voice

    @torch.no_grad()
    def read(self, words: WordsBatch | None) -> Tensor | None:
        """[B, 2 D] what the head on utterances reads; None without words, and for a model without such a head."""
        reads = self.config.words
        return None if words is None or reads is None else read_words(self.backbone, words, reads["layer"], self.words_adapter)

    def head_logits(
        self, face: FaceOutput | None, voice: VoiceOutput | None, words: Tensor | None = None, utterance: Tensor | None = None
    ) -> dict[str, Tensor]:
        """`words` [B, D]: the language model's state at the end of the prompt; `utterance`: what `read` gave."""
        words = None if words is None else words.to(self.face_connector.length.dtype)  # the backbone may be in half precision
        features = {"face": face and face.frames, "voice": voice and voice.pooled, "words": words, "utterance": utterance}
        live = {name: head for name, head in self.heads.items() if features.get(head.spec.part) is not None}
        return {name: head(features[head.spec.part]) for name, head in live.items()}

    @torch.no_grad()
    def generate(
        self,
        input_ids: Tensor,
        face: FaceBatch | None = None,
        voice: VoiceBatch | None = None,
        words: WordsBatch | None = None,
        **options: Any,
    ) -> Any:
        """The backbone's own `generate`; our special tokens are never produced. `words` are for a head, which is not asked."""
        special = sorted(self.config.special_token_ids.values())
        with self.soft_tokens(input_ids, *self.encode(face, voice)):
            return self.backbone.generate(input_ids=input_ids, suppress_tokens=special, **options)

    @contextmanager
    def soft_tokens(self, input_ids: Tensor, face: FaceOutput | None, voice: VoiceOutput | None) -> Iterator[None]:
        """While open, the backbone embeds the placeholders of `input_ids` as encoder tokens.

        Raises ValueError when the prompt's placeholders and the encoders' tokens do not agree in number.
        """
        ids = self.config.special_token_ids
        groups = {
            ids[FACE]: None if face is None else self.face_connector(face.tokens)[face.person_mask],  # [persons, N, D]
            ids[VOICE]: None if voice is None else self.voice_connector(voice.tokens)[voice.mask],  # [voices, N, D]
        }
        for name, token in (("face", ids[FACE]), ("voice", ids[VOICE])):
            asked = int((input_ids == token).sum())
            given = 0 if groups[token] is None else groups[token].shape[0] * groups[token].shape[1]
            if asked != given:
                raise ValueError(f"the prompt holds {asked} {name} placeholders, but the encoder gives {given} {name} tokens")

        def overwrite(_: nn.Module, inputs: tuple[Tensor, ...], embedded: Tensor) -> Tensor:
            for token, group in groups.items():
                here = (inputs[0] == token).unsqueeze(-1)  # [B, S, 1]
                if group is not None and here.any():  # later steps of a generation hold no placeholder
                    embedded = embedded.masked_scatter(here, group.to(embedded.dtype))
            return embedded

        handle = self.backbone.get_input_embeddings().register_forward_hook(overwrite)
        try:
            yield
        finally:
            handle.remove()

    @contextmanager
    def states_read(self, predicts: Tensor | None = None) -> Iterator[list[Tensor]]:
        """Catches what the output layer is given, [B, S, D]: the last states of whichever language model this is. The layer then
        works only where `predicts` [B, S] holds a label: over a large vocabulary it costs more than a small model's layers."""
        caught: list[Tensor] = []

        def catch(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
            caught.append(inputs[0])
            return None if predicts is None else (inputs[0][predicts != -100][None],)  # [1, M, D]

        handle = self.backbone.get_output_embeddings().register_forward_pre_hook(catch)
        try:
            yield caught
        finally:
            handle.remove()

    def get_input_embeddings(self) -> nn.Module:
        return self.backbone.get_input_embeddings()

    # one folder

    def save_pretrained(self, folder: str | Path, **_: Any) -> None:
        """Configuration and weights as safetensors. What `config.backbone` or `config.voice` name is not copied, nor what is in
        `config.base` just so."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        own = {name: value.detach() for name, value in self.state_dict().items() if not self._is_borrowed(name)}
        kept = changed(_without_ties(own), base_weights(self.config))
        (folder / SHARDS).unlink(missing_ok=True)
        save_file({n: v.contiguous().clone() for n, v in kept.items()}, folder / WEIGHTS, metadata={"format": "pt"})
        self.config.save_pretrained(folder)

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, config: EmoReasonConfig | None = None, **_: Any
    ) -> "EmoReasonForConditionalGeneration":
        """Raises ConfigError when weights are missing, left over or of another shape, naming the part, and without its base."""
        config = config or EmoReasonConfig.from_pretrained(folder)
        with no_init_weights() if config.backbone else nullcontext():  # drawing also ties a new one
            model = build(config)
        state = _checked(all_weights(Path(folder), config), model)
        missing, unexpected = model.load_state_dict(state, strict=False)
        ours = model.state_dict()
        filled = {ours[name].data_ptr() for name in state.keys() & ours.keys()}  # of tied weights the file holds one
        missing = [name for name in missing if ours[name].data_ptr() not in filled]
        missing = [name for name in missing if not model._is_borrowed(name)]
        wrong = [*unexpected, *missing]
        if wrong:
            parts = sorted({name.split(".")[0] for name in wrong})
            raise ConfigError(f"{folder}: weights do not fit the configuration in {', '.join(parts)} (first: {wrong[0]})")
        return model.eval()

    def _is_borrowed(self, name: str) -> bool:
        if name.startswith("backbone."):
            return self.config.backbone is not None and "lora_" not in name and "trainable_tokens" not in name
        if name.startswith("face.trunk.model."):
            return self.config.face is not None
        return name.startswith("voice.encoder.") and self.config.voice is not None


def token_loss(logits: Tensor, predicts: Tensor, weights: Tensor | None = None) -> Tensor:
    """Cross-entropy of logits [M, vocabulary] of the supervised positions of `predicts` [B, S], the token after each; its mean,
    or with weights [B, S] of the labels themselves, its weighted mean."""
    supervised = predicts != -100
    if weights is None:
        return F.cross_entropy(logits.float(), predicts[supervised])
    losses = F.cross_entropy(logits.float(), predicts[supervised], reduction="none")  # [M]
    share = F.pad(weights[:, 1:], (0, 1))[supervised].to(losses)
    return (losses * share).sum() / share.sum()


def prompt_ends(input_ids: Tensor, attention_mask: Tensor | None, labels: Tensor | None) -> Tensor:
    """[B] index of the last prompt token: before the first supervised one, else the last that is attended to."""
    steps = torch.arange(input_ids.shape[1], device=input_ids.device)
    attended = steps.expand_as(input_ids) if attention_mask is None else torch.where(attention_mask > 0, steps, 0)
    last = attended.amax(1)
    if labels is None:
        return last
    supervised = labels != -100
    return torch.where(supervised.any(1), (supervised.int().argmax(1) - 1).clamp_min(0), last)


def build(config: EmoReasonConfig) -> EmoReasonForConditionalGeneration:
    """The model of a configuration: named sources are loaded, everything else is new. Raises AssetError, ConfigError."""
    if config.backbone:
        backbone = load_backbone(config.backbone, config.quantization, config.dtype or torch.float32)
    else:
        backbone = new_backbone(config.language_config)
    if config.special_token_ids and max(config.special_token_ids.values()) >= backbone.get_input_embeddings().weight.shape[0]:
        backbone.resize_token_embeddings(max(config.special_token_ids.values()) + 1, mean_resizing=False)
    model = EmoReasonForConditionalGeneration(config, backbone, config.voice and load_whisper(config.voice))
    if config.face:
        source = AutoModel.from_pretrained(config.face["path"], use_safetensors=True)
        model.face.trunk.model.load_state_dict(getattr(source, "vision_model", source).state_dict())
    model.add_adapter_layers()
    return model


def new_trunk(face: FaceConfig) -> SmallTrunk | PretrainedTrunk:
    """The vision trunk that the configuration names, with new or pretrained weights."""
    if face.trunk_config is None:
        return SmallTrunk(face.trunk_dim, face.image_size)
    return PretrainedTrunk(face.trunk_config, tuple(face.trunk_mean or (0.5,) * 3), tuple(face.trunk_std or (0.5,) * 3))


def load_whisper(source: dict[str, str]) -> WhisperEncoder:
    """Of {"asset": name} or {"path": folder or hub id}."""
    if "path" in source:
        return AutoModel.from_pretrained(source["path"], dtype=torch.float32, use_safetensors=True).encoder
    name = source["asset"]
    return load_whisper_encoder(assets.path(name) / "model.bin", assets.home() / "converted" / f"{name}-encoder")


def _checked(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    ours = model.state_dict()
    for name, value in state.items():
        if name in ours and ours[name].shape != value.shape:
            raise ConfigError(f"weights of {name} are {list(value.shape)}, the configuration makes {list(ours[name].shape)}")
    return state


def _without_ties(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each tensor once: an output layer tied to the embeddings is those again, and the tie restores it."""
    return {name: state[name] for name in {value.data_ptr(): name for name, value in reversed(state.items())}.values()}


AutoModel.register(EmoReasonConfig, EmoReasonForConditionalGeneration, exist_ok=True)
AutoProcessor.register(EmoReasonConfig, EmoReasonProcessor, exist_ok=True)
__all__ = ["AutoConfig", "EmoReasonForConditionalGeneration", "EmoReasonOutput", "build"]
