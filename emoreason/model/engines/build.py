"""Makes the folder of a graph (`layout`) from a model in torch; running it needs none of what makes it."""

import logging
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.model.batch import POOLED_FRAMES, REGION_NAMES
from emoreason.model.config import EmoReasonConfig
from emoreason.model.engines import layout
from emoreason.model.engines.graph_session import Graph, open_session
from emoreason.model.engines.layout import GraphProblem
from emoreason.model.export import merged
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.words import merged_layers

STOCK = "stock"  # the merged weights, while the builder reads them
FAMILIES = ("llama", "qwen2", "qwen3")  # whose graphs are proven to compute what torch does
BUILDERS = ("onnxruntime_genai", "onnx_ir", "onnx", "onnxscript")  # packages; some platforms have no wheels of the first
CHECKED, TOLERANCE = 24, 1e-3  # tokens of the check of a new graph; largest difference of an output, relative to its size
_PROBE = "p1<|er_person|> strong lip corner puller (AU12) 2.1-4.8\n'Don't!' 12,5 é ü 你好\n"


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
    fix = "pip install onnxruntime-genai onnx onnx-ir onnxscript"
    return f"building needs {missing[0]}, which is not installed: {fix}" if missing else None


@dataclass(frozen=True)
class Expected:
    """What torch makes of a few tokens, to hold a new graph against."""

    embedded: Tensor  # [1, T, H]
    outputs: Mapping[str, Mapping[str, Tensor]]  # file -> name of an output -> [1, T, ...]
    config: PreTrainedConfig


@torch.no_grad()
def write_weights(model: EmoReasonForConditionalGeneration, processor: EmoReasonProcessor, folder: Path) -> Expected:
    """The first half: what the builder reads, and all that it does not make. Adapters are merged in place; the model need not
    be in memory for the other half.

    Raises GraphProblem when the builder is missing, there is no room or a part cannot be a graph, OSError when the disk is full.
    """
    if reason := no_builder():
        raise GraphProblem(reason)
    backbone = merged(model.backbone.eval())
    if model.voice.adapter is not None:
        model.voice.adapter.merge_into(model.voice.encoder.layers)
        model.voice.adapter = None
    _check_room(backbone, folder)
    table = backbone.get_input_embeddings()
    ids = torch.randint(len(table.weight), (1, CHECKED), generator=torch.Generator().manual_seed(0))  # [1, T]
    outputs = {layout.LANGUAGE: {"logits": backbone(input_ids=ids).logits}}
    backbone.save_pretrained(folder / STOCK / layout.LANGUAGE)
    if model.config.words is not None:
        layers = merged_layers(backbone, model.config.words["layer"], model.words_adapter)
        outputs[layout.WORDS] = {"hidden_states": _without_norm(layers)(input_ids=ids).logits}
        layers.save_pretrained(folder / STOCK / layout.WORDS)
    processor.tokenizer.save_pretrained(folder / layout.TOKENIZER)
    if PreTrainedTokenizerFast.from_pretrained(folder / layout.TOKENIZER)(_PROBE) != processor.tokenizer(_PROBE):
        raise GraphProblem("its tokenizer cannot be run without the library that made it")
    heads = {f"{name}.{key}": value for name, head in model.heads.items() for key, value in head.state_dict().items()}
    weights = {layout.EMBEDDINGS: table.weight, **heads}
    save_file({name: value.detach().float().contiguous().clone() for name, value in weights.items()}, folder / layout.PARTS)
    layout.write_about(folder, model.config, model.config.head_specs(), backbone.generation_config.eos_token_id)
    write_encoders(model.eval(), folder)
    return Expected(table(ids), outputs, backbone.config)


def write_graph(folder: Path, expected: Expected) -> None:
    """The other half. Raises GraphProblem when the builder fails, or its graph computes something else."""
    for name, outputs in expected.outputs.items():
        _run_builder(folder / STOCK / name, folder / layout.TOKENIZER, folder / name, words=name == layout.WORDS)
        _state_limits(folder / name, expected.config, words=name == layout.WORDS)
        try:
            found = _on_graph(Graph(folder / name, 1), expected.embedded, [*outputs][0])
        except Exception as error:  # onnxruntime's own have no common base
            raise GraphProblem(f"the graph that onnxruntime-genai built does not run: {' '.join(str(error).split())}") from error
        _check("the graph that onnxruntime-genai built", found, [*outputs.values()][0].numpy())
    shutil.rmtree(folder / STOCK)


