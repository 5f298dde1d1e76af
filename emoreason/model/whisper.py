"""The Whisper encoder as a transformers module, converted once from the pinned CTranslate2 file to safetensors.

Format of `model.bin` (CTranslate2 converters/specs, binary version 6): version, spec name, revision, then variables as
(name, rank, dimensions, type, bytes), little endian, names null-terminated with their length in front.
"""

import os
import struct
import tempfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from emoreason.errors import AssetError

VERSION = 6
_DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_LAYER = {  # CTranslate2 -> transformers, inside one layer; linear_0 of the attention holds query, key and value
    "self_attention/layer_norm/gamma": "self_attn_layer_norm.weight",
    "self_attention/layer_norm/beta": "self_attn_layer_norm.bias",
    "self_attention/linear_1/weight": "self_attn.out_proj.weight",
    "self_attention/linear_1/bias": "self_attn.out_proj.bias",
    "ffn/layer_norm/gamma": "final_layer_norm.weight",
    "ffn/layer_norm/beta": "final_layer_norm.bias",
    "ffn/linear_0/weight": "fc1.weight",
    "ffn/linear_0/bias": "fc1.bias",
    "ffn/linear_1/weight": "fc2.weight",
    "ffn/linear_1/bias": "fc2.bias",
}
_TOP = {
    "conv1/weight": "conv1.weight",
    "conv1/bias": "conv1.bias",
    "conv2/weight": "conv2.weight",
    "conv2/bias": "conv2.bias",
    "position_encodings/encodings": "embed_positions.weight",
    "layer_norm/gamma": "layer_norm.weight",
    "layer_norm/beta": "layer_norm.bias",
}


def read_ctranslate2(path: Path) -> dict[str, np.ndarray]:
    """All variables of a CTranslate2 model file that lie under `encoder/`. Raises AssetError when it is not such a file."""
    with open(path, "rb") as file:
        if _number(file, "<I") != VERSION:
            raise AssetError(f"{path} is not a CTranslate2 model of binary version {VERSION}: run `emoreason assets verify`")
        name, _ = _string(file), _number(file, "<I")
        if name != "WhisperSpec":
            raise AssetError(f"{path} holds a {name}, not a WhisperSpec")
        variables = {}
        for _ in range(_number(file, "<I")):
            name = _string(file)
            shape = [_number(file, "<I") for _ in range(_number(file, "<B"))]
            dtype, size = _DTYPES[_number(file, "<B")], _number(file, "<I")
            if name.startswith("encoder/"):
                variables[name.removeprefix("encoder/")] = np.frombuffer(file.read(size), dtype).reshape(shape)
            else:
                file.seek(size, os.SEEK_CUR)
    return variables


def to_transformers(variables: dict[str, np.ndarray]) -> tuple[WhisperConfig, dict[str, torch.Tensor]]:
    """Configuration and float16 state dict of a transformers WhisperEncoder."""
    width, mels, _ = variables["conv1/weight"].shape
    layers = sum(name.endswith("/ffn/linear_0/weight") for name in variables)
    config = WhisperConfig(
        d_model=width,
        num_mel_bins=mels,
        encoder_layers=layers,
        encoder_attention_heads=int(variables["num_heads"]),
        encoder_ffn_dim=variables["layer_0/ffn/linear_0/weight"].shape[0],
        max_source_positions=variables["position_encodings/encodings"].shape[0],
        scale_embedding=False,
    )
    state = {ours: variables[theirs] for theirs, ours in _TOP.items()}
    for layer in range(layers):
        state |= {f"layers.{layer}.{ours}": variables[f"layer_{layer}/{theirs}"] for theirs, ours in _LAYER.items()}
        for kind in ("weight", "bias"):
            q, k, v = np.split(variables[f"layer_{layer}/self_attention/linear_0/{kind}"], 3)
            state |= {f"layers.{layer}.self_attn.q_proj.{kind}": q, f"layers.{layer}.self_attn.v_proj.{kind}": v}
            if kind == "weight":  # Whisper's keys have no bias; CTranslate2 stores zeros
                state[f"layers.{layer}.self_attn.k_proj.weight"] = k
    return config, {name: torch.from_numpy(np.array(value, np.float16)) for name, value in state.items()}


def load_whisper_encoder(model_bin: Path, converted: Path) -> WhisperEncoder:
    """The encoder in float32. `converted` is the folder in which the safetensors conversion is kept."""
    file = converted / "encoder.safetensors"
    if not (file.is_file() and (converted / "config.json").is_file()):
        _convert(model_bin, converted)
    encoder = WhisperEncoder(WhisperConfig.from_pretrained(converted))
    encoder.load_state_dict(load_file(file))
    return encoder.float().eval()


def _convert(model_bin: Path, converted: Path) -> None:
    """Under a temporary name first: a killed conversion never counts as done, and two at once do not meet."""
    config, state = to_transformers(read_ctranslate2(model_bin))
    converted.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=converted) as folder:
        config.save_pretrained(folder)
        save_file(state, Path(folder) / "encoder.safetensors")
        for name in ("config.json", "encoder.safetensors"):
            os.replace(Path(folder) / name, converted / name)


def _number(file: BinaryIO, kind: str) -> int:
    return struct.unpack(kind, file.read(struct.calcsize(kind)))[0]


def _string(file: BinaryIO) -> str:
    return file.read(_number(file, "<H"))[:-1].decode()
