"""How much each vocal cue speaks for each emotion: hints for the composer, never labels.

The directions are those of Juslin & Laukka (2003, table 7); the sizes are ours and small, since prosody tells arousal better
than which emotion it is. Cues of low reliability (loudness, pauses, voicing) have none. Effort neither marks fear nor excludes
it: in one corpus frightened voices are strained, in the other they are faint.
"""

import numpy as np

from emoreason.labels.emotions import EMOTIONS

# (cue, level) -> emotion -> log-odds.
_VOICE: dict[tuple[str, str], dict[str, float]] = {
    ("pitch", "high"): {"anger": 0.4, "fear": 0.6, "happiness": 0.5, "surprise": 0.6, "sadness": -0.3, "neutral": -0.3},
    ("pitch", "low"): {"sadness": 0.4, "contempt": 0.2, "disgust": 0.2, "neutral": 0.2, "fear": -0.3, "happiness": -0.3},
    ("pitch_range", "high"): {"happiness": 0.5, "surprise": 0.6, "anger": 0.4, "neutral": -0.4, "sadness": -0.3},
    ("pitch_range", "low"): {"sadness": 0.5, "neutral": 0.4, "contempt": 0.2, "surprise": -0.4, "happiness": -0.4},
    ("effort", "high"): {"anger": 0.8, "happiness": 0.3, "sadness": -0.3, "neutral": -0.4},
    ("effort", "low"): {"sadness": 0.4, "neutral": 0.3, "anger": -0.6},
    ("rate", "high"): {"anger": 0.3, "fear": 0.5, "happiness": 0.3, "sadness": -0.5},
    ("rate", "low"): {"sadness": 0.6, "disgust": 0.3, "contempt": 0.1, "fear": -0.3},
}

VOICE_WEIGHTS = {key: np.array([row.get(e, 0.0) for e in EMOTIONS]) for key, row in _VOICE.items()}  # [E]
