#!/usr/bin/env python
"""Fit the action-unit table on human FACS codes, and say how good it is on people it never saw.

    scripts/measure_action_units.py fit       rewrites emoreason/perception/au_map.json from CK+ folds 1-4 and FER+ training faces
    scripts/measure_action_units.py report    prints, per unit, AP and F1 on CK+ fold 5 and false activations on neutral faces

Data: ckplus48 and fer2013_ferplus under --data (default $EMOREASON_DATA, else ../shared/data). Landmarks are kept in --cache.
"""

import argparse
import hashlib
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.optimize import minimize
from sklearn.metrics import average_precision_score

from emoreason.labels.action_units import ACTIVE, BLENDSHAPES
from emoreason.perception.action_units import AU_MAP, FEATURES, AuMap, feature_columns, intensity, trusted
from emoreason.perception.geometry import measure
from emoreason.perception.landmarker import Landmarker

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "emoreason" / "perception" / "au_map.json"
HELD_OUT = 4  # counted from 0: "fold 5"
TYPICAL_PEAK = np.log(0.6 / 0.4 * (1 / ACTIVE - 1))  # logit whose intensity is 0.6
QUIET = 0.15  # largest share of FER+ neutral faces (48 pixels, any pose) that may be active in a single picture
# Of these the largest whose average precision in cross-validation is within AP_TIE of the best. A strong one shares weight among
# measurements that say the same: CK+ alone would do with the mouth corners' place and drop the smile shape, but on other
# people's resting mouths the two together err less.
RIDGES, AP_TIE = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1), 0.01

# The measurements that each unit's muscle moves, and the direction: + grows, - shrinks, ~ either.
CANDIDATES = {
    "AU01": "+browInnerUp +brow_inner_height* -brow_outer_height* -brow_mid_height* ~browDown* ~browOuterUp*",
    "AU02": "+browOuterUp* +brow_outer_height* +brow_mid_height* -browDown* ~browInnerUp ~brow_inner_height*",
    "AU04": "+browDown* -brow_inner_height* -brow_mid_height* -browOuterUp* ~browInnerUp ~brow_outer_height* "
    "-brow_inner_offset* +eyeSquint*",
    "AU05": "+eyeWide* +upper_lid_height* +eye_opening* -eyeSquint* -eyeBlink* -eyeLookUp* +eyeLookDown*",
    "AU06": "+cheekSquint* +cheek_height* +lower_lid_height* +eyeSquint* -eye_opening* +nostril_height* +nostril_offset* "
    "+mouthSmile*",
    "AU07": "+eyeSquint* +lower_lid_height* -eye_opening* -upper_lid_height* -eyeWide* ~eyeBlink* ~mouthSmile* ~cheek_height*",
    "AU09": "+noseSneer* +nostril_height* -nose_length +nostril_offset* +browDown* -brow_inner_height* +lower_lid_height* "
    "+mouthUpperUp* +upper_lip_height* +eyeSquint* -mouthSmile*",
    "AU12": "+mouthSmile* +corner_height* +corner_offset* -corner_depth* +cheek_height* -mouthFrown* -mouthStretch*",
    "AU14": "+mouthDimple* +mouthPress* +corner_offset* -corner_depth* +mouthStretch* +corner_height* -mouthPucker -lip_gap "
    "~mouthSmile* -jawOpen -mouthFrown*",
    "AU15": "+mouthFrown* -corner_height* +mouthShrugLower +corner_depth* -mouthSmile* ~corner_offset* -lip_gap",
    "AU17": "+mouthShrugLower +mouthShrugUpper +chin_length +lower_lip_height* -mouth_height +chin_boss_length "
    "+lower_lip_depth -lip_gap -lower_lip_thickness -upper_lip_length -upper_lip_thickness -jawOpen ~corner_height*",
    "AU20": "+mouthStretch* +corner_offset* +mouthLowerDown* +mouthFrown* -corner_height* ~mouthSmile* -mouthPucker -jawOpen "
    "~lip_gap -corner_depth*",
    "AU23": "+mouthPress* +mouthRollLower +mouthRollUpper -upper_lip_thickness -lower_lip_thickness -mouth_height -lip_gap "
    "-upper_vermilion* -mouthUpperUp* -mouthSmile* ~corner_offset* -mouthFunnel +mouthPucker",
    "AU24": "+mouthPress* +mouthRollLower +mouthRollUpper -upper_lip_thickness -lower_lip_thickness -mouth_height -lip_gap "
    "-upper_vermilion* -mouthUpperUp* -mouthSmile* -mouthFunnel +mouthPucker -corner_offset* +lower_lip_height*",
    "AU25": "+lip_gap +mouthLowerDown* +mouthUpperUp* +jawOpen +mouthFunnel -mouthClose +mouth_height",
    "AU26": "+jawOpen +jaw_drop -chin_boss_length -chin_length -lower_lip_height* ~lip_gap -mouthStretch*",
    "AU27": "+jawOpen +jaw_drop +lip_gap +mouth_height -lower_lip_height* -corner_offset*",
}
# Units that CK+ codes too rarely (AU10: 11 sequences, AU18: 4) or never (AU28, AU43): weights set by hand, in
# intensity logits per unit of the feature; only the bias is measured, so that 2 % of neutral faces are active.
BY_HAND = {
    "AU10": {"mouthUpperUp*": 6.0, "upper_lip_height*": 20.0, "mouthSmile*": -8.0},
    "AU18": {"mouthPucker": 3.0, "corner_offset*": -25.0, "lower_lip_depth": 15.0, "mouthFunnel": 2.0},
    "AU28": {"mouthRollUpper": 5.0, "mouthRollLower": 5.0, "upper_lip_thickness": -15.0, "lower_lip_thickness": -15.0},
}
# Closed eyes: 0.03 eye-corner distances of opening and a blink shape of 0.55 lie between lowered and closed lids.
CLOSURE = {"bias": -0.25, "weights": {"eye_opening*": -83.0, "eyeBlink*": 5.0}}
NOTE = (
    "Fitted by scripts/measure_action_units.py on CK+ (human FACS codes; subjects with sha256 % 5 < 4) and FER+ training faces "
    "voted neutral. Logit = bias + sum(weight x feature); 0 = active. neutral, spread: median and deviation over neutral faces."
)


