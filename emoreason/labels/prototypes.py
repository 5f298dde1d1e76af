"""How much each cue speaks for each emotion: hints for the composer, never labels.

Faces: the EMFACS-style prototype lists (Friesen & Ekman 1983) that several public tables agree on, as weights on intensities
0..1. Voice: the directions of Juslin & Laukka (2003, table 7). People often show neither.
"""

import numpy as np

from emoreason.labels.action_units import AUS
from emoreason.labels.emotions import EMOTIONS

_FACE: dict[str, dict[str, float]] = {
    "anger": {"AU04": 3.0, "AU05": 0.5, "AU07": 1.5, "AU10": 0.5, "AU17": 0.8, "AU23": 1.8, "AU24": 1.8, "AU12": -2.0},
    "contempt": {"AU14": 1.5, "AU24": 0.5},
    "disgust": {"AU04": 0.8, "AU09": 4.5, "AU10": 3.0, "AU15": 0.8, "AU17": 0.8, "AU12": -1.0},
    "fear": {"AU01": 1.8, "AU02": 0.8, "AU04": 1.0, "AU05": 2.0, "AU07": 0.4, "AU20": 3.0, "AU25": 0.8, "AU12": -1.5},
    "happiness": {"AU06": 1.8, "AU12": 5.0, "AU25": 0.6, "AU04": -1.5, "AU15": -2.0},
    "neutral": {},
    "sadness": {"AU01": 2.0, "AU04": 1.6, "AU15": 3.5, "AU17": 1.2, "AU43": 0.4, "AU12": -2.0},
    "surprise": {"AU01": 1.5, "AU02": 1.8, "AU05": 1.8, "AU25": 0.6, "AU26": 1.8, "AU27": 2.5, "AU04": -1.5, "AU12": -1.0},
}
# One-sided raising or tightening of a lip corner is the prototype of contempt (R12A + R14A).
_ONE_SIDED: dict[str, dict[str, float]] = {"contempt": {"AU12": 3.0, "AU14": 3.0}}
_BIAS = {"neutral": 2.2}

# (cue, level) -> emotion -> log-odds.
_VOICE: dict[tuple[str, str], dict[str, float]] = {
    ("pitch", "high"): {"anger": 0.4, "fear": 0.6, "happiness": 0.5, "surprise": 0.6, "sadness": -0.3, "neutral": -0.3},
    ("pitch", "low"): {"sadness": 0.4, "contempt": 0.2, "disgust": 0.2, "neutral": 0.2, "fear": -0.3, "happiness": -0.3},
    ("pitch_range", "high"): {"happiness": 0.5, "surprise": 0.6, "anger": 0.4, "neutral": -0.4, "sadness": -0.3},
    ("pitch_range", "low"): {"sadness": 0.5, "neutral": 0.4, "contempt": 0.2, "surprise": -0.4, "happiness": -0.4},
    ("loudness", "high"): {"anger": 0.8, "happiness": 0.3, "fear": 0.2, "surprise": 0.3, "sadness": -0.6, "neutral": -0.3},
    ("loudness", "low"): {"sadness": 0.7, "fear": 0.1, "neutral": 0.2, "anger": -0.6},
    ("rate", "high"): {"anger": 0.3, "fear": 0.5, "happiness": 0.3, "sadness": -0.5},
    ("rate", "low"): {"sadness": 0.6, "disgust": 0.3, "contempt": 0.1, "fear": -0.3},
    ("pauses", "high"): {"sadness": 0.4, "fear": 0.1, "anger": -0.2},
    ("pauses", "low"): {"anger": 0.1, "happiness": 0.1},
    ("voicing", "low"): {"anger": 0.2, "disgust": 0.2, "sadness": 0.1},
}


def _matrix(table: dict[str, dict[str, float]]) -> np.ndarray:
    return np.array([[table.get(emotion, {}).get(au, 0.0) for au in AUS] for emotion in EMOTIONS])


FACE_WEIGHTS = _matrix(_FACE)  # [E, A]
ONE_SIDED_WEIGHTS = _matrix(_ONE_SIDED)  # [E, A], on |left - right|
FACE_BIAS = np.array([_BIAS.get(emotion, 0.0) for emotion in EMOTIONS])  # [E]
VOICE_WEIGHTS = {key: np.array([row.get(e, 0.0) for e in EMOTIONS]) for key, row in _VOICE.items()}
