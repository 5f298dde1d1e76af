"""Protocols: figures of the encoders that are not those of the trained weights, such as cross-validation."""

from typing import Any

from emoreason.errors import ConfigError
from emoreason.training.face import protocols as face
from emoreason.training.settings.read import load_stage_file
from emoreason.training.settings.voice import VoiceSettings
from emoreason.training.stages.face import FaceStage
from emoreason.training.stages.kinds import stage_of
from emoreason.training.stages.stage import Progress, Workspace
from emoreason.training.stages.voice import VoiceStage
from emoreason.training.voice import protocols as voice

PROTOCOLS = tuple(dict.fromkeys((*face.PROTOCOLS, *voice.PROTOCOLS)))


def protocol(name: str, work: Workspace, progress: Progress | None = None) -> dict[str, Any]:
    """Of the run's stages of kind face and voice, by stage name: what face.protocols and voice.protocols have, cv for both.

    Raises ConfigError for another name, and for a run without such a stage.
    """
    figures = {}
    for stage in (stage_of(work, stage) for stage in work.run.stages):
        if isinstance(stage, FaceStage) and name in face.PROTOCOLS:
            figures[stage.name] = stage.protocol(name, progress)
        if isinstance(stage, VoiceStage) and name in voice.PROTOCOLS:
            figures[stage.name] = stage.protocol(name, _left_out(name, stage), progress)
    if not figures:
        raise ConfigError(f"run {work.run.name} has no stage for a protocol '{name}': {', '.join(PROTOCOLS)}")
    return figures


def _left_out(name: str, stage: VoiceStage) -> VoiceSettings:
    """The stage's own settings, or for leave:NAME those of the stage file `BASE-without-NAME`: less to learn from takes less
    training."""
    if not name.startswith("leave:"):
        return stage.settings
    return load_stage_file(f"{stage.settings.stage or 'voice'}-without-{name.removeprefix('leave:')}")
