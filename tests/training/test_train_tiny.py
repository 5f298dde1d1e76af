"""`scripts/train_tiny --encoders`: an ablation on a checkpoint's encoders starts where stage 0 would have left them."""

from types import SimpleNamespace

import pytest
import torch
from script_files import script_file
from training_data import make_model

from emoreason.errors import ConfigError
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.untrained import untrained
from emoreason.training.face import training as face
from emoreason.training.parts import INDEX, load_parts, part_state, save_parts
from emoreason.training.run import load_run
from emoreason.training.ship import ship
from emoreason.training.voice import training as voice

PARTS = {"face": face.PARTS, "voice": voice.PARTS}
TAKEN = [part for parts in PARTS.values() for part in parts]


@pytest.fixture
def script():
    return script_file("train_tiny")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The model file, and a checkpoint whose encoders no other model has."""
    folder = tmp_path_factory.mktemp("encoders")
    run = load_run("tiny-smoke", [f"model={make_model(folder)}"])
    model, _ = untrained(run.model)
    torch.manual_seed(3)
    for part in TAKEN:
        for value in part_state(model, part).values():
            if value.is_floating_point():
                value.uniform_(0.1, 1)
    for stage, parts in PARTS.items():
        save_parts(model, parts, folder / "run" / stage / "final")
    ship(run, folder / "run", folder / "weights")
    return run.model, folder / "weights"


def test_the_parts_are_those_of_the_checkpoint(script, trained, tmp_path):
    new, weights = untrained(trained[0])[0], trained[1]
    script.take_encoders(SimpleNamespace(out=tmp_path, encoders=str(weights)))
    for stage in PARTS:
        assert load_parts(new, tmp_path / stage / "final")["info"] == {"taken_from": str(weights)}
    wanted = EmoReasonForConditionalGeneration.from_pretrained(weights)
    for part in TAKEN:
        for (name, value), other in zip(part_state(new, part).items(), part_state(wanted, part).values(), strict=True):
            torch.testing.assert_close(value, other, msg=name)


def test_parts_that_are_there_stay(script, trained, tmp_path):
    script.take_encoders(SimpleNamespace(out=tmp_path, encoders=str(trained[1])))
    before = {stage: (tmp_path / stage / "final" / INDEX).stat().st_mtime_ns for stage in PARTS}
    script.take_encoders(SimpleNamespace(out=tmp_path, encoders="is not looked for"))
    assert before == {stage: (tmp_path / stage / "final" / INDEX).stat().st_mtime_ns for stage in PARTS}


def test_a_checkpoint_that_is_not_there_is_named(script, tmp_path):
    with pytest.raises(ConfigError, match="nowhere"):
        script.take_encoders(SimpleNamespace(out=tmp_path, encoders="nowhere"))
    assert not list(tmp_path.iterdir())