def fold(subject: str) -> int:
    """The CK+ fold of a subject, 0..4; 4 is held out."""
    return int(hashlib.sha256(subject.encode()).hexdigest(), 16) % 5


def landmarks_of(paths: list[Path], cache: Path, mirror: bool = False, tracked: bool = False) -> np.ndarray:
    """Blendshapes and geometry [N, F] of 48-pixel face crops, NaN where no face was found; kept in `cache`.

    tracked: as in a video of four equal frames. There MediaPipe cuts the face out by the mesh of the frame before, not by its
    detector, which shifts the mesh: brow shapes may halve. Frames a second apart are hardly smoothed.
    """
    if not cache.exists():
        points, shapes = np.full((len(paths), 478, 3), np.nan, np.float32), np.full((len(paths), 52), np.nan, np.float32)
        looks = 4 if tracked else 1
        with Landmarker(1, video=tracked, confidence=0.1, presence=0.1) as landmarker:
            for row, path in enumerate(paths):
                picture = np.asarray(Image.open(path).convert("RGB").resize((256, 256), Image.Resampling.BICUBIC))
                picture = np.pad(picture[:, ::-1] if mirror else picture, ((64, 64), (64, 64), (0, 0)))
                for look in range(looks):
                    found = landmarker(picture, row * looks + look)
                if len(found):
                    points[row], shapes[row] = found.landmarks[0], found.blendshapes[0]
        np.savez(cache, points=points, shapes=shapes)
    kept = np.load(cache)
    return np.concatenate([kept["shapes"], measure(kept["points"])], axis=1)


