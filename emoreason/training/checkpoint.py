"""Checkpoints of a training under way: safetensors and JSON, whole or not at all, the earlier one deleted only afterwards."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from emoreason.errors import ConfigError, EnvironmentProblem

STATE = "state.json"
_STEP = "step-"


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """What training changes: parameters that train, and the saved buffers (running statistics) of modules that hold any."""
    names = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    for prefix, module in model.named_modules():
        if any(parameter.requires_grad for parameter in module.parameters()):
            inside = f"{prefix}." if prefix else ""
            kept = dict(module.named_buffers(recurse=False)).keys() - module._non_persistent_buffers_set
            names |= {inside + name for name in kept}
    return {name: value.detach() for name, value in model.state_dict().items() if name in names}


def load_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy into the model in place. Raises ConfigError where something else trains now than then."""
    here = trained_state(model)
    if differing := sorted(here.keys() ^ state.keys()):
        raise ConfigError(f"the checkpoint was made by a model that trains other parts (first difference: {differing[0]})")
    for name, value in state.items():
        if here[name].shape != value.shape:
            raise ConfigError(f"checkpoint: {name} is {list(value.shape)}, the model's {list(here[name].shape)}")
        here[name].copy_(value)


def save(folder: Path, step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]) -> Path:
    """Write `folder/step-N`, one safetensors file per entry of `tensors`; the earlier ones go once this one is on the disk.

    Raises EnvironmentProblem when it cannot be written; the earlier one is then still there.
    """
    final, partial = folder / f"{_STEP}{step:08d}", folder / f".part-{_STEP}{step:08d}"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, values in tensors.items():
            save_file({key: value.contiguous().cpu() for key, value in values.items()}, partial / f"{name}.safetensors")
        (partial / STATE).write_text(json.dumps(dict(state), indent=1), encoding="utf-8")
        for file in (*partial.iterdir(), partial):
            _to_disk(file)
        partial.rename(final)
        _to_disk(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        kept = latest(folder)
        raise EnvironmentProblem(
            f"{final}: the checkpoint cannot be written ({' '.join(str(error).split())}); "
            f"{'the last one is ' + str(kept) if kept else 'there is no earlier one'}; make room and resume"
        ) from error
    for old in folder.glob(f"{_STEP}*"):
        if old != final:
            shutil.rmtree(old)
    return final


def save_file_whole(values: Mapping[str, Tensor], file: Path) -> None:
    """One safetensors file, replaced in one step. Raises EnvironmentProblem; the earlier file is then still there."""
    partial = file.with_name(f".part-{file.name}")
    try:
        save_file({key: value.contiguous().cpu() for key, value in values.items()}, partial)
        _to_disk(partial)
        os.replace(partial, file)
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        raise EnvironmentProblem(f"{file} cannot be written ({' '.join(str(error).split())}); make room and resume") from error


def latest(folder: Path) -> Path | None:
    """The newest whole checkpoint below `folder`."""
    found = sorted(path for path in folder.glob(f"{_STEP}*") if (path / STATE).is_file())
    return found[-1] if found else None


def load(checkpoint: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """(tensors by file name, state) of what `save` wrote."""
    state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    return {file.stem: load_file(file) for file in sorted(checkpoint.glob("*.safetensors"))}, state


def flat_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Its state as named tensors: `<parameter number>.<name>`."""
    state = optimizer.state_dict()["state"]
    return {f"{number}.{name}": torch.as_tensor(value) for number, entry in state.items() for name, value in entry.items()}


def fill_optimizer(optimizer: torch.optim.Optimizer, flat: Mapping[str, Tensor]) -> None:
    """The inverse of `flat_optimizer`, in place."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in flat.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
