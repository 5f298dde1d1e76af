"""docs/finetune.md: its five commands, read from the page and run on a few made-up clips and a toy base."""

import json
import shlex
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from observations import make_observation
from training_data import make_model, observe_sounds, write_sound

from emoreason.cli import demo
from emoreason.cli.main import run as command
from emoreason.config import shipped
from emoreason.inference.judges.loading import load_model
from emoreason.labels.emotions import EMOTIONS
from emoreason.media import Clip
from emoreason.model import checkpoint_files
from emoreason.model.config import EmoReasonConfig
from emoreason.model.untrained import untrained
from emoreason.training import samples
from emoreason.training.ship import save

PAGE = (shipped() / "docs" / "finetune.md").read_text(encoding="utf-8")
COMMANDS = [line.split("#")[0].strip() for line in PAGE.split("```sh\n")[1].split("```")[0].splitlines()]
LABELS = {"grumpy": 150, "chirpy": 400}
FEW = "--set stages.tune.schedule.steps=3 --set stages.tune.schedule.batch=2 --set stages.tune.schedule.evaluate_every=3"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with clips in `moods`, and the toy base where the package keeps its weights."""
    folder = tmp_path_factory.mktemp("home")
    for label, hz in LABELS.items():
        for speaker in ("ann", "bob", "cleo"):
            place = folder / "moods" / label / speaker
            place.mkdir(parents=True)
            for number in range(2):
                write_sound(place / f"{number}.wav", hz + 10 * number + len(speaker))
    save(*untrained(make_model(folder)), folder / "weights" / "tiny")
    return folder


@pytest.fixture
def here(home, monkeypatch):
    monkeypatch.chdir(home)
    for module in ("instructions.observe_all", "training.pipeline"):
        monkeypatch.setattr(f"emoreason.{module}.default_store", lambda: home / "store")
    for module in ("instructions.observe_all", "instructions.preview"):
        monkeypatch.setattr(f"emoreason.{module}.observe_all", observe_sounds)
    monkeypatch.delenv("EMOREASON_DATA", raising=False)
    monkeypatch.setattr("emoreason.config.SHIPPED_WEIGHTS", home / "weights")
    monkeypatch.setattr(samples, "MOST_TOKENS", 4)  # a random model never ends its answers
    monkeypatch.setattr(samples, "COUNT", 2)
    return home


def said(line: str, more: str = "") -> int:
    program, *arguments = shlex.split(f"{line} {more}")
    assert program == "emoreason"
    return command(arguments)


def test_there_are_five_commands():
    assert [line.split()[1] for line in COMMANDS] == ["data", "data", "train", "train", "demo"]


def test_from_a_folder_of_clips_to_a_checkpoint(here, capsys, monkeypatch):
    new, observe, look, train, _ = COMMANDS
    assert said(new) == 0
    recipe = (here / "moods.yaml").read_text()
    assert "grumpy" in recipe and str(here / "moods") in recipe
    assert "next: emoreason data observe moods.yaml --no-words" in capsys.readouterr().out
    assert said(observe) == 0
    before = {file.name: file.read_bytes() for file in (here / "weights" / "tiny").iterdir()}

    assert said(look, FEW) == 0
    shown = capsys.readouterr().out
    assert "missing    none" in shown and "leaks      none" in shown and "grumpy" in shown and "MB were free" in shown
    assert not (here / "runs" / "moods" / "config.json").exists()

    assert said(train, FEW) == 0
    out = here / "runs" / "moods"
    assert capsys.readouterr().out.split() == [str(Path("runs/moods/tune/page.html")), str(Path("runs/moods/page.html"))]
    page = (out / "page.html").read_text(encoding="utf-8")
    for part in ("Your validation clips", "What is taken for what", "Worst samples", "What was forgotten", "UAR", "<svg"):
        assert part in page
    assert "tiny, sha256" in page
    assert "Not asked: ferplus: its data are not there" in page
    config = EmoReasonConfig.from_pretrained(out)
    assert config.base == {"path": "tiny", "sha256": checkpoint_files.sha256(here / "weights" / "tiny")}
    assert config.scheme == "moods" and sorted(config.labels) == sorted(LABELS)
    assert (out / checkpoint_files.WEIGHTS).stat().st_size < (here / "weights" / "tiny" / checkpoint_files.WEIGHTS).stat().st_size
    assert "What a fine-tuning changed of the checkpoint `tiny`" in (out / "README.md").read_text()
    assert before == {file.name: file.read_bytes() for file in (here / "weights" / "tiny").iterdir()}
    assert said(train, FEW) == 0  # nothing is left to do
    assert capsys.readouterr().out.split() == [str(Path("runs/moods/page.html"))]


def test_the_checkpoint_answers_in_the_new_labels_and_the_base_does_not(here, capsys):
    clip = Clip(next((here / "moods" / "chirpy").rglob("*.wav")))
    seen = make_observation(1.5, people=[], voice={"loudness": (60.0, "high")}, has_video=False)
    observation = replace(seen, source=clip.source)
    capsys.readouterr()
    assert command(["export", "runs/moods", "--out", "exported"]) == 0
    told = {name: load_model(name).judge([(observation, clip)])[0].clip.verdict() for name in ("runs/moods", "exported", "tiny")}
    for name in ("runs/moods", "exported"):
        assert told[name].scheme == "moods" and set(told[name].probabilities) == set(LABELS)
    assert told["exported"].probabilities == pytest.approx(told["runs/moods"].probabilities, abs=2e-3)
    assert told["tiny"].scheme == "emoreason" and set(told["tiny"].probabilities) == set(EMOTIONS)


def test_the_demo_takes_the_checkpoint(here, monkeypatch):
    asked = {}
    page = demo.load("server")
    monkeypatch.setattr(page, "launch", lambda settings: asked.update(settings=settings) or (Ended(), "http://here"))
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # this process is not the demo
    assert said(COMMANDS[4]) == 0
    assert asked["settings"].models == {"moods": "runs/moods", "tiny": "tiny", "composer": "composer"}


class Ended:
    def block_thread(self):
        pass


def test_another_base_in_the_same_folder_is_refused(here, capsys):
    (here / "runs" / "moods" / "base.json").write_text(json.dumps({"path": "tiny", "sha256": "0" * 64}))
    for file in (here / "runs" / "moods" / "tune" / "final").iterdir():
        file.unlink()
    assert said(COMMANDS[3], f"{FEW} --resume") == 1
    assert "was begun from 'tiny' (sha256 000000000000)" in capsys.readouterr().err