def load(data: Path, cache: Path) -> pd.DataFrame:
    """One row per face.

    Columns: source (peak, neutral, fer), subject, fold, aus (set of coded units), emotion, x (features [F]), mirrored (of the
    mirrored picture; CK+ only), tracked (as in a video; CK+ and FER+ neutral). `peak` has the last frames of every coded CK+
    sequence in both crops, `weight` sharing a sequence's frames; `fer` has FER+ training faces of clear majority (over 60 % of
    the votes). `fit` marks what fitting may look at.
    """
    ck = data / "ckplus48"
    coded = pd.read_csv(ck / "au_labels.csv")
    columns = [name for name in coded if name.startswith("AU")]
    units = {row.sequence: {f"AU{int(au[2:]):02d}" for au in columns if getattr(row, au)} for row in coded.itertuples()}
    rows = [{"path": ck / name, "source": "peak"} for name in coded.image]
    for path in sorted((ck / "neutral_peak").glob("*/*.png")):
        if path.stem.endswith("_00000001"):
            rows.append({"path": path, "source": "neutral"})
        elif path.stem[:8] in units:
            rows.append({"path": path, "source": "peak"})
    faces = pd.DataFrame(rows)
    faces["sequence"] = [path.stem[:8] for path in faces.path]
    faces["subject"] = faces.sequence.str[:4]
    faces["fold"] = faces.subject.map(fold)
    faces["aus"] = [units[s] if source == "peak" else set() for s, source in zip(faces.sequence, faces.source, strict=True)]
    # Three near-identical frames in one crop, one in the other: each crop of a sequence counts as one face.
    faces["weight"] = np.where([("CK+48" in path.parts) for path in faces.path], 1 / 3, 1.0)
    faces = pd.concat([faces, _fer(data)], ignore_index=True)
    features = landmarks_of(list(faces.path), cache / "action_unit_faces.npz")
    coded, calm = (faces.source != "fer").to_numpy(), (faces.emotion == "neutral").to_numpy()
    mirrored, tracked = np.full_like(features, np.nan), np.full_like(features, np.nan)
    mirrored[coded] = landmarks_of(list(faces.path[coded]), cache / "action_unit_mirrored.npz", mirror=True)
    tracked[coded | calm] = landmarks_of(list(faces.path[coded | calm]), cache / "action_unit_tracked.npz", tracked=True)
    faces["x"], faces["mirrored"], faces["tracked"] = list(features), list(mirrored), list(tracked)
    faces["fit"] = np.where(faces.source == "fer", faces.sequence.map(lambda name: fold(name) < 2), faces.fold != HELD_OUT)
    return faces[np.isfinite(features).all(axis=1)].reset_index(drop=True)


def _fer(data: Path, per_emotion: int = 600) -> pd.DataFrame:
    folder = data / "fer2013_ferplus" / "data" / "FER2013Train"
    table = pd.read_csv(folder / "label.csv", header=None)
    votes = table.iloc[:, 2:].to_numpy(float)
    votes[votes <= 1] = 0
    names = "neutral happiness surprise sadness anger disgust fear contempt".split()
    clear = (votes.max(axis=1) > 0.6 * votes.sum(axis=1)) & (votes.argmax(axis=1) < len(names))
    table = table[clear].assign(emotion=[names[i] for i in votes[clear].argmax(axis=1)])
    table = table.groupby("emotion").head(per_emotion)
    return pd.DataFrame({"path": [folder / name for name in table[0]], "source": "fer", "sequence": table[0], "subject": "",
                         "fold": -1, "aus": [set()] * len(table), "emotion": list(table.emotion), "weight": 0.5})  # fmt: skip


def truth(faces: pd.DataFrame, au: str) -> np.ndarray:
    """AU26 stands for a lowered jaw, however far: a stretched mouth (AU27) has one too."""
    wanted = {"AU26", "AU27"} if au == "AU26" else {au}
    return np.array([bool(wanted & aus) for aus in faces.aus])


def rested(faces: pd.DataFrame) -> np.ndarray:
    """Mean features [N, F] of the same person's neutral frames, leaving the row itself out where there are others."""
    x, out = np.stack(faces.x), np.zeros((len(faces), len(FEATURES)))
    neutral = (faces.source == "neutral").to_numpy()
    for subject in faces.subject.unique():
        mine = (faces.subject == subject).to_numpy()
        calm = np.flatnonzero(mine & neutral)
        for row in np.flatnonzero(mine):
            others = calm[calm != row]
            if len(calm):
                out[row] = x[others if len(others) else calm].mean(axis=0)
    return out


def pooled(x: np.ndarray, names: list[str]) -> np.ndarray:
    """[N, F] -> [N, len(names)]: paired features averaged over the two sides, so that one fit serves each side."""
    return np.stack([x[:, list(feature_columns(name))].mean(axis=1) for name in names], axis=1)


def logistic(x: np.ndarray, y: np.ndarray, weight: np.ndarray, signs: str, ridge: float) -> tuple[float, np.ndarray]:
    """Bias and weights of a ridge logistic regression whose weights keep the signs that anatomy gives them."""
    unit = x.std(axis=0) + 1e-6
    z = x / unit
    weight = weight * np.where(y, np.sqrt(weight[~y].sum() / weight[y].sum()), 1)
    weight = weight / weight.sum()

    def loss(p):
        s = z @ p[1:] + p[0]
        error = weight * (1 / (1 + np.exp(-s)) - y)
        value = (weight * np.logaddexp(0, np.where(y, -s, s))).sum() + ridge / 2 * (p[1:] ** 2).sum()
        return value, np.r_[error.sum(), z.T @ error + ridge * p[1:]]

    bounds = [(None, None), *({"+": (0, None), "-": (None, 0), "~": (None, None)}[sign] for sign in signs)]
    p = minimize(loss, np.zeros(len(bounds)), jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 1000}).x
    weights = np.where(np.abs(p[1:]) < 0.02, 0, p[1:]) / unit
    return float(p[0]), weights


