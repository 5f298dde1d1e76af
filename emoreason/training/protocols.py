"""Protocols: figures of the encoders that are not those of the trained weights, such as cross-validation."""

from typing import Any

from emoreason.errors import ConfigError
from emoreason.training.settings.read import load_stage_file
from emoreason.training.stages.face import FaceStage
from emoreason.training.stages.kinds import stage_of
from emoreason.training.stages.stage import Progress, Workspace
from emoreason.training.stages.voice import VoiceStage

PROTOCOLS = ("cv", "leave:ckplus48", "leave:nemo")
WITHOUT_NEMO = "voice-without-nemo"  # stage file


def protocol(name: str, work: Workspace, progress: Progress | None = None) -> dict[str, Any]:
    """Of the run's stages of kind face and voice, by stage name: leave:ckplus48, leave:nemo, or cv for both.

    Raises ConfigError for another name, and for a run without such a stage.
    """
    figures = {}
    for stage in (stage_of(work, stage) for stage in work.run.stages):
        if isinstance(stage, FaceStage) and name in ("cv", "leave:ckplus48"):
            figures[stage.name] = stage.protocol(name, progress)
        if isinstance(stage, VoiceStage) and name in ("cv", "leave:nemo"):
            settings = load_stage_file(WITHOUT_NEMO) if name == "leave:nemo" else stage.settings
            figures[stage.name] = stage.protocol(name, settings, progress)
    if not figures:
        raise ConfigError(f"run {work.run.name} has no stage for a protocol '{name}': {', '.join(PROTOCOLS)}")
    return figures
