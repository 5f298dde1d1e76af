"""Training of the face encoder and its heads, phase by phase (settings.face.FacePhaseSettings)."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from emoreason.errors import ConfigError
from emoreason.model.config import HEADS, FaceConfig
from emoreason.model.face import FaceRegionEncoder
from emoreason.model.heads import Head
from emoreason.model.modeling import new_trunk
from emoreason.training.face.batches import Collate, FaceClips, Source
from emoreason.training.face.data import MARGIN, SIDE, Faces, together
from emoreason.training.face.model import FaceTraining
from emoreason.training.face.scores import accuracy, decide, predict, uar
from emoreason.training.fit import Fitted, Progress, fit
from emoreason.training.parts import save_parts
from emoreason.training.phases import copied, keep, train_phases
from emoreason.training.settings.face import FaceLoss, FacePhaseSettings, FaceSettings

PARTS = ("face.trunk", "face", "heads.emotion", "heads.action_units")


def new_training(config: FaceConfig, loss: FaceLoss, seed: int) -> FaceTraining:
    """New weights in every part. Raises ConfigError where the prepared crops would not fit the encoder."""
    if (config.image_size, config.margin) != (SIDE, MARGIN):
        asked = f"{config.image_size} and {config.margin}"
        raise ConfigError(f"faces are prepared for {SIDE} pixels and a margin of {MARGIN}, the encoder wants {asked}")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        shape = (config.dim, config.heads, config.layers, config.dynamics, config.dropout)
        heads = {spec.name: Head(spec, config.dim) for spec in HEADS if spec.part == "face"}
        return FaceTraining(FaceRegionEncoder(new_trunk(config), *shape), heads["emotion"], heads["action_units"], loss)


def train_face(
    model: FaceTraining, settings: FaceSettings, faces: Mapping[str, Faces], seed: int, places: Sequence[Path],
    progress: Progress | None = None,
) -> bool:  # fmt: skip
    """All phases, each in its place (phases.places_of); their parts, figures and history are saved when they are done.

    faces: by the names under `data`. Returns whether all are finished.
    """

    def one(phase: FacePhaseSettings, place: Path) -> bool:
        start, valid = copied(model) if phase.kept else {}, validation_of(phase, faces)
        fitted = train(model, phase, sources_of(phase, settings, faces), valid, seed, place, progress)
        if fitted.finished:
            keep(model, start, phase.kept)
            calibrate(model, valid)
            save_parts(model, PARTS, place, info={"valid": scores(model, valid)})
            (place / "history.json").write_text(json.dumps(fitted.history, indent=1), encoding="utf-8")
        return fitted.finished

    return train_phases(model, settings.phases, places, one)


def sources_of(phase: FacePhaseSettings, settings: FaceSettings, faces: Mapping[str, Faces]) -> list[Source]:
    """What the phase draws from: of each data set the splits that are learned from."""
    names = dict.fromkeys(source.data for source in phase.sources)
    learned = {name: faces[name].split(*settings.data[name].train) for name in names}
    return [Source(learned[source.data], source.clip, source.weight) for source in phase.sources]


def validation_of(phase: FacePhaseSettings, faces: Mapping[str, Faces]) -> Faces:
    """The pictures that choose among the weights. Raises ConfigError where none of them shows a clear emotion."""
    valid = together([faces[name].split("valid") for name in phase.validation])
    if not (valid["majority"] >= 0).any():
        sets = ", ".join(phase.validation)
        raise ConfigError(f"phase '{phase.name}': no picture in the split valid of {sets} is labelled with an emotion")
    return valid


def train(
    model: FaceTraining, phase: FacePhaseSettings, sources: list[Source], valid: Faces, seed: int, folder: Path,
    progress: Progress | None = None,
) -> Fitted:  # fmt: skip
    """One phase; `valid` chooses. Sets the emotion head's prior. Goes on from a checkpoint in `folder`."""
    plan, model.loss = phase.plan(seed), phase.loss
    clips = FaceClips(sources, phase.clips, phase.balance, plan.seed)
    model.emotion.set_prior(clips.prior(phase.prior))
    trunk = list(model.face.trunk.parameters())
    inside = {id(parameter) for parameter in trunk}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in inside]
    groups = [{"name": "trunk", "params": trunk, "lr": phase.lr.trunk}, {"name": "rest", "params": rest, "lr": phase.lr.rest}]
    return fit(model, clips, Collate(phase.augment), plan, folder, groups, lambda: scores(model, valid), "score", progress)


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