def best_threshold(y: np.ndarray, score: np.ndarray, weight: np.ndarray) -> float:
    """The score above which weighted F1 is largest."""
    order = np.argsort(-score)
    hits, picked = np.cumsum((weight * y)[order]), np.cumsum(weight[order])
    return float(score[order][np.argmax(2 * hits / (picked + (weight * y).sum()))])


def fit_unit(au: str, faces: pd.DataFrame, centre: np.ndarray, rest: np.ndarray) -> dict:
    """One row of the table. Ridge, threshold and scale come from predictions on people left out (4 folds).

    The threshold is that of the best F1, but quiet on neutral faces. AU27 is the far end of a movement that speech makes all the
    time and CK+ hardly shows: where all thresholds between neutral and scream have the same F1, it takes a high one.
    """
    terms = CANDIDATES[au].split()
    names, signs = [term[1:] for term in terms], "".join(term[0] for term in terms)
    fer = (faces.source == "fer").to_numpy()
    mask = faces.fit.to_numpy() & (~fer | (faces.emotion == "neutral").to_numpy())
    x, y, folds = np.stack(faces.x), truth(faces, au), faces.fold.to_numpy()
    stranger, known = pooled(x - centre, names), pooled(x - rest, names)  # as in a picture; as after a minute of video
    weight, ck = faces.weight.to_numpy(), mask & ~fer

    def train(rows, ridge):
        both = rows[~fer[rows]]
        x = np.r_[stranger[rows], known[both]]
        return logistic(x, np.r_[y[rows], y[both]], np.r_[weight[rows], weight[both]], signs, ridge)

    def left_out(ridge):
        scores = np.full((2, len(faces)), np.nan)  # as a stranger, with the neutral face known
        for held in range(HELD_OUT):
            bias, weights = train(np.flatnonzero(mask & (folds != held)), ridge)
            here = ck & (folds == held)
            scores[:, here] = stranger[here] @ weights + bias, known[here] @ weights + bias
        return scores, np.mean([average_precision_score(y[ck], score[ck], sample_weight=weight[ck]) for score in scores])

    tried = {ridge: left_out(ridge) for ridge in RIDGES}
    good = max(precision for _, precision in tried.values()) - AP_TIE
    ridge = max(ridge for ridge, (_, precision) in tried.items() if precision >= good)
    bias, weights = train(np.flatnonzero(mask), ridge)
    score = tried[ridge][0][0]
    score[mask & fer] = stranger[mask & fer] @ weights + bias
    loudest = np.quantile(score[mask & fer], 1 - QUIET)
    peaks = score[ck & y]
    best = np.quantile(peaks, 0.1) if au == "AU27" else best_threshold(y[mask], score[mask], weight[mask])
    threshold = max(best, loudest)
    scale = max((np.median(peaks[peaks > threshold]) - threshold) / TYPICAL_PEAK, 0.4)
    bias = (bias - threshold - pooled(centre[None], names)[0] @ weights) / scale
    return {"bias": bias, "ridge": ridge, "weights": {n: w / scale for n, w in zip(names, weights, strict=True) if w}}


def fit(faces: pd.DataFrame) -> dict:
    """The whole table, from the rows that fitting may see, each as found by the detector and as tracked in a video."""
    faces = pd.concat([faces, faces.assign(x=faces.tracked)])
    faces = faces[[bool(np.isfinite(x).all()) for x in faces.x]].reset_index(drop=True)
    x, fer = np.stack(faces.x), (faces.source == "fer").to_numpy()
    calm = faces.fit & ((faces.source == "neutral") | (faces.emotion == "neutral"))
    still = [x[calm & ~fer], x[calm & fer]]
    centre = (still[0].mean(axis=0) + still[1].mean(axis=0)) / 2
    rest = rested(faces)
    units = {}
    for au in sorted([*CANDIDATES, *BY_HAND, "AU43"]):
        if au == "AU43":
            unit = dict(CLOSURE)
        elif au in BY_HAND:
            unit = {"bias": 0.0, "weights": BY_HAND[au]}
        else:
            unit = fit_unit(au, faces, centre, rest)
        values = [pooled(s, list(unit["weights"])) @ np.array(list(unit["weights"].values())) + unit["bias"] for s in still]
        if au in BY_HAND:
            unit["bias"] = -max(np.quantile(v, 0.98) for v in values)
            values = [v + unit["bias"] for v in values]
        spread = np.mean([v.std() for v in values])
        numbers = {"bias": unit["bias"], "neutral": np.mean([np.median(v) for v in values]), "spread": spread}
        units[au] = {k: round(float(v), 4) for k, v in numbers.items()}
        if "ridge" in unit:
            units[au]["ridge"] = unit["ridge"]
        units[au] |= {"lean": 0.0, "margin": 0.0, "weights": {k: round(float(v), 4) for k, v in unit["weights"].items()}}
    set_sides(units, faces[faces.fit & ~fer])
    return {"note": NOTE, "units": units}


