"""Stage 0 for faces: first FER+ alone, then a short joint training with CK+.

The first phase never sees CK+, so it is the protocol leave:ckplus48 as it stands. The second starts from it, rehearses FER+ and
learns people's coding of action units; the held-apart fold of CK+ subjects never takes part in what is shipped.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from emoreason.errors import ConfigError
from emoreason.model.config import HEADS, FaceConfig
from emoreason.model.face import FaceRegionEncoder
from emoreason.model.heads import Head
from emoreason.model.modeling import new_trunk
from emoreason.training.checkpoint import save_file_whole
from emoreason.training.face_augment import Strength
from emoreason.training.face_batches import Collate, FaceClips, Source
from emoreason.training.face_data import HELD_APART, MARGIN, SIDE, Faces, build_faces
from emoreason.training.face_model import FaceTraining
from emoreason.training.face_scores import accuracy, decide, predict, uar
from emoreason.training.fit import Fitted, Progress, Schedule, fit
from emoreason.training.parts import save_parts

DATASETS = ("ferplus", "ckplus48", "ckplus_neutral_peak")
WHOLE = "whole.safetensors"  # with the auxiliary heads, for the next phase; written last
PARTS = ("face.trunk", "face", "heads.emotion", "heads.action_units")


@dataclass(frozen=True)
class Phase:
    """Its schedule, learning rates of trunk and rest, how much the pictures are changed, and the share of the weights it started
    from in those it ends with: Wortsman et al. (2022), Robust fine-tuning of zero-shot models."""

    schedule: Schedule
    trunk_lr: float
    lr: float
    strength: Strength = Strength()
    kept: float = 0.0


ALONE = Phase(Schedule(steps=4200, batch=112, ema=0.9985, evaluate_every=600, save_every_s=120), 1.5e-3, 1.5e-3)
# On FER+ valid, accuracy / UAR: 0.862 / 0.639 before the joint phase, 0.864 / 0.655 after it.
JOINT = Phase(Schedule(steps=800, batch=112, ema=0.995, warmup=0.1, save_every_s=120), 1e-4, 4e-4, kept=0.2)


def prepare(roots: Mapping[str, Path], store: Path, folder: Path, progress=None) -> dict[str, Faces]:
    """The three data sets, prepared in `folder` from the observations in `store`. `roots`: data set -> its folder."""
    return {name: build_faces(name, roots[name], store, folder, progress=progress) for name in DATASETS}


def new_training(config: FaceConfig, seed: int) -> FaceTraining:
    """New weights in every part. Raises ConfigError where the prepared crops would not fit the encoder."""
    if (config.image_size, config.margin) != (SIDE, MARGIN):
        asked = f"{config.image_size} and {config.margin}"
        raise ConfigError(f"faces are prepared for {SIDE} pixels and a margin of {MARGIN}, the encoder wants {asked}")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        shape = (config.dim, config.heads, config.layers, config.dynamics, config.dropout)
        heads = {spec.name: Head(spec, config.dim) for spec in HEADS if spec.part == "face"}
        return FaceTraining(FaceRegionEncoder(new_trunk(config), *shape), heads["emotion"], heads["action_units"])


def alone(config: FaceConfig, faces: Mapping[str, Faces], folder: Path, phase: Phase = ALONE, progress: Progress | None = None):
    """FER+ only. The model is saved as parts in `folder` when it is done; a finished one is only loaded."""
    fer = faces["ferplus"]
    train = fer.split("train")
    sources = [Source(train, "still", 0.95), Source(train, "turns", 0.05)]
    return _trained(new_training(config, phase.schedule.seed), sources, fer.split("valid"), phase, folder, progress)


def joint(
    start: FaceTraining,
    faces: Mapping[str, Faces],
    folder: Path,
    without: tuple[int, ...] = (HELD_APART,),
    phase: Phase = JOINT,
    progress: Progress | None = None,
) -> FaceTraining:
    """From the weights of `start`: FER+ again, with all subjects of CK+ but the folds `without`."""
    fer, peaks, pairs = (faces[name] for name in DATASETS)
    peaks, pairs = (some.where(~torch.isin(some["fold"], torch.tensor(without))) for some in (peaks, pairs))
    train = fer.split("train")
    sources = [
        Source(train, "still", 0.45),
        Source(train, "turns", 0.04),
        Source(peaks, "still", 0.2),
        Source(peaks, "last", 0.06),
        Source(pairs, "still", 0.15),
        Source(pairs, "course", 0.1),
    ]
    return _trained(start, sources, fer.split("valid"), phase, folder, progress)


def _trained(
    model: FaceTraining, sources: list[Source], valid: Faces, phase: Phase, folder: Path, progress: Progress | None
) -> FaceTraining:
    whole = folder / WHOLE
    if whole.is_file():
        model.load_state_dict(load_file(whole))
        return model.eval()
    start = {name: value.clone() for name, value in model.state_dict().items() if value.is_floating_point()}
    fitted = train(model, sources, valid, phase, folder, progress)
    if fitted.finished:
        prior = model.emotion.log_prior.clone()
        with torch.no_grad():
            for name, value in model.state_dict().items():
                if name in start:
                    value.lerp_(start[name], phase.kept)
        model.emotion.log_prior.copy_(prior)
        calibrate(model, valid)
        save_parts(model, PARTS, folder, info={"valid": scores(model, valid)})
        (folder / "history.json").write_text(json.dumps(fitted.history, indent=1), encoding="utf-8")
        save_file_whole(model.state_dict(), whole)
    return model


def train(
    model: FaceTraining, sources: list[Source], valid: Faces, phase: Phase, folder: Path, progress: Progress | None = None
) -> Fitted:
    """Train on the sources; `valid` chooses. Sets the emotion head's prior. Goes on from a checkpoint in `folder`."""
    clips = FaceClips(sources, phase.schedule.seed)
    model.emotion.set_prior(clips.prior())
    trunk = list(model.face.trunk.parameters())
    inside = {id(parameter) for parameter in trunk}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in inside]
    groups = [{"name": "trunk", "params": trunk, "lr": phase.trunk_lr}, {"name": "rest", "params": rest, "lr": phase.lr}]
    collate = Collate(phase.strength)
    return fit(model, clips, collate, phase.schedule, folder, groups, lambda: scores(model, valid), "score", progress)


