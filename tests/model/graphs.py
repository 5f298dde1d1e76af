"""Toys whose language model runs as an ONNX graph; a graph is built once for all tests that ask for the same one."""

import shutil
import tempfile
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import torch
from model.families import GRAPH_FAMILIES, toy

from emoreason.model.engines import build
from emoreason.model.engines.build import no_builder, write_encoders
from emoreason.model.engines.layout import About
from emoreason.model.engines.onnx import OnnxEngine
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor
from emoreason.training.words.head import give_words

_FOLDERS = []  # kept until the tests end
READS = {"layer": 1, "languages": ["en"], "adapter": {"rank": 2, "layers": 1}}


@cache
def graph_toy(
    name: str, adapted: bool = False, words: bool = False
) -> tuple[EmoReasonProcessor, EmoReasonForConditionalGeneration, OnnxEngine]:
    """A processor, the whole model in torch, and the engine on its graph. adapted: with LoRA and trained rows of special tokens;
    words: with a head on utterances whose adapter changes something."""
    if reason := no_builder():
        pytest.skip(reason)
    lora = {"lora": {"r": 2, "init_lora_weights": False}} if adapted else {}
    processor, model = toy(GRAPH_FAMILIES[name], **lora)
    if words:
        give_words(model, READS)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "trainable_tokens" in key or "words_adapter" in key:
                parameter.normal_(std=0.3)
    model.load_state_dict(_encoders_of_first(model), strict=False)
    return processor, model, on_graph(processor, model)


_FIRST: dict[str, torch.Tensor] = {}


def _encoders_of_first(model: EmoReasonForConditionalGeneration) -> dict[str, torch.Tensor]:
    """All toys get the encoders of the first one, so that these are exported once: that takes longer than the language model."""
    parts = ("face.", "voice.", "face_connector.", "voice_connector.")
    if not _FIRST:
        _FIRST.update({name: value.clone() for name, value in model.state_dict().items() if name.startswith(parts)})
    return _FIRST


@cache
def _exported_encoders() -> Path:
    _FOLDERS.append(tempfile.TemporaryDirectory())
    return Path(_FOLDERS[-1].name)


def _write_encoders_once(model: EmoReasonForConditionalGeneration, folder: Path) -> None:
    kept, state = _exported_encoders(), model.state_dict()
    if not all(torch.equal(state[name], value) for name, value in _FIRST.items()):
        return write_encoders(model, folder)
    if not any(kept.iterdir()):
        write_encoders(model, kept)
    for file in kept.iterdir():
        shutil.copy(file, folder)


def on_graph(processor: EmoReasonProcessor, model: EmoReasonForConditionalGeneration) -> OnnxEngine:
    """The engine on graphs of the same model."""
    _FOLDERS.append(tempfile.TemporaryDirectory())
    folder = Path(_FOLDERS[-1].name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "write_encoders", _write_encoders_once)
        expected = build.write_weights(deepcopy(model), processor, folder)
    build.write_graph(folder, expected)
    return OnnxEngine(folder, About.read(folder, model.config.to_dict()), processor.tokenizer)