def set_sides(units: dict, faces: pd.DataFrame) -> None:
    """Fill in `lean` and `margin`: mirroring a face turns its own asymmetry round, and leaves that of the mesh as it was."""
    table = AuMap({"units": units})
    straight, mirrored = (logits(np.stack(faces[column]), table) for column in ("x", "mirrored"))  # [N, U, 2]
    for column, unit in enumerate(units.values()):
        active = straight[:, column].max(axis=1) > 0
        differences = np.stack([part[active, column] @ (1, -1) for part in (straight, mirrored)])  # [2, n]
        if active.sum() >= 10:
            unit["lean"] = round(float(differences.mean()), 4)
            noise = differences.sum(axis=0).std() / np.sqrt(2)
            unit["margin"] = round(max(1.0, 2.5 * float(noise)), 4)
        else:
            unit["margin"] = 9.0  # too few to tell: no sides


def logits(x: np.ndarray, table: AuMap = AU_MAP) -> np.ndarray:
    """[N, F] -> [N, U, 2]"""
    return table.logits(x[:, : len(BLENDSHAPES)], x[:, len(BLENDSHAPES) :])


def report(faces: pd.DataFrame) -> pd.DataFrame:
    """Figures of the packaged table on rows that fitting never saw. F1 at the shipped threshold."""
    shown = logits(np.stack(faces.x).astype(np.float64)).mean(axis=2)  # [N, U]
    calm = logits(rested(faces))  # [N, U, 2]
    known = shown - trusted(calm - AU_MAP.neutral[:, None]).mean(axis=2)
    held, ck48 = ~faces.fit.to_numpy(), np.array(["CK+48" in path.parts for path in faces.path])
    neutral, fer = (faces.source == "neutral").to_numpy(), (faces.source == "fer").to_numpy()
    rows = []
    for column, au in enumerate(AU_MAP.aus):
        y, z, k = truth(faces, au), shown[:, column], known[:, column]
        peaks, crop = held & ck48, held & ~ck48 & ~fer
        coded = set(faces.sequence[held & y])
        row = {"au": au, "sequences": len(coded)}
        if coded:
            both = peaks | (held & neutral)
            row |= {"AP_peaks": average_precision_score(y[peaks], z[peaks]), "F1_peaks": f1(y[peaks], z[peaks] > 0)}
            row |= {"AP": average_precision_score(y[both], z[both]), "F1": f1(y[both], z[both] > 0)}
            row |= {"AP_known": average_precision_score(y[crop], k[crop]), "F1_known": f1(y[crop], k[crop] > 0)}
        row |= {"neutral_ck": (z > 0)[held & neutral].mean(), "neutral_known": (k > 0)[held & neutral].mean()}
        for emotion in ("neutral", "happiness", "surprise", "anger", "sadness", "disgust", "fear"):
            row[f"fer_{emotion[:7]}"] = (z > 0)[held & fer & (faces.emotion == emotion).to_numpy()].mean()
        row["peak_intensity"] = np.median(intensity(z[peaks & y])) if (peaks & y).any() else np.nan
        rows.append(row)
    return pd.DataFrame(rows).set_index("au")


def f1(y: np.ndarray, shown: np.ndarray) -> float:
    return 2 * (y & shown).sum() / max(y.sum() + shown.sum(), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("fit", "report"))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("EMOREASON_DATA", ROOT.parent / "shared" / "data")))
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "emoreason_measure")
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    faces = load(args.data, args.cache)
    if args.what == "fit":
        TABLE.write_text(json.dumps(fit(faces), indent=1) + "\n", encoding="utf-8")
        print(f"wrote {TABLE}")
    else:
        print(report(faces).round(3).to_string())


if __name__ == "__main__":
    main()
