"""The canonical emotions, their synonyms and their published places on the affect circumplex."""

from collections.abc import Mapping

EMOTIONS = ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")

ALIASES = {
    "anger": ("anger", "angry", "mad", "furious", "rage", "irritated", "annoyed"),
    "contempt": ("contempt", "contemptuous", "scornful", "disdainful"),
    "disgust": ("disgust", "disgusted", "repulsed", "revolted"),
    "fear": ("fear", "fearful", "afraid", "scared", "frightened", "terrified"),
    "happiness": ("happiness", "happy", "joy", "joyful", "glad", "cheerful"),
    "neutral": ("neutral", "calm"),
    "sadness": ("sadness", "sad", "unhappy", "sorrowful", "depressed"),
    "surprise": ("surprise", "surprised", "astonished", "amazed"),
}
_CANONICAL = {word: emotion for emotion, words in ALIASES.items() for word in words}

# (valence, arousal) in [-1, 1]: Russell & Mehrabian (1977), "Evidence for a three-factor theory of emotions",
# J. Research in Personality 11, table of pleasure and arousal ratings ("angry", "disdainful", "disgusted", "fearful",
# "happy", "sad", "surprised"); neutral is the origin by definition of the scale.
CIRCUMPLEX = {
    "anger": (-0.51, 0.59),
    "contempt": (-0.32, -0.11),
    "disgust": (-0.60, 0.35),
    "fear": (-0.64, 0.60),
    "happiness": (0.81, 0.51),
    "neutral": (0.0, 0.0),
    "sadness": (-0.63, -0.27),
    "surprise": (0.40, 0.67),
}

# Nouns of the compound expressions named by Du, Tao & Martinez (PNAS 2014); the key is the unordered pair.
COMPOUNDS = {
    frozenset(("happiness", "surprise")): "happily surprised",
    frozenset(("happiness", "disgust")): "happily disgusted",
    frozenset(("sadness", "fear")): "sadly fearful",
    frozenset(("sadness", "anger")): "sadly angry",
    frozenset(("sadness", "surprise")): "sadly surprised",
    frozenset(("sadness", "disgust")): "sadly disgusted",
    frozenset(("fear", "anger")): "fearfully angry",
    frozenset(("fear", "surprise")): "fearfully surprised",
    frozenset(("fear", "disgust")): "fearfully disgusted",
    frozenset(("anger", "surprise")): "angrily surprised",
    frozenset(("anger", "disgust")): "angrily disgusted",
    frozenset(("disgust", "surprise")): "disgustedly surprised",
}


def canonical(word: str) -> str | None:
    """The canonical emotion a word names, or None: an unknown word is never turned into an emotion."""
    return _CANONICAL.get(word.strip().lower())


def valence_arousal(probabilities: Mapping[str, float]) -> tuple[float, float]:
    """Expectation of the circumplex coordinates under `probabilities` (8 labels, sum 1): derived, not predicted."""
    valence = sum(p * CIRCUMPLEX[emotion][0] for emotion, p in probabilities.items())
    arousal = sum(p * CIRCUMPLEX[emotion][1] for emotion, p in probabilities.items())
    return valence, arousal
