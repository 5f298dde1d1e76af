"""Facial action units (FACS, Ekman, Friesen & Hager 2002): names, muscles, sides, and the ARKit shapes that move with them.

Sides are always the subject's own. The shape columns follow the ICT-FaceKit and py-feat correspondence tables; where the
two differ the anatomically consistent one is used (AU61 eyes left = left eye out + right eye in).
"""

from dataclasses import dataclass
from typing import Literal

Reliability = Literal["high", "medium", "low"]
Side = Literal["both", "left", "right"]
Level = Literal["slight", "marked", "strong"]

LEVELS: tuple[Level, ...] = ("slight", "marked", "strong")
# Bounds of the shown intensity (0..1). Below the first an action unit counts as absent. They stand for the FACS letters
# B (slight), C (marked or pronounced) and D-E (severe, maximum); A (trace) is below what the measurement can tell.
LEVEL_BOUNDS: dict[Level, float] = {"slight": 0.25, "marked": 0.45, "strong": 0.7}
ACTIVE = LEVEL_BOUNDS["slight"]


def level(intensity: float) -> Level | None:
    """Word for an intensity in 0..1, or None where the unit counts as absent."""
    return next((name for name in reversed(LEVELS) if intensity >= LEVEL_BOUNDS[name]), None)


_NOUNS = {"AU25": "parting of the lips", "AU43": "closing of the eyes"}  # of units whose FACS name is none


@dataclass(frozen=True)
class ActionUnit:
    """One unit. `left`/`right` name the ARKit/MediaPipe shapes of the subject's own side; `sided` units can differ by side."""

    au: str
    name: str
    muscle: str
    region: Literal["brow", "eye", "nose", "cheek", "mouth", "jaw", "gaze"]
    left: tuple[str, ...]
    right: tuple[str, ...]

    @property
    def sided(self) -> bool:
        return self.left != self.right

    @property
    def noun(self) -> str:
        """The name as something that a face can show."""
        return _NOUNS.get(self.au, self.name)


def _unit(number: int, name: str, muscle: str, region: str, *shapes: str) -> ActionUnit:
    """`shapes` ending in '*' are paired (Left/Right); the others have no side."""
    left = tuple(s[:-1] + "Left" if s.endswith("*") else s for s in shapes)
    right = tuple(s[:-1] + "Right" if s.endswith("*") else s for s in shapes)
    return ActionUnit(f"AU{number:02d}", name, muscle, region, left, right)


ACTION_UNITS: dict[str, ActionUnit] = {
    unit.au: unit
    for unit in (
        _unit(1, "inner brow raiser", "frontalis, medial part", "brow", "browInnerUp"),
        _unit(2, "outer brow raiser", "frontalis, lateral part", "brow", "browOuterUp*"),
        _unit(4, "brow lowerer", "corrugator supercilii, depressor supercilii, procerus", "brow", "browDown*"),
        _unit(5, "upper lid raiser", "levator palpebrae superioris", "eye", "eyeWide*"),
        _unit(6, "cheek raiser", "orbicularis oculi, orbital part", "cheek", "cheekSquint*"),
        _unit(7, "lid tightener", "orbicularis oculi, palpebral part", "eye", "eyeSquint*"),
        _unit(9, "nose wrinkler", "levator labii superioris alaeque nasi", "nose", "noseSneer*"),
        _unit(10, "upper lip raiser", "levator labii superioris", "mouth", "mouthUpperUp*"),
        _unit(12, "lip corner puller", "zygomaticus major", "mouth", "mouthSmile*"),
        _unit(14, "dimpler", "buccinator", "mouth", "mouthDimple*"),
        _unit(15, "lip corner depressor", "depressor anguli oris", "mouth", "mouthFrown*"),
        _unit(17, "chin raiser", "mentalis", "jaw", "mouthShrugLower"),
        _unit(18, "lip pucker", "incisivii labii", "mouth", "mouthPucker"),
        _unit(20, "lip stretcher", "risorius, platysma", "mouth", "mouthStretch*"),
        _unit(23, "lip tightener", "orbicularis oris", "mouth", "mouthPress*"),
        _unit(24, "lip pressor", "orbicularis oris", "mouth", "mouthPress*"),
        _unit(25, "lips part", "depressor labii inferioris or relaxed orbicularis oris", "mouth", "jawOpen", "mouthClose"),
        _unit(26, "jaw drop", "relaxed masseter", "jaw", "jawOpen"),
        _unit(27, "mouth stretch", "pterygoids, digastric", "jaw", "jawOpen"),
        _unit(28, "lip suck", "orbicularis oris", "mouth", "mouthRollUpper", "mouthRollLower"),
        _unit(43, "eyes closed", "relaxed levator palpebrae superioris", "eye", "eyeBlink*"),
        _unit(45, "blink", "orbicularis oculi, palpebral part", "eye", "eyeBlink*"),
        ActionUnit("AU61", "eyes turned left", "lateral and medial rectus", "gaze", ("eyeLookOutLeft",), ("eyeLookInRight",)),
        ActionUnit("AU62", "eyes turned right", "lateral and medial rectus", "gaze", ("eyeLookInLeft",), ("eyeLookOutRight",)),
        _unit(63, "eyes up", "superior rectus, inferior oblique", "gaze", "eyeLookUp*"),
        _unit(64, "eyes down", "inferior rectus, superior oblique", "gaze", "eyeLookDown*"),
    )
}
AUS = tuple(ACTION_UNITS)
GAZE_AUS = ("AU61", "AU62", "AU63", "AU64")
# Units whose two eyes always move together, or that have no side of their own.
SIDED_AUS = tuple(au for au, unit in ACTION_UNITS.items() if unit.sided and au not in GAZE_AUS)

# How far a unit's measurement can be trusted. P is its average precision on the held-out subjects of CK+ (peaks with the unit
# against other peaks and neutral faces), the mean of "as a stranger" and "with the neutral face known"; N the share of FER+
# neutral faces on which it is active in a single picture. Both as printed by `scripts/measure_action_units.py report`.
#   high    P >= 0.8, N <= 5 %, at least 10 coded sequences
#   medium  P >= 0.5, N <= 15 %, at least 5 coded sequences (AU04, at 0.54, only just); and what CK+ does not code but the mesh
#           shows directly: lids and irises
#   low     all others, the rarely and never coded ones included
RELIABILITY: dict[str, Reliability] = dict.fromkeys(AUS, "low") | {
    **dict.fromkeys(("AU06", "AU09", "AU12", "AU25", "AU26", "AU27"), "high"),
    **dict.fromkeys(("AU01", "AU02", "AU04", "AU05", "AU20", "AU43", "AU45", *GAZE_AUS), "medium"),
}

# Order of MediaPipe's 52 outputs: ARKit's shapes without tongueOut, `_neutral` first.
BLENDSHAPES = (
    "_neutral browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft "
    "cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight "
    "eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight "
    "jawForward jawLeft jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight "
    "mouthFunnel mouthLeft mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight "
    "mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft mouthSmileRight mouthStretchLeft "
    "mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft noseSneerRight"
).split()
