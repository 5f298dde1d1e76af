"""How much each action unit speaks for each emotion, for the composer: log-odds per intensity 0..1, under a uniform prior.

A ridge-penalised multinomial regression on measured intensities of posed (CK+) and found (FER+) faces, by
scripts/fit_composer.py; "AU12*" is the difference of its two sides. These are weights of what was measured, errors of the
estimate included: not FACS prototypes, and people often show neither.
"""

import json
from importlib.resources import files

import numpy as np

from emoreason.labels.action_units import AUS
from emoreason.labels.emotions import EMOTIONS

_TABLE = json.loads(files("emoreason.report").joinpath("face_weights.json").read_text("utf-8"))["weights"]


def _weights(mark: str) -> np.ndarray:
    """[E, A]; units that the table does not name have no weight."""
    return np.array([[_TABLE[emotion].get(au + mark, 0.0) for au in AUS] for emotion in EMOTIONS])


FACE_WEIGHTS, ONE_SIDED_WEIGHTS = _weights(""), _weights("*")  # [E, A]; the second on |left - right|
FACE_BIAS = np.array([_TABLE[emotion]["bias"] for emotion in EMOTIONS])  # [E]