def _check(what: str, found: np.ndarray, expected: np.ndarray) -> None:
    worst = float(np.abs(found - expected).max()) / max(1.0, float(np.abs(expected).max()))
    if not worst <= TOLERANCE:  # nor where it is not a number
        raise GraphProblem(f"{what} computes something else than torch (off by {worst:.1e})")


def _check_room(backbone: PreTrainedModel, folder: Path) -> None:
    size = 4 * sum(parameter.numel() for parameter in backbone.parameters())
    need, free = 3 * size, shutil.disk_usage(folder).free  # stock weights, graph and the layers that read utterances
    if free < need:
        raise GraphProblem(f"a graph needs {need / 1e6:.0f} MB while it is built, {folder.parent} has {free / 1e6:.0f} MB left")


# encoders


class _Frames(nn.Module):
    def __init__(self, model: EmoReasonForConditionalGeneration):
        super().__init__()
        self.face = model.face

    def forward(
        self, pictures: Tensor, landmarks: Tensor, blendshapes: Tensor, pose: Tensor, gaze: Tensor, mesh: Tensor
    ) -> Tensor:
        return self.face.regional(pictures, landmarks, blendshapes, pose, gaze, mesh)


class _People(nn.Module):
    def __init__(self, model: EmoReasonForConditionalGeneration):
        super().__init__()
        self.face, self.connector = model.face, model.face_connector

    def forward(self, regional: Tensor, times_s: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        frames, tokens = self.face.over_time(regional, times_s, mask)
        return frames, self.connector(tokens)


class _Voice(nn.Module):
    def __init__(self, model: EmoReasonForConditionalGeneration):
        super().__init__()
        self.voice, self.connector = model.voice, model.voice_connector

    def forward(self, mel: Tensor, mel_mask: Tensor, prosody: Tensor) -> tuple[Tensor, Tensor]:
        said = self.voice.hear(mel, mel_mask, prosody)
        return said.pooled, self.connector(said.tokens)


def write_encoders(model: EmoReasonForConditionalGeneration, folder: Path) -> None:
    """The encoders with their connectors. Raises GraphProblem when one cannot be a graph or computes something else."""
    side, dim, bins = model.face.trunk.image_size, model.face.dim, model.config.mel_bins
    rng = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=rng)

    def frames(count: int) -> tuple[Tensor, ...]:
        mesh = torch.arange(count) % 4 != 2
        return draw(count, 3, side, side), draw(count, 478, 3), draw(count, 52), draw(count, 3), draw(count, 2), mesh

    def people(count: int, time: int) -> tuple[Tensor, ...]:
        mask = torch.arange(time) < torch.arange(time, time - count, -1)[:, None]  # the first is seen all the time
        return draw(count, time, len(REGION_NAMES), dim), draw(count, time).cumsum(1), mask

    def voice(count: int, time: int) -> tuple[Tensor, ...]:
        mask = torch.arange(time) < time - POOLED_FRAMES * torch.arange(count)[:, None]
        prosody = torch.where(draw(count, len(VOICE_CUES)) < 0.2, torch.nan, draw(count, len(VOICE_CUES)))
        return draw(count, bins, time), mask, prosody

    inputs = ["pictures", "landmarks", "blendshapes", "pose", "gaze", "mesh"]
    _write_encoder(_Frames(model), folder / layout.FRAMES, frames(3), frames(5), dict.fromkeys(inputs, {0: "F"}), ["regional"])
    axes = dict.fromkeys(("regional", "times_s", "mask"), {0: "N", 1: "T"})
    _write_encoder(_People(model), folder / layout.PEOPLE, people(2, 5), people(3, 8), axes, ["frames", "tokens"])
    axes = {"mel": {0: "B", 2: "S"}, "mel_mask": {0: "B", 1: "S"}, "prosody": {0: "B"}}
    short, long = voice(2, 6 * POOLED_FRAMES), voice(3, 9 * POOLED_FRAMES)
    _write_encoder(_Voice(model), folder / layout.VOICE, short, long, axes, ["features", "tokens"])


