"""Fine-tuning: the model that a run begins with, new or trained before."""

from pathlib import Path

import emoreason
from emoreason.errors import ConfigError
from emoreason.model.modeling import WEIGHTS, EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.untrained import untrained
from emoreason.training.run import Run

SHIPPED = Path(emoreason.__file__).parent / "weights"


def initial(run: Run) -> tuple[EmoReasonForConditionalGeneration, EmoReasonProcessor]:
    """Of `run.model`, untrained, or of the checkpoint `run.init_from`. Raises ConfigError, AssetError."""
    if run.init_from is None:
        return untrained(run.model)
    folder = checkpoint_folder(run.init_from)
    model = EmoReasonForConditionalGeneration.from_pretrained(folder)
    return model, EmoReasonProcessor.from_pretrained(folder, model.config)


def checkpoint_folder(name: str) -> Path:
    """A folder that training saved, else the weights of that name in the package. Raises ConfigError where there is neither."""
    here, shipped = Path(name).expanduser(), SHIPPED / name
    folder = here if here.exists() or not shipped.is_dir() else shipped
    if missing := [file for file in ("config.json", WEIGHTS) if not (folder / file).is_file()]:
        raise ConfigError(f"init_from: {folder} is no checkpoint, {missing[0]} is missing; name the folder that training saved")
    return folder
