"""Toys whose language model runs as an ONNX graph; a graph is built once for all tests that ask for the same one."""

import tempfile
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import torch
from model.families import GRAPH_FAMILIES, toy

from emoreason.model.engines.build import GRAPH, load_backbone_part, no_builder, write_graph, write_weights
from emoreason.model.engines.onnx import Graph, OnnxEngine
from emoreason.model.export import merged
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
    return processor, model, on_graph(processor, model)


def on_graph(processor: EmoReasonProcessor, model: EmoReasonForConditionalGeneration) -> OnnxEngine:
    """The engine of the same model: the backbone as a graph, a copy of everything else."""
    _FOLDERS.append(tempfile.TemporaryDirectory())
    folder = Path(_FOLDERS[-1].name)
    reads = model.config.words or {}
    write_graph(folder, write_weights(merged(deepcopy(model.backbone)), processor.tokenizer, folder, reads.get("layer", 0)))
    rest = EmoReasonForConditionalGeneration(model.config, load_backbone_part(folder))
    others = {key: value for key, value in model.state_dict().items() if not key.startswith("backbone.")}
    rest.load_state_dict(others, strict=False)
    return OnnxEngine(rest, processor.tokenizer, Graph(folder / GRAPH))