def _write_encoder(
    module: nn.Module, file: Path, example: tuple[Tensor, ...], other: tuple[Tensor, ...], axes: Mapping[str, dict[int, str]],
    outputs: list[str],
) -> None:  # fmt: skip
    """Exported with an example, and held against torch on inputs of other lengths. axes: names of those of each
    input whose lengths vary."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # a fused call that graphs have no word for
    try:
        with _exporter_quiet():
            torch.onnx.export(
                module.eval(),
                example,
                file,
                input_names=[*axes],
                output_names=outputs,
                dynamic_shapes=dict(axes),
                external_data=True,  # a file of one part may hold 2 GB only
                dynamo=True,
                verbose=False,
            )
            expected = module(*other)
    except Exception as error:  # whatever a part of somebody's own may do
        raise GraphProblem(f"{file.stem}: cannot be made a graph: {' '.join(str(error).split())[:200]}") from error
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    found = open_session(file, 1).run(None, {name: value.numpy() for name, value in zip(axes, other, strict=True)})
    for one, wanted in zip(found, expected if isinstance(expected, tuple) else (expected,), strict=True):
        _check(f"the graph of {file.stem}", one, wanted.numpy())


@contextmanager
def _exporter_quiet() -> Iterator[None]:
    """What the exporter warns of is meant for those who write it."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


# language model


def _without_norm(layers: PreTrainedModel) -> PreTrainedModel:
    """A copy whose `logits` are the states after its last layer."""
    bare = deepcopy(layers)
    bare.model.norm, bare.lm_head = nn.Identity(), nn.Identity()
    return bare


def _run_builder(stock: Path, tokenizer: Path, file: Path, words: bool) -> None:
    """In a process of its own, which gives its memory back and prints to nobody."""
    shutil.copytree(tokenizer, stock, dirs_exist_ok=True)
    command = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-m", str(stock), "-o", str(file.parent)]
    command += ["-p", "fp32", "-e", "cpu", "-c", str(stock), "--extra_options", "exclude_embeds=true"]
    command += ["exclude_lm_head=true"] if words else ["include_hidden_states=true"]
    before = {one.name for one in file.parent.iterdir()} if file.parent.is_dir() else set()
    run = subprocess.run(command, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stdin=subprocess.DEVNULL, capture_output=True)
    if run.returncode or not file.is_file():
        said = run.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {run.returncode}"]
        raise GraphProblem(f"onnxruntime-genai could not build the graph: {said[-1]}")
    for one in file.parent.iterdir():  # a tokenizer and settings for onnxruntime-genai's own loop
        if one.is_file() and one.name not in before and not one.name.startswith(file.name):
            one.unlink()


def _state_limits(file: Path, config: PreTrainedConfig, words: bool) -> None:
    """Write into the graph what its symbolic shapes leave open: the width of a head, and how many positions there are. The states
    that a head on utterances reads come before the norm that follows the last layer."""
    import onnx

    graph = onnx.load(file, load_external_data=False)
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    for one in [*graph.graph.input, *graph.graph.output]:
        if one.name.startswith(("past_key_values.", "present.")):
            one.type.tensor_type.shape.dim[3].dim_value = width  # the name that stood there goes
    if words:
        [norm] = [node for node in graph.graph.node if "hidden_states" in node.output]
        total = onnx.helper.make_node("Add", norm.input[:2], norm.output[:1], f"{norm.name}/Add")  # residual and the last layer's
        norm.CopyFrom(total)
    positions = [tensor.dims[0] for tensor in graph.graph.initializer if tensor.name == "cos_cache"]
    onnx.helper.set_model_props(graph, {"positions": str(min([config.max_position_embeddings, *positions]))})
    onnx.save(graph, file)


def _on_graph(graph: Graph, embedded: Tensor, wanted: str) -> np.ndarray:
    """[1, T, ...]. Half of the tokens are read at once, the others one by one on the cache."""
    half, values = CHECKED // 2, embedded.float().numpy()
    cache = graph.cache(1, CHECKED)
    rows = [graph.run(values[:, :half], cache, [half], wanted)]
    rows += [graph.run(values[:, n : n + 1].copy(), cache, [n + 1], wanted) for n in range(half, CHECKED)]
    return np.concatenate(rows, axis=1)
