#!/usr/bin/env python3
"""Fit the composer's face weights on action-unit intensities, and say how good they are on faces it never saw.

    scripts/fit_composer.py [--write]     prints the measures; --write replaces emoreason/report/face_weights.json

Fitted on CK+ folds 1-4 (peaks and neutral first frames) and the fitting half of the FER+ training faces of clear majority;
measured on CK+ fold 5 and the other half. All classes weigh the same, so the scores stand under a uniform prior.
Data and cache: see measure_action_units.py, which reads the faces.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np
from measure_action_units import ROOT, load, logits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, recall_score

from emoreason.labels.action_units import AUS, GAZE_AUS
from emoreason.labels.emotions import EMOTIONS, canonical
from emoreason.perception.action_units import AU_MAP, intensity
from emoreason.report.face_weights import FACE_BIAS, FACE_WEIGHTS, ONE_SIDED_WEIGHTS

ONE_SIDED = ("AU12", "AU14")  # the units whose one-sidedness is contempt's prototype
TABLE = ROOT / "emoreason" / "report" / "face_weights.json"
STRENGTH = 1.0  # inverse of the ridge; the measures hardly differ between 0.3 and 3


def intensities(features: np.ndarray) -> np.ndarray:
    """[N, A, 2]; units without an estimate on single pictures stay 0."""
    shown = np.zeros((len(features), len(AUS), 2))
    scores = logits(features)
    for column, au in enumerate(AU_MAP.aus):
        shown[:, AUS.index(au)] = intensity(scores[:, column])
    return shown


def emotion_of(source: str, emotion: str, path: Path) -> int:
    """-1 where the face has no emotion label: only labelled ones are used."""
    name = "neutral" if source == "neutral" else Path(path).parent.name if source == "peak" else emotion
    name = canonical(str(name))
    return EMOTIONS.index(name) if name else -1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("EMOREASON_DATA", ROOT.parent / "shared" / "data")))
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    faces = load(arguments.data, arguments.cache)
    shown = intensities(np.stack(faces.x))
    strongest, one_sided = shown.max(axis=2), np.abs(shown[..., 0] - shown[..., 1])
    truth = np.array([emotion_of(row.source, row.emotion, row.path) for row in faces.itertuples()])
    units = [i for i, au in enumerate(AUS) if au not in (*GAZE_AUS, "AU45")]
    sided = [AUS.index(au) for au in ONE_SIDED]
    inputs = np.concatenate([strongest[:, units], one_sided[:, sided]], axis=1)
    fitting = faces.fit.to_numpy(bool) & (truth >= 0)
    model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=5000).fit(inputs[fitting], truth[fitting])
    names = [AUS[i] for i in units] + [f"{au}*" for au in ONE_SIDED]
    table = {
        emotion: {"bias": round(float(bias), 2)} | {name: round(float(w), 2) for name, w in zip(names, row, strict=True)}
        for row, bias, emotion in zip(model.coef_, model.intercept_, EMOTIONS, strict=True)
    }
    shipped = strongest @ FACE_WEIGHTS.T + one_sided @ ONE_SIDED_WEIGHTS.T + FACE_BIAS
    for name, scores in (("fitted", model.decision_function(inputs)), ("shipped table", shipped)):
        for source in ("fer", "peak", "neutral"):
            held = ~faces.fit.to_numpy(bool) & (truth >= 0) & (faces.source == source).to_numpy()
            guess = scores[held].argmax(axis=1)
            uar = recall_score(truth[held], guess, average="macro", labels=np.unique(truth[held]))
            print(f"{name:14} {source:8} n={held.sum():5} accuracy {accuracy_score(truth[held], guess):.3f} UAR {uar:.3f}")
    if arguments.write:
        about = "emotion -> weight per action unit; fitted by scripts/fit_composer.py on CK+ folds 1-4 and FER+ training faces"
        TABLE.write_text(json.dumps({"about": about, "weights": table}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
