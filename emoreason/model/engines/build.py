"""A folder with the graph of a language model, made once from its merged weights; running it needs none of what makes it.

model.onnx, model.onnx.data   the backbone from embeddings to logits, float32, by onnxruntime-genai's builder
backbone/                     what stays in torch: the embeddings and the first layers, for the head on utterances
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoConfig, GenerationConfig, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.initialization import no_init_weights

from emoreason.errors import EnvironmentProblem
from emoreason.model.backbones import LAYERS, new_backbone
from emoreason.model.config import EmoReasonConfig
from emoreason.model.engines.onnx import Graph

GRAPH, BACKBONE, WEIGHTS = "model.onnx", "backbone", "model.safetensors"
STOCK = "stock"  # the merged weights, while the builder reads them
FAMILIES = ("llama", "qwen2", "qwen3")  # whose graphs are proven to compute what torch does
BUILDERS = ("onnxruntime_genai", "onnx_ir", "onnx")  # packages; some platforms have no wheels of the first
CHECKED, TOLERANCE = 24, 1e-3  # tokens of the check of a new graph; largest difference of its logits, relative to their size


class GraphProblem(EnvironmentProblem):
    """There is no graph to run, and why; the torch engine does the same work more slowly."""


def unsupported(config: EmoReasonConfig) -> str | None:
    """Why a model of this configuration cannot be run as a graph; None when it can."""
    language = config.language_config
    if language.model_type not in FAMILIES:
        return f"graphs are built for the families {', '.join(FAMILIES)}, the language model is of '{language.model_type}'"
    if any(kind != "full_attention" for kind in getattr(language, "layer_types", None) or ()):
        return "the language model has layers that do not attend to the whole text"
    if config.quantization or str(config.dtype or "float32").removeprefix("torch.") != "float32":
        return f"the language model is loaded in {config.quantization or config.dtype}, graphs compute in float32"
    return None


def no_builder() -> str | None:
    """Why graphs cannot be built here; None when they can."""
    missing = [package for package in BUILDERS if find_spec(package) is None]
    return f"building needs {missing[0]}, which is not installed: pip install onnxruntime-genai onnx onnx-ir" if missing else None


@dataclass(frozen=True)
class Expected:
    """What torch makes of a few tokens, to hold a new graph against."""

    embedded: Tensor  # [1, T, H]
    logits: Tensor  # [1, T, V]
    config: PreTrainedConfig


def write_weights(backbone: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, layers: int = 0) -> Expected:
    """The first half: what the builder reads, and the part that stays in torch, with its first `layers` layers. `backbone`: a
    merged model in float32, which need not be in memory for the other half.

    Raises GraphProblem when the builder is missing or there is no room, OSError when the disk is full.
    """
    if reason := no_builder():
        raise GraphProblem(reason)
    _check_room(backbone, folder)
    backbone.save_pretrained(folder / STOCK)
    tokenizer.save_pretrained(folder / STOCK)
    _write_backbone(backbone, folder / BACKBONE, layers)
    return _expected(backbone)


def write_graph(folder: Path, expected: Expected) -> None:
    """The other half. Raises GraphProblem when the builder fails, or its graph computes something else."""
    _run_builder(folder / STOCK, folder)
    shutil.rmtree(folder / STOCK)
    _state_limits(folder / GRAPH, expected.config)
    try:
        worst = _difference(Graph(folder / GRAPH), expected)
    except Exception as error:  # onnxruntime's own have no common base
        raise GraphProblem(f"the graph that onnxruntime-genai built does not run: {' '.join(str(error).split())}") from error
    if not worst <= TOLERANCE:  # nor where it is not a number
        raise GraphProblem(f"the graph that onnxruntime-genai built computes something else than torch (off by {worst:.1e})")


def _check_room(backbone: PreTrainedModel, folder: Path) -> None:
    size = 4 * sum(parameter.numel() for parameter in backbone.parameters())
    need, free = 3 * size, shutil.disk_usage(folder).free  # stock weights, graph and what stays in torch
    if free < need:
        raise GraphProblem(f"a graph needs {need / 1e6:.0f} MB while it is built, {folder.parent} has {free / 1e6:.0f} MB left")


@torch.no_grad()
def _expected(backbone: PreTrainedModel) -> Expected:
    """Of tokens drawn from the whole vocabulary."""
    table = backbone.get_input_embeddings()
    ids = torch.randint(len(table.weight), (1, CHECKED), generator=torch.Generator().manual_seed(0))  # [1, T]
    return Expected(table(ids), backbone(input_ids=ids).logits, backbone.config)


def _write_backbone(backbone: PreTrainedModel, folder: Path, layers: int) -> None:
    config = AutoConfig.for_model(**backbone.config.to_dict())
    config.num_hidden_layers, config.tie_word_embeddings = layers, True  # there is no output layer of its own
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:layers]
    prefix = f"{LAYERS[config.model_type]}."
    output = {id(parameter) for parameter in backbone.get_output_embeddings().parameters()}
    embeddings = backbone.get_input_embeddings().weight
    kept = {
        name: parameter.detach().float().contiguous()
        for name, parameter in backbone.named_parameters()
        if (parameter is embeddings or id(parameter) not in output)
        and not (name.startswith(prefix) and int(name.removeprefix(prefix).split(".")[0]) >= layers)
    }
    config.save_pretrained(folder)
    backbone.generation_config.save_pretrained(folder)
    save_file(kept, folder / WEIGHTS, metadata={"format": "pt"})


def load_backbone_part(folder: Path) -> PreTrainedModel:
    """The embeddings and first layers that `write_graph` kept, memory-mapped: what is not read takes no memory."""
    folder = folder / BACKBONE
    with no_init_weights():
        backbone = new_backbone(AutoConfig.from_pretrained(folder))
    backbone.load_state_dict(load_file(folder / WEIGHTS), strict=False, assign=True)
    backbone.tie_weights()
    backbone.generation_config = GenerationConfig.from_pretrained(folder)
    backbone.get_output_embeddings().register_forward_pre_hook(_refuse)
    return backbone.requires_grad_(False).eval()


def _refuse(_: nn.Module, __: tuple) -> None:
    raise RuntimeError("this language model holds only its first layers: the whole of it runs as a graph")


def _run_builder(stock: Path, folder: Path) -> None:
    """In a process of its own, which gives its memory back and prints to nobody."""
    command = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-m", str(stock), "-o", str(folder)]
    command += ["-p", "fp32", "-e", "cpu", "-c", str(stock)]
    command += ["--extra_options", "exclude_embeds=true", "include_hidden_states=true"]
    run = subprocess.run(command, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stdin=subprocess.DEVNULL, capture_output=True)
    if run.returncode or not (folder / GRAPH).is_file():
        said = run.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {run.returncode}"]
        raise GraphProblem(f"onnxruntime-genai could not build the graph: {said[-1]}")
    for file in folder.iterdir():  # a tokenizer and settings for onnxruntime-genai's own loop
        if file.is_file() and not file.name.startswith(GRAPH):
            file.unlink()


def _state_limits(file: Path, config: PreTrainedConfig) -> None:
    """Write into the graph what its symbolic shapes leave open: the width of a head, and how many positions there are."""
    import onnx

    graph = onnx.load(file, load_external_data=False)
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    for one in [*graph.graph.input, *graph.graph.output]:
        if one.name.startswith(("past_key_values.", "present.")):
            one.type.tensor_type.shape.dim[3].dim_value = width  # the name that stood there goes
    positions = [tensor.dims[0] for tensor in graph.graph.initializer if tensor.name == "cos_cache"]
    onnx.helper.set_model_props(graph, {"positions": str(min([config.max_position_embeddings, *positions]))})
    onnx.save(graph, file)


def _difference(graph: Graph, expected: Expected) -> float:
    """Half of the tokens are read at once, the others one by one on the cache."""
    half, values = CHECKED // 2, expected.embedded.float().numpy()
    cache = graph.cache(1, CHECKED)
    rows = [graph.run(values[:, :half], cache, [half], "logits")]
    rows += [graph.run(values[:, n : n + 1].copy(), cache, [n + 1], "logits") for n in range(half, CHECKED)]
    found = torch.cat([torch.from_numpy(row) for row in rows], dim=1)  # [1, T, V]
    return float((found - expected.logits).abs().max()) / max(1.0, float(expected.logits.abs().max()))
