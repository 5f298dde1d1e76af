"""Training of the face encoder and its heads, phase by phase (settings.face.FacePhaseSettings)."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from emoreason.labels.action_units import AUS
from emoreason.model.config import HEADS, FaceConfig
from emoreason.model.face import FaceRegionEncoder
from emoreason.model.heads import Head
from emoreason.model.modeling import new_trunk
from emoreason.training.face.batches import Collate, FaceClips, Source
from emoreason.training.face.data import Faces, softened
from emoreason.training.face.model import FaceTraining
from emoreason.training.face.scores import natural, predict
from emoreason.training.face.teacher import PARTS, fill, taught
from emoreason.training.face.validation import Validation, validation_of
from emoreason.training.fit import Fitted, Progress, fit
from emoreason.training.parts import save_parts
from emoreason.training.phases import copied, keep, train_phases
from emoreason.training.settings.face import FaceLoss, FacePhaseSettings, FaceSettings

MOST_POSITIVE = 8.0  # a unit that is shown counts so much at most: of the rarest ones CK+ has a dozen pictures


def new_training(config: FaceConfig, loss: FaceLoss, seed: int) -> FaceTraining:
    """New weights in every part."""
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
        if phase.start:
            fill(model, phase.start, place.parent)
        start, valid = copied(model) if phase.kept else {}, validation_of(phase, faces)
        sources = taught(sources_of(phase, settings, faces), model, phase.teacher, place.parent, place)
        fitted = train(model, phase, sources, valid, seed, place, progress)
        if fitted.finished:
            keep(model, start, phase.kept)
            calibrate(model, valid.calibrates)
            save_parts(model, PARTS, place, info={"valid": valid.scores(model)})
            (place / "history.json").write_text(json.dumps(fitted.history, indent=1), encoding="utf-8")
        return fitted.finished

    return train_phases(model, settings.phases, places, one)


def sources_of(phase: FacePhaseSettings, settings: FaceSettings, faces: Mapping[str, Faces]) -> list[Source]:
    """What the phase draws from: of each data set the splits that are learned from, its doubtful labels softened."""
    names = dict.fromkeys(source.data for source in phase.sources)
    learned = {name: softened(faces[name].split(*settings.data[name].train), settings.data[name]) for name in names}
    return [Source(learned[source.data], source.clip, source.weight) for source in phase.sources]


def train(
    model: FaceTraining, phase: FacePhaseSettings, sources: list[Source], valid: Validation, seed: int, folder: Path,
    progress: Progress | None = None,
) -> Fitted:  # fmt: skip
    """One phase; `valid` chooses. Sets what the emotion head expects. Goes on from a checkpoint in `folder`."""
    plan = phase.plan(seed)
    clips = FaceClips(sources, phase.clips, phase.balance, plan.seed)
    model.expect(phase.loss, clips.prior(phase.prior), positive_weights(phase.loss, sources))
    trunk = list(model.face.trunk.parameters())
    inside = {id(parameter) for parameter in trunk}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in inside]
    groups = [{"name": "trunk", "params": trunk, "lr": phase.lr.trunk}, {"name": "rest", "params": rest, "lr": phase.lr.rest}]
    collate = Collate(phase.augment, sources[0].faces.side)
    return fit(model, clips, collate, plan, folder, groups, lambda: valid.scores(model), "score", progress)


def positive_weights(loss: FaceLoss, sources: Sequence[Source]) -> Tensor:
    """[A] weight of a coded unit where it is shown: a number for all, or how much rarer it is than not shown, 1 to 8."""
    if loss.positive != "balanced":
        return torch.full((len(AUS),), float(loss.positive))
    coded = torch.cat([faces["aus"] for faces in {source.faces.dataset: source.faces for source in sources}.values()])
    shown, absent = ((coded == value).sum(0).float() for value in (1, 0))
    return (absent / shown.clamp_min(1)).clamp(1, MOST_POSITIVE)


def calibrate(model: FaceTraining, valid: Faces) -> None:
    """Set the emotion head's temperature: that of the least cross-entropy to the votes, with the prior exchanged for valid's."""
    labelled = valid.where(~valid["emotion"].isnan().any(1))
    logits, _ = predict(model, labelled)
    change = natural(labelled).clamp_min(1e-6).log() - model.emotion.log_prior
    candidates = torch.linspace(0.5, 2.5, 81)
    losses = torch.stack([-(labelled["emotion"] * (logits / t + change).log_softmax(1)).sum(1).mean() for t in candidates])
    model.emotion.temperature.fill_(float(candidates[losses.argmin()]))
