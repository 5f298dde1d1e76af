"""Which class trains a stage: by the type of its settings."""

from emoreason.training.stages.face import FaceStage
from emoreason.training.stages.sft import SftStage
from emoreason.training.stages.stage import Stage, Workspace
from emoreason.training.stages.voice import VoiceStage
from emoreason.training.stages.words import WordsStage

STAGES: tuple[type[Stage], ...] = (FaceStage, VoiceStage, WordsStage, SftStage)


def stage_of(work: Workspace, name: str) -> Stage:
    """The stage of that name in the run."""
    settings = work.run.stages[name]
    [kind] = [stage for stage in STAGES if stage.settings_type is type(settings)]
    return kind(work, name)
