"""Phases of a stage: each in a folder of its own, from the weights that the one before ended with; the last one in `final`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from emoreason.errors import ConfigError, TrainingError
from emoreason.training.checkpoint import save_file_whole
from emoreason.training.parts import FINAL
from emoreason.training.settings.base import PhaseSettings

WHOLE = "whole.safetensors"  # all that is not frozen, heads of no later use included, for the next phase; written last
Phase = TypeVar("Phase", bound=PhaseSettings)


def places_of(phases: Sequence[Phase], folder: Path) -> list[Path]:
    """The folder of each phase of a stage."""
    return [*(folder / phase.name for phase in phases[:-1]), folder / FINAL]


def train_phases(model: nn.Module, phases: Sequence[Phase], places: Sequence[Path], train: Callable[[Phase, Path], bool]) -> bool:
    """Train each phase by `train(phase, its place)`, which tells whether it was finished; those that are finished are only
    loaded.

    Returns whether all are: SIGTERM leaves a checkpoint in a phase's place. The model ends in eval mode, with the last weights.
    """
    for phase, place in zip(phases, places, strict=True):
        if (place / WHOLE).is_file():
            load_whole(model, place / WHOLE)
        elif train(phase, place):
            save_file_whole(unfrozen(model), place / WHOLE)
        else:
            return False
    model.eval()
    return True


def check_finished(finished: bool, places: Sequence[Path]) -> None:
    """Raises TrainingError where a training was stopped: for those who would go on to judge by its weights."""
    if not finished:
        stopped = next(place for place in places if not (place / WHOLE).is_file())
        raise TrainingError(f"{stopped}: stopped; what was trained is saved: start again to go on")


def unfrozen(model: nn.Module) -> dict[str, Tensor]:
    """The model's state but for parameters that never train."""
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    return {name: value for name, value in model.state_dict().items() if name not in frozen}


def copied(model: nn.Module) -> dict[str, Tensor]:
    """A copy of what `kept` may keep of the weights that a phase starts from."""
    return {name: value.clone() for name, value in unfrozen(model).items() if value.is_floating_point()}


def load_whole(model: nn.Module, file: Path) -> None:
    """Fill all that is not frozen from a file of a finished phase. Raises ConfigError for one of another model."""
    saved = load_file(file)
    if differing := sorted(saved.keys() ^ unfrozen(model).keys()):
        raise ConfigError(f"{file} is of another model (first difference: {differing[0]}); train into another folder")
    model.load_state_dict(saved, strict=False)


@torch.no_grad()
def keep(model: nn.Module, start: Mapping[str, Tensor], share: float) -> None:
    """Mix `share` of the starting weights into the model's; priors stay those of the phase."""
    state = model.state_dict()
    for name, value in start.items():
        if not name.endswith(".log_prior"):
            state[name].lerp_(value, share)
