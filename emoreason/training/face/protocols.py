"""The figures of the stage `face` as it is shipped: FER+ test, cross-validation on CK+ by subject, CK+ unseen, and news
photographs unseen and seen.

Nothing is chosen here; everything was chosen on validation splits and on folds 0 to 3 of CK+.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from emoreason.errors import ConfigError
from emoreason.instructions.leaks import hash_media
from emoreason.instructions.readers import Failure, read
from emoreason.instructions.recipe import load_recipe
from emoreason.labels.emotions import EMOTIONS
from emoreason.scoring.metrics.calibration import ece
from emoreason.training.face.data import FOLDS, SPLITS, Faces
from emoreason.training.face.model import FaceTraining
from emoreason.training.face.scores import accuracy, decide, interval, mean_f1, natural, predict, uar
from emoreason.training.face.training import train_face
from emoreason.training.fit import Progress
from emoreason.training.phases import check_finished, places_of
from emoreason.training.settings.face import FaceSettings

CK_SETS = ("ckplus48", "ckplus_neutral_peak")
TRAIN, TEST = SPLITS.index("train"), SPLITS.index("test")
PROTOCOLS = ("cv", "leave:ckplus48", "leave:lfw_emotion")
NEUTRAL = EMOTIONS.index("neutral")
PHOTOGRAPHED = ("neutral", "happiness", "surprise", "anger", "sadness")  # the others have fewer than a dozen pictures each
CK_EMOTIONS = tuple(emotion for emotion in EMOTIONS if emotion != "neutral")
SHARED = tuple(emotion for emotion in CK_EMOTIONS if emotion != "contempt")


def run_protocol(
    name: str, model: FaceTraining, settings: FaceSettings, faces: Mapping[str, Faces], seed: int, folder: Path,
    progress: Progress | None = None,
) -> dict:  # fmt: skip
    """`cv` and `leave:ckplus48`, both from the phases that never see CK+, or `leave:lfw_emotion`, from those that see no news
    photographs and then from all; the phases are those of the stage that trains in `folder`.

    Raises ValueError for another name, ConfigError where the first phase sees the set, TrainingError when a training was stopped.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"no protocol for faces is called '{name}': {', '.join(PROTOCOLS)}")
    photographs = [key for key, one in settings.data.items() if one.recipe == "lfw_emotion"]
    blind, seeing = without(settings, photographs if name == "leave:lfw_emotion" else CK_SETS)
    places = places_of(settings.phases, folder)
    first = places[: len(blind.phases)]
    check_finished(train_face(model, blind, faces, seed, first, progress), first)
    if name == "leave:ckplus48":
        return left_out(model, faces["ckplus48"])
    if name == "cv":
        return cross_validated(model, seeing, faces, seed, folder / "cv", progress)
    home_set, [away] = faces[settings.phases[0].prior], photographs
    out = {"without": validated(model, home_set, faces[away])}
    check_finished(train_face(model, settings, faces, seed, places, progress), places)
    return out | {"with": validated(model, home_set, faces[away])}


def without(settings: FaceSettings, names: Collection[str]) -> tuple[FaceSettings, FaceSettings]:
    """(the leading phases that learn from none of these data sets, the phases after them)."""
    sees = [any(source.data in names for source in phase.sources) for phase in settings.phases]
    first = sees.index(True) if True in sees else len(sees)
    if not 0 < first < len(sees):
        raise ConfigError(f"the protocol needs a phase without {', '.join(names)} and one with some of them after it")
    return tuple(settings.model_copy(update={"phases": some}) for some in (settings.phases[:first], settings.phases[first:]))


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
    """CK+ by a model that never learned from it: all emotions but contempt, the training prior divided out. Once with all eight
    emotions to choose from, once among those six, and these again on the fold of subjects that chose nothing either."""
    peaks = peaks.where(peaks["majority"] != EMOTIONS.index("contempt"))
    out = {kind: _judged(model, peaks, among) for kind, among in (("of_8", EMOTIONS), ("of_6", SHARED))}
    apart = peaks.split("test")
    return out | ({"of_6_apart": _judged(model, apart, SHARED)} if len(apart) else {})


def _judged(model: FaceTraining, faces: Faces, among: Sequence[str]) -> dict:
    chosen = decide(predict(model, faces)[0], model.emotion.log_prior, among=among)
    return _both(chosen, faces["majority"].long(), faces.groups)


def validated(model: FaceTraining, home_set: Faces, away: Faces) -> dict:
    """What can be asked of the validation splits of the data set at home and of news photographs, all emotions equally frequent:
    accuracy, UAR and recall of the photographs' five emotions, chosen among all eight (`of_8`) and among the five (`of_5`); the
    share of neutral faces that are given a feeling; the calibration error of the head, emotions as frequent as in the set."""
    five = torch.tensor([EMOTIONS.index(emotion) for emotion in PHOTOGRAPHED])
    valid = {"home": home_set.split("valid"), "away": away.split("valid")}
    valid["home"] = valid["home"].where(valid["home"]["majority"] >= 0)
    valid["away"] = valid["away"].where(torch.isin(valid["away"]["majority"].long(), five))
    out = {"away_of_8": _judged(model, valid["away"], EMOTIONS), "away_of_5": _judged(model, valid["away"], PHOTOGRAPHED)}
    for name, faces in valid.items():
        logits, truth = predict(model, faces)[0], faces["majority"].long()
        neutral, prior = truth == NEUTRAL, model.emotion.log_prior
        felt = {kind: decide(logits, prior, wanted) != NEUTRAL for kind, wanted in (("even", None), ("own", natural(faces)))}
        out[name] = {"n": len(truth), "neutral": int(neutral.sum())}
        out[name] |= {f"neutral_given_a_feeling_{kind}": float(given[neutral].float().mean()) for kind, given in felt.items()}
        expected = model.emotion.log_evidence(logits) + natural(faces).clamp_min(1e-6).log()
        sure, chosen = expected.softmax(1).max(1)
        out[name]["calibration_error"] = ece(sure.numpy(), (chosen == truth).numpy())
    return out


def cross_validated(
    start: FaceTraining, settings: FaceSettings, faces: Mapping[str, Faces], seed: int, folder: Path,
    progress: Progress | None = None,
) -> dict:  # fmt: skip
    """Five trainings from the same start, each without one fold of CK+'s subjects, which it then judges."""
    saved = {name: value.clone() for name, value in start.state_dict().items()}
    peaks, emotion, units = faces["ckplus48"], [], []
    order = torch.argsort(peaks["fold"], stable=True)
    for fold in range(FOLDS):
        start.load_state_dict(saved)
        places = places_of(settings.phases, folder / f"without-{fold}")
        others = {**faces, **{name: refolded(faces[name], fold) for name in CK_SETS}}
        check_finished(train_face(start, settings, others, seed, places, progress), places)
        logits, au = predict(start, peaks.where(peaks["fold"] == fold))
        emotion.append(logits - start.emotion.log_prior)
        units.append(au)
    start.load_state_dict(saved)
    ids, groups = (tuple(names[i] for i in order) for names in (peaks.ids, peaks.groups))
    arrays = {name: values[order] for name, values in peaks.arrays.items()}
    return judged_peaks(torch.cat(emotion), torch.cat(units), replace(peaks, ids=ids, groups=groups, arrays=arrays))


def refolded(faces: Faces, fold: int) -> Faces:
    """The subjects of one fold in "test", all others in "train"."""
    return replace(faces, arrays=faces.arrays | {"split": torch.where(faces["fold"] == fold, TEST, TRAIN).to(torch.int8)})


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
