"""Run files: every shipped one loads, and a mistake names file, key and the nearest key."""

import pytest

from emoreason.config import names, resolve
from emoreason.errors import ConfigError
from emoreason.instructions.recipe import load_recipe
from emoreason.training.run import OWN, is_run, load_run

GOOD = """
model: tiny
stages:
  face: {}
  align:
    stage: align
    start: [face]
    mixture:
      faces: {data: ferplus, tasks: [region]}
    schedule: {steps: 5, batch: 2}
"""


@pytest.mark.parametrize("name", names("runs"))
def test_every_shipped_run_loads_and_names_what_exists(name):
    own = "ravdess" if OWN in resolve("runs", name).read_text(encoding="utf-8") else None
    run = load_run(name, data=own)
    for recipe in [*run.data_sets(), *(recipe for stage in run.stages.values() for recipe in stage.data_sets())]:
        load_recipe(recipe)
    assert run.digest() == load_run(name, data=own).digest()


def test_a_run_is_told_from_a_recipe(tmp_path):
    (tmp_path / "run.yaml").write_text(GOOD)
    assert is_run(tmp_path / "run.yaml") and is_run("tiny") and not is_run("ferplus")


def test_settings_are_put_over_the_file(tmp_path):
    (tmp_path / "run.yaml").write_text(GOOD)
    run = load_run(tmp_path / "run.yaml", ["stages.align.schedule.steps=9", "seed=3", "stages.align.mixture.faces.limit=4"])
    assert run.stages["align"].plan(run.seed).steps == 9 and run.stages["align"].plan(run.seed).seed == 3
    assert run.stages["align"].mixture["faces"].limit == 4 and run.stages["face"].kind == "face"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("model: tiny", "modell: tiny", "unknown key 'modell'; did you mean 'model'"),
        ("mixture:", "mixtures:", r"stages.align: no key 'mixtures'; did you mean 'mixture'"),
        ("tasks: [region]", "task: [region]", r"no key 'mixture.faces.task'; did you mean 'tasks'"),
        ("tasks: [region]", "tasks: [regions]", r"no task 'regions'; did you mean 'region'"),
        ("steps: 5", "step: 5", r"schedule.step'; did you mean 'steps'|unknown key 'step'; did you mean 'steps'"),
        ("steps: 5", "steps: 0", "steps is 0, it must be at least 1"),
        ("start: [face]", "start: [voice]", "starts from 'voice', which is no stage before it"),
        ("data: ferplus,", "data: ferplus, kind: pairs,", "`voices` are for pairs and conflicts"),
        ("stage: align\n", "stage: align\n    dropout: {face: 2}\n", "dropout.face"),
    ],
)
def test_a_mistake_names_file_key_and_fix(tmp_path, old, new, said):
    assert old in GOOD
    file = tmp_path / "run.yaml"
    file.write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigError, match=said) as error:
        load_run(file)
    assert str(error.value).startswith(str(file))


@pytest.mark.parametrize("setting", ["seed", "stages.aline.schedule.steps=1", "=3"])
def test_a_setting_that_cannot_be_put_is_refused(tmp_path, setting):
    (tmp_path / "run.yaml").write_text(GOOD)
    with pytest.raises(ConfigError, match="--set"):
        load_run(tmp_path / "run.yaml", [setting])


def test_the_callers_recipe_stands_where_the_file_leaves_it_open(tmp_path):
    run = load_run("finetune", ["stages.tune.schedule.steps=7"], data="my.yaml")
    assert run.labels == "my.yaml" and run.data_sets() == ["my.yaml"] and run.init_from == "tiny"
    with pytest.raises(ConfigError, match="say --data RECIPE.yaml"):
        load_run("finetune")
    (tmp_path / "run.yaml").write_text(GOOD)
    with pytest.raises(ConfigError, match="names its data sets itself: leave out --data"):
        load_run(tmp_path / "run.yaml", data="my.yaml")


def test_a_head_on_own_labels_needs_labels(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(GOOD.replace("stage: align\n", "stage: align\n    label: 1.0\n"))
    with pytest.raises(ConfigError, match="say with `labels` which recipe they are of"):
        load_run(file)
