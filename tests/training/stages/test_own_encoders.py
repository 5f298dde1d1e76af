"""configs/runs/own-encoders.yaml on pictures and clips of one's own, through the generic reader of recipes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from observations import make_observation
from PIL import Image
from training_data import keep, make_model, observe_sounds, write_sound

from emoreason.cli import run as command
from emoreason.config import shipped
from emoreason.errors import ConfigError
from emoreason.instructions.new_recipe import draft, write
from emoreason.instructions.observe_all import data_store, jobs_of, settings_of
from emoreason.instructions.readers import read
from emoreason.instructions.recipe import load_recipe
from emoreason.labels.action_units import AUS
from emoreason.labels.emotions import EMOTIONS
from emoreason.media import Clip
from emoreason.training.face.training import PARTS as FACE
from emoreason.training.parts import read_index
from emoreason.training.run import load_run
from emoreason.training.stages.kinds import stage_of
from emoreason.training.stages.stage import Workspace
from emoreason.training.voice.training import PARTS as VOICE

FEW = ["stages.face.phases.own.schedule={steps: 2, batch: 4, evaluate_every: 2}",
       "stages.voice.phases.own.schedule={steps: 2, batch: 4, evaluate_every: 2}"]  # fmt: skip
PEOPLE = ("ann", "bob", "cleo", "dan", "eve")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A table of pictures with emotion, person and action units; a folder of clips by emotion and speaker; a toy model."""
    home = tmp_path_factory.mktemp("own")
    make_model(home)
    rng, rows = np.random.default_rng(0), ["path,label,group,aus"]
    (home / "faces").mkdir()
    for person in PEOPLE:
        for label, units in (("joy", "AU06 AU12"), ("anger", "AU04"), ("bored", "")):
            for take in range(2):
                name = f"{person}-{label}-{take}.png"
                Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(home / "faces" / name)
                rows.append(f"{name},{label},{person},{units}")
    (home / "faces" / "faces.csv").write_text("\n".join(rows) + "\n")
    for label in ("happy", "sad"):
        for number, person in enumerate(PEOPLE):
            place = home / "voices" / label / person
            place.mkdir(parents=True)
            write_sound(place / "1.wav", 200 + 30 * number + 100 * (label == "sad"))
    for name, source in (("faces", home / "faces" / "faces.csv"), ("voices", home / "voices")):
        write(draft(source, name), "", home)
    observe_pictures(home / "faces.yaml", home / "store")
    recipe = load_recipe(home / "voices.yaml")
    observe_sounds(jobs_of(read(recipe, home / "voices"), home / "voices", words=False), home / "store")
    return home


def observe_pictures(recipe_file: Path, store: Path) -> None:
    """Stands for `emoreason data observe`: a face in the middle of each picture, made up."""
    recipe, kept = load_recipe(recipe_file), data_store(store)
    root = Path(recipe.folder)
    for n, record in enumerate(read(recipe, root)):
        seen = make_observation(0.08, people=[{}], size=(64, 64))
        source = Clip(root / record.media.image).source
        keep(kept, replace(seen, source=source, settings=settings_of(record, False, "picture").to_dict()), n)


def stage(home, name, recipe, settings=()):
    run = load_run("own-encoders", [f"model={home / 'toy.yaml'}", *FEW, *settings], data=str(home / recipe))
    return stage_of(Workspace(run, home / "out", store=home / "store"), name)


