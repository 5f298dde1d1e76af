"""What holds for the stages of every kind, and how the pipeline goes through them."""

import inspect
import signal

import pytest
from training_data import make_run

from emoreason.errors import ConfigError
from emoreason.training import pipeline as pipelines
from emoreason.training.checkpoint import latest, load_file
from emoreason.training.parts import part_state, read_index
from emoreason.training.pipeline import Pipeline
from emoreason.training.run import load_run
from emoreason.training.settings.read import KINDS
from emoreason.training.stages.kinds import STAGES, stage_of
from emoreason.training.stages.stage import Stage, Workspace

PLAN = "{steps: 6, batch: 4, evaluate_every: 3, log_every: 1, save_every_s: 0}"
PHASE = f"{{schedule: {PLAN}, validation: ferplus}}"
SETTINGS = [f"stages.face.phases={{alone: {PHASE}, joint: {PHASE}}}", f"stages.voice.schedule={PLAN}"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    make_run(folder)
    return folder


def pipeline(folder, out, settings=SETTINGS):
    return Pipeline(load_run(folder / "run.yaml", settings), out, {}, str(folder / "data"), folder / "store")


def test_each_kind_of_settings_has_one_class():
    assert {stage.settings_type for stage in STAGES} == set(KINDS.values()) and len(STAGES) == len(KINDS)


def test_the_pipeline_knows_no_stage():
    source = inspect.getsource(pipelines)
    assert not [kind for kind in KINDS if f'"{kind}"' in source or f"{kind.capitalize()}Stage" in source]


def test_a_stage_is_found_by_its_kind_whatever_its_name(tmp_path):
    run = load_run("tiny", ["stages.second={stage: face}"])
    work = Workspace(run, tmp_path)
    assert {name: type(stage_of(work, name)).__name__ for name in run.stages} == {
        "face": "FaceStage", "voice": "VoiceStage", "align": "SftStage", "multitask": "SftStage", "reason": "SftStage",
        "words": "WordsStage", "second": "FaceStage",
    }  # fmt: skip
    assert all(isinstance(stage_of(work, name), Stage) for name in run.stages) and not list(tmp_path.iterdir())


def test_a_model_has_one_head_on_utterances():
    with pytest.raises(ConfigError, match="stages words and again are both of kind words"):
        load_run("tiny-smoke", ["stages.again={stage: words, data: [meld], layer: 1, languages: [en]}"])


@pytest.mark.parametrize(("stage", "missing"), [("face", "ckplus48"), ("voice", "nemo"), ("align", "ravdess"), ("words", "meld")])
def test_data_that_are_not_there_are_named_before_anything(folder, tmp_path, stage, missing):
    run = load_run(folder / "run.yaml")
    roots = {missing: tmp_path / "nowhere"}
    with pytest.raises(ConfigError, match=f"{missing} .*nowhere: say --root {missing}=DIR"):
        Pipeline(run, tmp_path, roots, str(folder / "data"), folder / "store").check([stage], dry=True)


@pytest.mark.parametrize(("name", "part"), [("face", "face.trunk"), ("voice", "voice")])
def test_a_stage_that_is_stopped_goes_on_to_the_same_weights(folder, tmp_path, name, part):
    """SIGTERM after the fourth step of the first phase, which the fifth one hears; the second training is not stopped at all."""
    stopped, whole = pipeline(folder, tmp_path / "stopped"), pipeline(folder, tmp_path / "whole")

    def stop(what, done, total):
        if what.startswith("training") and done == 4:
            signal.raise_signal(signal.SIGTERM)

    assert not stopped.train(name, stop) and stopped.begun(name) and name in stopped.waiting() and not stopped.pages(name)
    assert latest(next((tmp_path / "stopped" / name).glob("*/step-*")).parent).name == "step-00000005"
    assert stopped.train(name) and whole.train(name)
    assert stopped.pages(name) and name not in stopped.waiting()
    first, second = (load_file(tmp_path / out / name / "final" / f"{part}.safetensors") for out in ("stopped", "whole"))
    for key, value in first.items():
        assert value.allclose(second[key], atol=1e-5), key
    assert set(stopped.stage(name).figures()) == set(whole.stage(name).figures()) > {"valid.uar"}


def test_the_parts_of_any_stage_are_loaded_alike(folder, tmp_path):
    from emoreason.model.untrained import untrained

    made = pipeline(folder, tmp_path)
    assert made.train("voice")
    model, _ = untrained(folder / "toy.yaml")
    made.stage("voice").load(model)
    assert set(read_index(tmp_path / "voice" / "final")["parts"]) == {"voice", "heads.voice_emotion"}
    saved = load_file(tmp_path / "voice" / "final" / "voice.safetensors")
    assert all(value.equal(saved[name]) for name, value in part_state(model, "voice").items())
