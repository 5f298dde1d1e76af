"""Shipped settings of the stages face and voice, and the same with a schedule for a test."""

from emoreason.training.settings.face import FaceAugment, FaceSettings
from emoreason.training.settings.read import load_stage_file, read_stage
from emoreason.training.settings.voice import VoiceSettings

FACE: FaceSettings = load_stage_file("face")
VOICE: VoiceSettings = load_stage_file("voice")
UNCHANGED = FaceAugment()


def face_settings(phases: dict | None = None, **changes) -> FaceSettings:
    """The shipped ones; `changes` hold for both phases, `phases` for those named there."""
    each = {name: {**changes, **(phases or {}).get(name, {})} for name in ("alone", "joint")}
    return read_stage("face", {"stage": "face", "phases": each}, "test")


def voice_settings(stage: str = "voice", **changes) -> VoiceSettings:
    """Those of a shipped stage file with `changes`."""
    return read_stage("voice", {"stage": stage, **changes}, "test")
