"""The figures of stage 0 for faces: FER+ test, cross-validation on CK+ by subject, and CK+ unseen.

Nothing is chosen here; everything was chosen on FER+ valid and on fold 3 of CK+.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from emoreason.errors import TrainingError
from emoreason.instructions.leaks import hash_media
from emoreason.instructions.readers import Failure, read
from emoreason.instructions.recipe import load_recipe
from emoreason.labels.emotions import EMOTIONS
from emoreason.training.face_data import FOLDS, Faces
from emoreason.training.face_model import FaceTraining
from emoreason.training.face_scores import accuracy, decide, interval, mean_f1, predict, uar
from emoreason.training.face_stage import JOINT, Phase, alone, joint, natural
from emoreason.training.fit import Progress
from emoreason.training.parts import INDEX

CK_EMOTIONS = tuple(emotion for emotion in EMOTIONS if emotion != "neutral")
SHARED = tuple(emotion for emotion in CK_EMOTIONS if emotion != "contempt")


def run_protocol(
    name: str, config, faces: Mapping[str, Faces], folder: Path, phase: Phase = JOINT, progress: Progress | None = None
) -> dict:
    """`cv` or `leave:ckplus48`, both from the phase that never sees CK+, trained in `folder`/alone unless it is there already.

    Raises ValueError for another name, TrainingError when a training was stopped.
    """
    start = alone(config, faces, folder / "alone", progress=progress)
    _check_finished(folder / "alone")
    if name == "leave:ckplus48":
        return left_out(start, faces["ckplus48"])
    if name != "cv":
        raise ValueError(f"no protocol for faces is called '{name}': cv, leave:ckplus48")
    return cross_validated(start, faces, folder / "cv", phase, progress)


def home(model: FaceTraining, faces: Faces, repeated: set[str] = frozenset()) -> dict:
    """FER+ test, pictures with a majority, where emotions are expected as often as in FER+ train (`home`), equally often (`even`)
    and as often as is best for accuracy + UAR on FER+ valid (`between`, a power of `home`). `repeated`: ids that also occur in
    other splits; scores without them beside."""
    wanted, prior = natural(faces.split("train")), model.emotion.log_prior
    logits, truth, ids = _clear(model, faces.split("test"))
    power = _best_power(*_clear(model, faces.split("valid"))[:2], prior, wanted)
    own = torch.tensor([name not in repeated for name in ids])
    out = {"power": power}
    for kind, expected in (("home", wanted), ("between", wanted**power), ("even", None)):
        chosen = decide(logits, prior, expected)
        out[kind] = _both(chosen, truth, ids)
        if repeated:
            rest = [name for name in ids if name not in repeated]
            out[f"{kind}_without_repeated"] = _both(chosen[own], truth[own], rest)
    return out


def _clear(model: FaceTraining, faces: Faces) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Logits [N, E], truth [N] and ids of the pictures with a majority."""
    clear = faces.where(faces["majority"] >= 0)
    return predict(model, clear)[0], clear["majority"].long(), clear.ids


def _best_power(logits: Tensor, truth: Tensor, prior: Tensor, wanted: Tensor) -> float:
    powers = [step / 10 for step in range(11)]
    chosen = [decide(logits, prior, wanted**power) for power in powers]
    return max(zip(powers, chosen, strict=True), key=lambda pair: accuracy(pair[1], truth) + uar(pair[1], truth))[0]


def left_out(model: FaceTraining, peaks: Faces) -> dict:
    """CK+ by a model that never saw it: all emotions but contempt, the training prior divided out. Once with all eight emotions
    to choose from, once among those six."""
    peaks = peaks.where(peaks["majority"] != EMOTIONS.index("contempt"))
    logits, _ = predict(model, peaks)
    truth, prior = peaks["majority"].long(), model.emotion.log_prior
    given = {"of_8": decide(logits, prior), "of_6": decide(logits, prior, among=SHARED)}
    return {kind: _both(chosen, truth, peaks.groups) for kind, chosen in given.items()}


def cross_validated(
    start: FaceTraining, faces: Mapping[str, Faces], folder: Path, phase: Phase = JOINT, progress: Progress | None = None
) -> dict:
    """Five joint trainings from the same start, each without one fold of subjects, which it then judges."""
    saved = {name: value.clone() for name, value in start.state_dict().items()}
    peaks, emotion, units = faces["ckplus48"], [], []
    order = torch.argsort(peaks["fold"], stable=True)
    for fold in range(FOLDS):
        start.load_state_dict(saved)
        model = joint(start, faces, folder / f"without-{fold}", (fold,), phase, progress)
        _check_finished(folder / f"without-{fold}")
        logits, au = predict(model, peaks.where(peaks["fold"] == fold))
        emotion.append(logits - model.emotion.log_prior)
        units.append(au)
    start.load_state_dict(saved)
    judged = Faces(peaks.dataset, *([names[i] for i in order] for names in (peaks.ids, peaks.groups)),
                   {name: values[order] for name, values in peaks.arrays.items()})  # fmt: skip
    return judged_peaks(torch.cat(emotion), torch.cat(units), judged)


def _check_finished(folder: Path) -> None:
    if not (folder / INDEX).is_file():
        raise TrainingError(f"{folder}: stopped; what was trained is saved: start again to go on")


def judged_peaks(evidence: Tensor, units: Tensor, peaks: Faces) -> dict:
    """Emotion (of CK+'s seven, and of all eight) and units of CK+ peaks: evidence [N, E] without prior, unit logits [N, A]."""
    truth, none = peaks["majority"].long(), torch.zeros(len(EMOTIONS))
    given = {"of_7": decide(evidence, none, among=CK_EMOTIONS), "of_8": decide(evidence, none)}
    out = {kind: _both(chosen, truth, peaks.groups) for kind, chosen in given.items()}
    probabilities, coded = units.sigmoid(), peaks["aus"]
    score, each = mean_f1(probabilities, coded)

    def again(places):
        return mean_f1(probabilities[places], coded[places])[0]

    return out | {"au_f1": {"mean": score, "interval": interval(again, peaks.groups), "units": each}}


def repeated_test_pictures(root: Path) -> set[str]:
    """Ids of FER+ test pictures that occur pixel for pixel in another split, too."""
    records = [record for record in read(load_recipe("ferplus"), root) if not isinstance(record, Failure)]
    hashes = hash_media(records, root)
    elsewhere = {hashes[record.media.image] for record in records if record.split != "test"}
    return {record.id for record in records if record.split == "test" and hashes[record.media.image] in elsewhere}


def _both(chosen: Tensor, truth: Tensor, groups) -> dict:
    out = {"n": len(truth)}
    for name, score in (("accuracy", accuracy), ("uar", uar)):
        out[name] = score(chosen, truth)
        out[f"{name}_interval"] = interval(lambda places, score=score: score(chosen[places], truth[places]), groups)
    recalls = {EMOTIONS[k]: float((chosen[truth == k] == k).float().mean()) for k in truth.unique().tolist()}
    return out | {"recall": recalls}
