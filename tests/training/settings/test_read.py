"""Entries of runs over stage files: what wins, what version 0.1 wrote, and mistakes that name file, key and fix."""

import pytest
import yaml

from emoreason.config import names, shipped
from emoreason.errors import ConfigError
from emoreason.training.run import load_run
from emoreason.training.settings.base import merge
from emoreason.training.settings.read import KINDS, load_stage_file, read_stage, set_value

SHIPPED = load_stage_file("face")


def face(**entry):
    return read_stage("face", entry, "run.yaml: stages.face")


@pytest.mark.parametrize("name", names("stages"))
def test_every_shipped_stage_file_is_of_a_known_kind(name):
    """A file of kind sft or words leaves what it learns from to the run."""
    more = {"mixture": {"x": {"data": "meld", "tasks": ["emotion"]}}, "schedule": {"steps": 1, "batch": 1}}
    words = {"data": ["meld"], "layer": 1, "languages": ["en"]}
    entry = more if name in ("align", "finetune", "multitask", "reason", "reason-small") else words if name == "words" else {}
    assert read_stage("any", {"stage": name, **entry}, "run").kind in KINDS


def test_an_empty_entry_is_the_shipped_file_of_its_name(tmp_path, monkeypatch):
    """Whatever lies here by that name: `emoreason data new face` writes face.yaml."""
    (tmp_path / "face.yaml").write_text("name: face\n")
    (tmp_path / "face").mkdir()
    monkeypatch.chdir(tmp_path)
    assert face() == SHIPPED.model_copy(update={"stage": None})


def test_version_0_1_means_the_same():
    schedule = {"steps": 2, "batch": 4, "evaluate_every": 2}
    old = face(alone=schedule, joint={"steps": 3})
    assert old == face(phases={"alone": {"schedule": schedule}, "joint": {"schedule": {"steps": 3}}})
    assert [phase.plan(0).steps for phase in old.phases] == [2, 3] and old.phases[0].plan(0).ema == 0.9985
    voice = read_stage("voice", {"schedule": schedule}, "run")
    assert voice.phases[0].plan(0).steps == 2 and voice.phases[0].plan(0).weight_decay == 0.1
    with pytest.raises(ConfigError, match=r"beside `alone` and `joint` \(now phases.NAME.schedule\): unknown key 'augment'"):
        face(alone=schedule, augment={"scale": 0.1})


def test_a_stage_file_of_version_0_1_is_of_kind_sft(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("train: {heads: full}\nlr: {heads: 1e-3}\n")
    entry = {"mixture": {"x": {"data": "meld", "tasks": ["emotion"]}}, "schedule": {"steps": 1, "batch": 1}, "sentiment": 1}
    stage = read_stage("heads", {"stage": str(file), **entry}, "run")
    assert stage.kind == "sft" and dict(stage.spec().lr) == {"heads": 1e-3}
    file.write_text("lr: {heads: 1e-3}\n")
    with pytest.raises(ConfigError, match="mine.yaml: kind is missing; known: face, voice, words, sft"):
        read_stage("heads", {"stage": str(file), **entry}, "run")


def test_what_all_phases_share_may_be_overruled_by_one():
    stage = face(augment={"scale": 0.3}, phases={"joint": {"augment": {"turn_deg": 1.0}}})
    alone, joint = (phase.augment for phase in stage.phases)
    assert (alone.scale, alone.turn_deg) == (0.3, 8.0) and (joint.scale, joint.turn_deg) == (0.3, 1.0)
    assert joint.erase == SHIPPED.phases[1].augment.erase


def test_a_list_of_phases_replaces_those_of_the_file_and_keeps_what_they_share():
    own = {"name": "own", "sources": [{"data": "own", "clip": "still"}], "lr": {"trunk": 1e-3, "rest": 1e-3},
           "schedule": {"steps": 5, "batch": 2}}  # fmt: skip
    stage = face(data={"own": {"recipe": "mine.yaml"}}, validation="own", prior="own", phases=[own])
    assert [phase.name for phase in stage.phases] == ["own"] and stage.phases[0].augment == SHIPPED.phases[0].augment
    assert stage.data_sets() == ["mine.yaml"] and stage.steps == 5  # FER+ and CK+ are not read: no phase names them


def test_a_stage_file_may_be_based_on_another_one(tmp_path):
    file = tmp_path / "quick.yaml"
    file.write_text("stage: face\nphases: {alone: {schedule: {steps: 7}}}\n")
    assert read_stage("x", {"stage": str(file)}, "run").phases[0].plan(0).steps == 7
    file.write_text(f"stage: {file}\n")
    with pytest.raises(ConfigError, match="is based on itself"):
        read_stage("x", {"stage": str(file)}, "run")


def test_an_entry_with_a_kind_is_complete_by_itself():
    values = SHIPPED.model_dump(exclude={"stage"})
    assert face(**values) == SHIPPED.model_copy(update={"stage": None})
    with pytest.raises(ConfigError, match="kind is 'voice', but .*face.yaml is of kind 'face'"):
        face(kind="voice", stage="face")
    with pytest.raises(ConfigError, match="stages.face: kind is 'fase'; did you mean 'face'"):
        face(kind="fase")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"augment": {"turn": 3}}, "no key 'augment.turn'; did you mean 'turn_deg'"),
        ({"phases": {"alone": {"los": {}}}}, "no key 'phases.alone.los'; did you mean 'loss'"),
        ({"phases": {"aloen": {}}}, "phases: unknown key 'aloen'; did you mean 'alone'"),
        ({"phases": {"alone": {"schedule": {"stes": 3}}}}, "schedule: unknown key 'stes'; did you mean 'steps'"),
        ({"phases": {"joint": {"lr": {"trunk": -1}}}}, "'phases.joint.lr.trunk': Input should be greater than 0"),
        ({"phases": {"joint": {"sources": [{"data": "ferpls", "clip": "still"}]}}}, "data set 'ferpls'; did you mean 'ferplus'"),
        ({"phases": {"joint": {"prior": "ckplus_neutral"}}}, "draws no stills of 'ckplus_neutral', which `prior` names"),
        ({"data": {"ckplus48": {"sequence": None}}}, "data.ckplus48.sequence is missing: clips 'last' are made of sequences"),
        ({"schedule": {"steps": 3}}, "schedule.steps has no effect, because each phase sets its own"),
        ({"loss": dict.fromkeys(SHIPPED.phases[0].loss.terms(), 0)}, "'loss': no term has a weight"),
        ({"data": {"ferplus": {"train": ["train", "valid"]}}}, "chosen by valid of 'ferplus': take it out of data.ferplus"),
        ({"data": {"ferplus": {"train": "test"}}}, "'data.ferplus.train.0': Input should be 'train' or 'valid'"),
        ({"phases": []}, "'phases': List should have at least 1 item"),
        ({"phases": ["alone"]}, "'phases.0': Input should be a valid dictionary"),
        ({"stage": "fase"}, "'fase' is neither a file here nor one of the shipped stages; did you mean face"),
    ],
)
def test_a_mistake_names_place_and_fix(entry, said):
    with pytest.raises(ConfigError, match=said) as error:
        face(**entry)
    assert str(error.value).startswith("run.yaml: stages.face: ")