@pytest.mark.parametrize(("name", "recipe", "parts"), [("face", "faces.yaml", FACE), ("voice", "voices.yaml", VOICE)])
def test_the_commands_of_the_page_train_an_encoder(home, name, recipe, parts, capsys, monkeypatch):
    monkeypatch.chdir(home)
    page = (shipped() / "docs" / "training.md").read_text(encoding="utf-8")
    line = f"emoreason train own-encoders --stage {name} --data {recipe} --out OUT"
    assert line in page
    few = [part for setting in FEW for part in ("--set", setting)]
    arguments = [*line.split()[1:], "--set", f"model={home / 'toy.yaml'}", "--store", str(home / "store"), *few]
    assert command([*arguments, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert f"{name}: kind {name}, 2 steps, data sets {recipe}" in told and f"records of {recipe}" in told
    assert ("joy 10 (happiness), anger 10 (anger), bored 10 (no emotion)" in told) == (name == "face")
    assert "not observed" not in told
    assert command([*arguments, "--dry-run", "--store", str(home / "empty")]) == 0
    assert f"run `emoreason data observe {recipe} --no-words` first" in capsys.readouterr().out
    assert command(arguments) == 0
    assert capsys.readouterr().out.split() == [f"OUT/{name}/page.html"]
    index = read_index(home / "OUT" / name / "final")
    assert set(index["parts"]) == set(parts) and 0 <= index["info"]["valid"]["uar"] <= 1


def test_pictures_become_faces_with_emotions_and_units(home):
    faces = stage(home, "face", "faces.yaml").faces(None)["own"]
    assert len(faces) == 30 and set(faces.groups) == set(PEOPLE)
    happy, angry = (EMOTIONS.index(name) for name in ("happiness", "anger"))
    smile, frown = AUS.index("AU12"), AUS.index("AU04")
    for place, name in enumerate(faces.ids):
        _, label, _ = Path(name).stem.split("-")
        assert faces["majority"][place] == {"joy": happy, "anger": angry, "bored": -1}[label]
        assert faces["emotion"][place].isnan().all() == (label == "bored")  # stands for none of the eight
        assert (faces["aus"][place, smile] == 1) == (label == "joy") and (faces["aus"][place, frown] == 1) == (label == "anger")
    train, valid = (set(faces.split(name).groups) for name in ("train", "valid"))
    assert train and valid and not train & valid


def test_units_that_people_coded_are_learned(home):
    """The heads saw what was coded: on pictures, the term of coded units was not empty."""
    logged = stage(home, "face", "faces.yaml", ["stages.face.phases.own.schedule.log_every=1"])
    assert logged.run(None)
    history = (home / "out" / "face" / "final" / "history.json").read_text()
    assert '"coded": 0.0' not in history and '"coded"' in history


def test_clips_become_voices_with_changed_copies(home):
    made = stage(home, "voice", "voices.yaml")
    encoder, _ = made.source()
    corpus = made.corpora(encoder, ("valid",), None)["own"]
    assert set(corpus.voices.speakers) == set(PEOPLE) and len(corpus.copies) == 4
    assert all(corpus.voices.splits[i] == "train" for i in corpus.train)
    assert set(corpus.train).isdisjoint(corpus.voices.of_split("valid"))
    folders = {path.parent.name for path in (home / "out" / "voice" / "states").rglob("*.safetensors")}
    other = stage(home, "voice", "voices.yaml", ["stages.voice.effects.noise=0.0"])
    other.corpora(encoder, ("valid",), None)
    more = {path.parent.name for path in (home / "out" / "voice" / "states").rglob("*.safetensors")} - folders
    assert len(folders) == 2 and len(more) == 1  # copies that are changed otherwise; the clips as they are stay


@pytest.mark.parametrize(
    ("name", "recipe", "said"),
    [
        ("face", "voices.yaml", "data.own: recipe '.*voices.yaml' has no pictures"),
        ("voice", "faces.yaml", "data.own: recipe '.*faces.yaml' has no sounds"),
    ],
)
def test_the_wrong_recipe_is_told(home, name, recipe, said):
    with pytest.raises(ConfigError, match=said):
        stage(home, name, recipe).run(None)


def test_a_person_in_two_splits_is_refused(home):
    recipe = yaml.safe_load((home / "faces.yaml").read_text())
    recipe["splits"] = {"of": "{path}", "folds": 2, "members": {"valid": ["0"]}, "rest": "train"}
    (home / "leaky.yaml").write_text(yaml.safe_dump(recipe | {"name": "leaky"}))
    with pytest.raises(ConfigError, match="leaky at .*: .*groups? .*several splits"):
        stage(home, "face", "leaky.yaml").run(None)
