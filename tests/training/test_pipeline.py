"""A whole run on made-up data, from recipes to a checkpoint that loads: all its stages, interrupted and gone on with."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from training_data import SETS, make_run

from emoreason.cli.main import run as command
from emoreason.instructions.observe_all import data_store
from emoreason.instructions.recipe import load_recipe
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import IGNORED
from emoreason.training import log, mixtures, samples, sft
from emoreason.training.calibration import calibrate_run
from emoreason.training.parts import read_index
from emoreason.training.pipeline import Pipeline
from emoreason.training.run import load_run
from emoreason.training.ship import ship


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    make_run(folder)
    return folder


@pytest.fixture
def options(folder) -> list[str]:
    roots = {name: folder / "data" / load_recipe(name).folder for name in SETS}
    return [*(part for name in SETS for part in ("--root", f"{name}={roots[name]}")), "--store", f"{folder}/store"]


def pipeline(folder, out) -> Pipeline:
    return Pipeline(load_run(folder / "run.yaml"), out, {}, str(folder / "data"), folder / "store")


@pytest.fixture(scope="module")
def stage(folder, tmp_path_factory) -> sft.TuningSetup:
    """The multitask stage, not trained, its mixtures built and its tokens computed."""
    out = tmp_path_factory.mktemp("stage")
    mixtures.build(load_run(folder / "run.yaml"), {}, str(folder / "data"), out / "mixtures")
    made = sft.TuningSetup(
        load_run(folder / "run.yaml"), "multitask", out, {}, str(folder / "data"), data_store(folder / "store"), skip_missing=True
    )
    made.prepare()
    return made


# mixtures


def test_mixtures_build_twice_with_identical_hashes(folder, tmp_path):
    run = load_run(folder / "run.yaml")
    one, other = (mixtures.build(run, {}, str(folder / "data"), tmp_path / name) for name in ("one", "other"))
    assert one == other and set(one) == {
        "align/faces", "align/voices", "multitask/pairs", "multitask/conflicts", "multitask/dialogue", "reason/faces",
    }  # fmt: skip
    index = json.loads((tmp_path / "one" / "mixtures.json").read_text())
    assert index["dropped_as_tested"] == {"meld": 3}  # the one scene that its own test split tells, too


def test_a_data_set_that_is_not_there_is_named_before_anything(folder, tmp_path, capsys):
    code = command(["train", str(folder / "run.yaml"), "--out", str(tmp_path), "--root", "ferplus=/no/such/place"])
    said = capsys.readouterr().err
    assert code == 1 and "ferplus (recipe" in said and "say --root ferplus=DIR" in said
    assert not list(tmp_path.iterdir())


# samples


def test_examples_are_the_same_for_the_same_draw(stage):
    source = stage.conversations()
    draws = [next(source.mixture) for _ in range(12)]
    one, other = ([source.example(draw) for draw in draws] for _ in range(2))
    assert [example and (example.inputs.question, example.answer) for example in one] == [
        example and (example.inputs.question, example.answer) for example in other
    ]
    assert any(example is not None and example.inputs.face_tokens is not None for example in one)
    assert any(example is not None and example.inputs.voice_tokens is not None for example in one)
    assert {example.sentiment for example in one if example} > {IGNORED}


def test_no_answer_cites_what_the_prompt_does_not_show(stage):
    source = stage.conversations()
    source.dropout = {"face": 0.5, "voice": 0.5, "evidence": 0.5}
    for _ in range(60):
        example = source.example(next(source.mixture))
        if example is None:
            continue
        shown = {line.id for line in example.inputs.evidence}
        answers = [answer for _, answer in example.inputs.turns] + [example.answer]
        cited = {
            word.strip("[](),.") for answer in answers for word in answer.split() if word.startswith(("[f", "[v", "(f", "(v"))
        }
        assert cited <= shown, (cited, shown, answers)


def test_a_conflict_that_lost_one_side_is_labelled_by_the_other(stage):
    source = stage.conversations()
    given = source.sources["conflicts"]
    record = given.records[0]
    own = {label.scheme: label.value for label in record.labels}
    for gone, scheme in (("face", "emoreason.voice"), ("voice", "emoreason.face")):
        source.dropout = {gone: 1.0}
        example = source.make(record, replace(given, questions=1), np.random.default_rng(0))
        label = [answer for _, answer in example.inputs.turns][0] if example.inputs.turns else example.answer
        assert f"emotion={own[scheme]}<" in label
        assert (example.inputs.face_tokens is None) == (gone == "face")


def test_supervised_are_the_answers_alone(stage):
    source = stage.conversations()
    examples = [example for _, example in stage.validation(2)]
    batch = source.collate(examples)
    for row, example in zip(batch["labels"], examples, strict=True):
        text = stage.processor.tokenizer.decode(row[row != IGNORED])
        answers = [answer for _, answer in example.inputs.turns] + [example.answer]
        assert all(answer.split("<answer>")[0].strip() in text for answer in answers)


def test_tokens_of_a_cache_are_those_of_the_encoders(stage):
    source = stage.conversations("valid")
    record = source.sources["pairs"].records[0]
    cached = source.make(record, source.sources["pairs"], np.random.default_rng(1))
    source.features = None
    cut = source.make(record, source.sources["pairs"], np.random.default_rng(1))
    with torch.no_grad():
        expected = stage.model(**stage.processor([cut.inputs], [cut.answer])).loss
        given = stage.model(**stage.processor([cached.inputs], [cached.answer])).loss
    torch.testing.assert_close(given, expected, atol=2e-3, rtol=2e-3)  # the cache is in half precision


# the whole


@pytest.fixture(autouse=True)
def few_words(monkeypatch):
    """A random model never ends its answers."""
    monkeypatch.setattr(samples, "MOST_TOKENS", 6)
    monkeypatch.setattr(samples, "COUNT", 2)


def test_all_stages_train_stop_go_on_and_ship(folder, options, tmp_path, capsys):
    run, out = str(folder / "run.yaml"), tmp_path / "out"
    assert command(["train", run, "--out", str(out), "--dry-run", "--stage", "align", *options]) == 0
    told = capsys.readouterr().out
    assert "«" in told and "leaks      none" not in told and "records dropped, their words are tested on" in told
    assert "missing    none" in told and not (out / "align").exists()
    assert command(["train", run, "--out", str(out), "--dry-run", *options]) == 0
    assert "face: " in capsys.readouterr().out and not (out / "face").exists()

    assert command(["train", run, "--out", str(out), *options]) == 0
    stages = ("face", "voice", "align", "multitask", "reason", "words")
    assert capsys.readouterr().out.split() == [str(out / name / "page.html") for name in stages]
    assert {"face", "face.trunk", "heads.emotion"} <= set(read_index(out / "face" / "final")["parts"])
    assert set(read_index(out / "voice" / "final")["parts"]) == {"voice", "heads.voice_emotion"}
    assert set(read_index(out / "multitask" / "final")["parts"]) == {"connectors", "tokens", "language", "heads"}
    assert set(read_index(out / "reason" / "final")["parts"]) == {"language"}
    assert set(read_index(out / "words" / "final")["parts"]) == {"heads.words_emotion", "words_adapter"}
    read = log.read(out / "words")
    assert [entry["step"] for entry in read] == [1, 2, 3] and read[0]["read_train_meld"] > 0 and "uar_even_meld" in read[-1]
    assert any("valid_uar_even_meld" in entry for entry in log.read(out / "words" / "tuning"))
    aligned, tuned = (load_file(out / name / "final" / "connectors.safetensors") for name in ("align", "multitask"))
    assert any(not torch.equal(aligned[name], tuned[name]) for name in aligned)
    for name, figure in (("face", "valid.uar"), ("voice", "valid.uar"), ("words", "words.loss")):
        assert figure in (out / name / "page.html").read_text()
    page = (out / "multitask" / "page.html").read_text()
    assert "Samples before and after" in page and "loss_dialogue" in page and "polyline" in page
    assert command(["train", run, "--out", str(out), *options]) == 0  # nothing is left to do

    shipped = tmp_path / "weights"
    settings, chosen = calibrate_run(load_run(run), out, {}, str(folder / "data"), data_store(folder / "store"), most=4)
    assert settings["temperature"] > 0 and set(settings["weights"]) == {"language", "emotion"} and 0 < chosen["coverage"] <= 1
    measured = ship(load_run(run), out, shipped, settings)
    assert set(measured) == {"face", "voice", "align", "multitask", "reason", "words"}
    model = EmoReasonForConditionalGeneration.from_pretrained(shipped)
    assert model.config.trained and model.config.verdict == settings
    last = load_file(out / "reason" / "final" / "language.safetensors")
    name = next(name for name in last if "lora_B" in name)
    torch.testing.assert_close(model.state_dict()[name], last[name].half().float())
    seen = load_file(out / "face" / "final" / "face.trunk.safetensors")
    name = next(name for name, value in seen.items() if value.dim() > 1)
    torch.testing.assert_close(model.state_dict()[name], seen[name].half().float())
    heard = load_file(out / "words" / "final" / "heads.words_emotion.safetensors")["heads.words_emotion.out.weight"]
    torch.testing.assert_close(model.heads["words_emotion"].out.weight, heard.half().float())
    assert model.config.words == {"layer": 1, "languages": ["en"], "adapter": {"rank": 2, "layers": 1}}
    changed = load_file(out / "words" / "final" / "words_adapter.safetensors")
    name = next(name for name in changed if ".1.weight" in name and changed[name].any())
    torch.testing.assert_close(model.state_dict()[name], changed[name].half().float())
    card = (shipped / "README.md").read_text()
    assert "FER2013 competition terms" in card and "| multitask | multitask.loss |" in card and "prohibited" in card
    assert "hours in all" in card and "## Results" not in card


def test_a_stage_waits_for_those_that_it_begins_with(folder, options, tmp_path, capsys):
    run, out = str(folder / "run.yaml"), tmp_path / "out"
    for stage, earlier in (("words", "reason"), ("multitask", "align")):
        assert command(["train", run, "--out", str(out), "--stage", stage, *options]) == 1
        assert f"stage '{stage}' starts from '{earlier}', which is not finished in {out}" in capsys.readouterr().err
    assert not (out / "words").exists()


def test_a_begun_stage_asks_for_resume(folder, options, tmp_path, capsys):
    run = yaml.safe_load((folder / "run.yaml").read_text())
    run["stages"] = {"align": run["stages"]["align"] | {"start": []}}
    file = tmp_path / "short.yaml"
    file.write_text(yaml.safe_dump(run))
    out = tmp_path / "out"

    def stop(stage, done, total):
        if stage.startswith("training"):
            raise KeyboardInterrupt

    settings = ["stages.align.schedule.save_every_s=0"]
    made = Pipeline(load_run(file, settings), out, {}, str(folder / "data"), folder / "store")
    with pytest.raises(KeyboardInterrupt):
        made.train("align", stop)
    assert made.begun("align")
    assert command(["train", str(file), "--out", str(out), "--set", settings[0], *options]) == 1
    assert "say --resume" in capsys.readouterr().err
    assert command(["train", str(file), "--out", str(out), "--resume", "--set", settings[0], *options]) == 0