def natural(faces: Faces) -> Tensor:
    """[E] mean shares of the labelled pictures."""
    labels = faces["emotion"]
    return labels[~labels.isnan().any(1)].mean(0)


def scores(model: FaceTraining, faces: Faces, wanted: Tensor | None = None) -> dict[str, float]:
    """Of pictures with a majority: accuracy and UAR where emotions are as frequent as `wanted` [E] (None: as in `faces`), both
    again where all are equally so, and the mean of the first two, by which weights are chosen."""
    clear = faces.where(faces["majority"] >= 0)
    logits, _ = predict(model, clear, bf16=True)
    truth, prior = clear["majority"].long(), model.emotion.log_prior
    home = decide(logits, prior, natural(clear) if wanted is None else wanted)
    even = decide(logits, prior)
    out = {"accuracy": accuracy(home, truth), "uar": uar(home, truth)}
    return out | {"accuracy_even": accuracy(even, truth), "uar_even": uar(even, truth), "score": sum(out.values()) / 2}


def calibrate(model: FaceTraining, valid: Faces) -> None:
    """Set the emotion head's temperature: that of the least cross-entropy to the votes, with the prior exchanged for valid's."""
    labelled = valid.where(~valid["emotion"].isnan().any(1))
    logits, _ = predict(model, labelled, bf16=True)
    change = natural(labelled).clamp_min(1e-6).log() - model.emotion.log_prior
    candidates = torch.linspace(0.5, 2.5, 81)
    losses = torch.stack(
        [-(labelled["emotion"] * (logits / t + change).log_softmax(1)).sum(1).mean() for t in candidates]
    )
    model.emotion.temperature.fill_(float(candidates[losses.argmin()]))
