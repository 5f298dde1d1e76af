"""Own data that cannot be trained on are stopped before training, and the message says what to change."""

import pytest
import torch
import yaml
from training_data import write_sound

from emoreason.cli.main import run as command
from emoreason.errors import ConfigError, EnvironmentProblem
from emoreason.training.own_checks import check_own
from emoreason.training.run import load_run
from emoreason.training.stages.sft import memory_told

RECIPE = {
    "name": "moods", "title": "t", "source": "s", "licence": "l", "terms": "t", "layout": "x", "faces": "none", "metric": "m",
    "reader": {"kind": "table", "tables": {"all": "list.csv"}},
    "fields": {"id": "{path}", "group": "{group}", "label": "{label}", "audio": "{path}"},
    "splits": {"of": "{group}", "members": {"valid": ["bob"]}, "rest": "train"},
    "scheme": {"name": "moods", "labels": ["sunny", "rainy"], "crosswalk": {}},
}  # fmt: skip
GOOD = [(f"{label}-{group}-{n}.wav", label, group) for label in ("sunny", "rainy") for group in ("ann", "bob") for n in range(2)]


def checked(folder, rows, **changes):
    """What is noted of a table of such rows; their sounds are written unless they are there."""
    for number, (path, _, _) in enumerate(rows):
        if not (folder / path).exists():
            write_sound(folder / path, 200 + 20 * number, 0.2)
    (folder / "list.csv").write_text("path,label,group\n" + "".join(",".join(row) + "\n" for row in rows))
    recipe = folder / "moods.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE | {"folder": str(folder)} | changes))
    return check_own(load_run("finetune", data=str(recipe)), {}, None, open_media=True)


def test_sound_data_pass(tmp_path):
    assert checked(tmp_path, GOOD) == []


def test_runs_without_own_labels_are_not_looked_at():
    assert check_own(load_run("tiny"), {}, None, open_media=True) == []


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row for row in GOOD if row[0] != "sunny-ann-1.wav"], "label 'sunny': 1 training samples; add some"),
        ([row for row in GOOD if row[1:] != ("rainy", "bob")], "label 'rainy': no sample in valid"),
        ([row for row in GOOD if row[2] == "ann"], "no labelled sample is in valid"),
        ([*GOOD, ("other.wav", "foggy", "ann")], "foggy"),
        ([*GOOD, GOOD[0]], "id 'sunny-ann-0.wav' was already used"),
    ],
)
def test_labels_that_cannot_be_learned_or_checked(tmp_path, rows, said):
    with pytest.raises(ConfigError, match=said):
        checked(tmp_path, rows)


def test_media_that_cannot_be_read(tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    with pytest.raises(ConfigError, match="broken.wav"):
        checked(tmp_path, [*GOOD, ("broken.wav", "sunny", "ann")])


def test_the_same_sound_in_two_splits(tmp_path):
    write_sound(tmp_path / "sunny-ann-0.wav", 300, 0.2)
    write_sound(tmp_path / "sunny-bob-0.wav", 300, 0.2)
    with pytest.raises(ConfigError, match="identical media are in several splits"):
        checked(tmp_path, GOOD)


def test_the_command_stops_before_anything_is_written(tmp_path, capsys):
    with pytest.raises(ConfigError):
        checked(tmp_path, GOOD[:-2])
    out = tmp_path / "out"
    told = ["train", "finetune", "--set", f"init_from={tmp_path}", "--data", str(tmp_path / "moods.yaml"), "--out", str(out)]
    assert command([*told, "--dry-run"]) == 1
    assert "label 'rainy': no sample in valid" in capsys.readouterr().err
    assert not list(out.iterdir())
    assert command(["train", "finetune", "--out", str(out)]) == 1
    assert "say --data RECIPE.yaml" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")]
)
def test_too_little_memory_says_what_to_lower(error):
    with pytest.raises(EnvironmentProblem, match="lower stages.tune.schedule.batch"), memory_told("tune"):
        raise error
    with pytest.raises(RuntimeError, match="other"), memory_told("tune"):
        raise RuntimeError("other")
