"""Fine-tuning: the model that a run begins with, new or trained before, and the labels that it shall know."""

import json
from pathlib import Path

from emoreason.errors import ConfigError
from emoreason.model import base
from emoreason.model.checkpoint_files import checkpoint_folder
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.untrained import quiet_libraries, untrained
from emoreason.training.own_labels import give_labels, label_set_of
from emoreason.training.run import Run

BASE = "base.json"


def initial(run: Run) -> tuple[EmoReasonForConditionalGeneration, EmoReasonProcessor]:
    """Of `run.model`, untrained, or of the checkpoint `run.init_from`; with the labels of `run.labels`, if it names any.

    Raises ConfigError, AssetError.
    """
    with quiet_libraries():
        model, processor = untrained(run.model) if run.init_from is None else _trained(run.init_from)
    if run.labels is not None:
        give_labels(model, label_set_of(run.labels))
    return model, processor


def _trained(name: str) -> tuple[EmoReasonForConditionalGeneration, EmoReasonProcessor]:
    try:
        folder = checkpoint_folder(name)
    except ConfigError as error:
        raise ConfigError(f"init_from: {error}") from error
    model = EmoReasonForConditionalGeneration.from_pretrained(folder)
    return model, EmoReasonProcessor.from_pretrained(folder, model.config)


def keep_base(run: Run, out: Path) -> None:
    """Write down which version of `run.init_from` OUT begins with. Raises ConfigError where it was begun with another one."""
    if run.init_from is None:
        return
    named, file = base.named(run.init_from), out / BASE
    if not file.is_file():
        file.write_text(json.dumps(named, indent=1), encoding="utf-8")
    elif (before := json.loads(file.read_text(encoding="utf-8"))) != named:
        raise ConfigError(
            f"{out} was begun from '{before['path']}' (sha256 {before['sha256'][:12]}), which is now '{named['path']}' "
            f"({named['sha256'][:12]}): train into another folder"
        )