def test_a_mistake_of_the_stage_file_names_that_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("stage: face\naugment: {turn: 3}\n")
    with pytest.raises(ConfigError, match=f"^{file}, for run: no key 'augment.turn'; did you mean 'turn_deg'"):
        read_stage("face", {"stage": str(file)}, "run")


def test_a_stage_of_no_file_says_what_is_missing():
    with pytest.raises(ConfigError, match="run: name its stage file with `stage` .*face.*, or give its `kind`"):
        read_stage("tune", {"schedule": {}}, "run")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"effects": {"snr_db": [9, 2]}}, "'effects.snr_db': a range goes from the smaller to the larger value"),
        ({"data": {"nemo": {"copy": 9}}}, "no key 'data.nemo.copy'; did you mean 'copies'"),
        ({"effects": None}, "data.ravdess.copies asks for changed copies: say with `effects`"),
        ({"phases": {"voices": {"sources": [{"data": "nemo"}, {"data": "nemo"}]}}}, "names a data set twice"),
    ],
)
def test_mistakes_of_the_voice(entry, said):
    with pytest.raises(ConfigError, match=said):
        read_stage("voice", entry, "run")


def test_mappings_are_merged_and_lists_are_replaced():
    below = {"a": {"x": 1, "y": 2}, "b": [1, 2], "c": [{"name": "one", "k": 1}, {"name": "two", "k": 2}]}
    above = {"a": {"y": 3}, "b": [4], "c": {"two": {"k": 5}}, "d": 6}
    assert merge(below, above) == {
        "a": {"x": 1, "y": 3}, "b": [4], "c": [{"name": "one", "k": 1}, {"name": "two", "k": 5}], "d": 6,
    }  # fmt: skip


def test_settings_reach_what_only_the_stage_file_says():
    values = {"stages": {"face": {}, "voice": {"phases": [{"name": "own", "lr": 1}]}}}
    set_value(values, "stages.face.phases.alone.schedule.steps=9")
    set_value(values, "stages.voice.phases.own.lr=2")
    assert values["stages"]["face"] == {"phases": {"alone": {"schedule": {"steps": 9}}}}
    assert values["stages"]["voice"] == {"phases": [{"name": "own", "lr": 2}]}
    for wrong, said in (
        ("stages.fase.phases.alone.kept=0", "there is no 'fase' here; did you mean 'face'"),
        ("stages.voice.phases.won.lr=2", "there is no 'won' here; did you mean 'own'"),
        ("stages.voice.phases.lr=2", "'phases' is a list; name an item of it: phases.NAME.lr"),
        ("seeds.x=2", "there is no 'seeds' here"),
    ):
        with pytest.raises(ConfigError, match=said):
            set_value(values, wrong)


def test_the_settings_of_the_page_are_ones(tmp_path):
    page = (shipped() / "docs" / "training.md").read_text(encoding="utf-8")
    change, run = (block.split("```")[0] for block in page.split("```yaml\n")[1:3])
    alone, joint = face(**yaml.safe_load(change)["face"]).phases
    assert alone.augment.erase == joint.augment.erase == 0.5 and joint.loss.coded == 2 and joint.plan(0).steps == 1200
    (tmp_path / "run.yaml").write_text(run)
    stage = load_run(tmp_path / "run.yaml").stages["face"]
    assert stage.data_sets() == ["ferplus", "faces.yaml"] and [phase.prior for phase in stage.phases] == ["ferplus", "mine"]
