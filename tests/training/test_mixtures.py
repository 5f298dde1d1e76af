"""What a part of a mixture chooses: how many, of which classes, with what context, and nothing that is tested on."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from training_data import make_data, observe

from emoreason.cli import run as command
from emoreason.errors import ConfigError
from emoreason.instructions.interchange import read_conversations
from emoreason.instructions.observe_all import files_of, jobs_of
from emoreason.instructions.record import ClosedLabel, Record, Turn
from emoreason.instructions.tasks import conversation
from emoreason.training import mixtures
from emoreason.training.face.data import fold_of
from emoreason.training.mixtures import class_of, focused, limited
from emoreason.training.run import load_run


def labelled(n: int, word: str) -> Record:
    label = ClosedLabel(scheme="s", value=word)
    return Record(id=f"{word}{n}", dataset="d", split="train", group="g", licence="l", transcript="x", labels=[label])


RECORDS = [
    *(labelled(n, "joy") for n in range(50)),
    *(labelled(n, "fear") for n in range(5)),
    *(labelled(n, "rage") for n in range(20)),
]


def test_a_balanced_limit_takes_turns_until_a_class_runs_out():
    chosen = limited(RECORDS, 30, True, np.random.default_rng(1))
    counts = Counter(map(class_of, chosen))
    assert counts["fear"] == 5 and sorted((counts["joy"], counts["rage"])) == [12, 13]
    assert len({record.id for record in chosen}) == 30


def test_a_limit_is_the_same_for_the_same_seed():
    one, other = (limited(RECORDS, 30, True, np.random.default_rng(1)) for _ in range(2))
    assert one == other != limited(RECORDS, 30, True, np.random.default_rng(2))


def test_no_limit_keeps_all_in_random_order():
    chosen = limited(RECORDS, None, False, np.random.default_rng(0))
    assert chosen != RECORDS and sorted(r.id for r in chosen) == sorted(r.id for r in RECORDS)


def scene(*texts: str, target: int | None = None, split: str = "train") -> Record:
    turns = [Turn(text=text) for text in texts]
    return Record(id="s", dataset="d", split=split, group="g", licence="l", turns=turns, target_turn=target)


def test_a_dialogue_is_cut_to_what_was_said_before():
    record = focused(scene("a", "b", "c", "d", "e", target=3), 2)
    assert [turn.text for turn in record.turns] == ["b", "c", "d"] and record.target_turn == 2
    assert focused(scene("a", "b", target=0), 2).turns[0].text == "a" and len(focused(scene("a", "b", target=0), 2).turns) == 1
    whole = scene("a", "b")
    assert focused(whole, 1) is whole  # nobody is asked about in particular


RUN = """
model: tiny
stages:
  align:
    stage: align
    validation: 2
    mixture:
      blends: {data: ferplus, kind: mixup, limit: 3, tasks: [several, compound]}
      cuts: {data: ferplus, kind: cutmix, limit: 3, tasks: [several]}
      rises: {data: ckplus_neutral_peak, kind: sequences, tasks: [emotion, action_units]}
    schedule: {steps: 1, batch: 1}
"""
HELD_APART = 4  # the fold of the recipe's test split
HELD = next(f"S{n:03d}" for n in range(99) if fold_of(f"S{n:03d}") == HELD_APART)
TRAINED_ON = [f"S{n:03d}" for n in range(99) if fold_of(f"S{n:03d}") < HELD_APART - 1][:3]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """FER+, and four subjects of CK+ with a smile each."""
    folder = tmp_path_factory.mktemp("data")
    make_data(folder)
    rows = ["image,sequence,AU4,AU12"]
    for n, subject in enumerate([*TRAINED_ON, HELD]):
        rows.append(f"x,{subject}_001,0,1")
        for place in ("neutral/{}_001_00000001.png", "happiness/{}_001_00000015.png"):
            path = folder / "ckplus48/neutral_peak" / place.format(subject)
            path.parent.mkdir(parents=True, exist_ok=True)
            shade = 10 + 20 * n + 90 * ("happiness" in place)
            Image.fromarray(np.full((48, 48, 3), shade, np.uint8)).save(path)
    (folder / "ckplus48/au_labels.csv").write_text("\n".join(rows) + "\n")
    return folder


def read_run(folder: Path, text: str = RUN):
    (folder / "run.yaml").write_text(text)
    return load_run(folder / "run.yaml")


def test_what_no_data_set_has_is_made_the_same_twice(data, tmp_path):
    run = read_run(tmp_path)
    one, other = (mixtures.build(run, {}, str(data), tmp_path / name) for name in ("one", "other"))
    assert one == other and one["align/blends"]["train"]["records"] == 3
    for path in (tmp_path / "one/made").rglob("*.png"):
        assert path.read_bytes() == (tmp_path / "other" / path.relative_to(tmp_path / "one")).read_bytes()


def test_made_records_have_files_labels_and_questions(data, tmp_path):
    run = read_run(tmp_path)
    mixtures.build(run, {}, str(data), tmp_path / "made")
    parts = mixtures.part_sources(run, "align", mixtures.locate(run, {}, str(data)), tmp_path / "made")
    for name, source in parts.items():
        assert source.records and all(record.split == "train" for record in source.records)
        assert all(path.is_file() for record in source.records for path in files_of(record, source.roots))
        assert len(jobs_of(source.records, source.roots, words=False)) == len(source.records)
        for record in source.records:
            asked = conversation(record, None, [], source.tasks_for(record), random.Random(0))
            shown = set(record.labels[0].shares or {record.labels[0].value})
            assert len(shown) == (1 if name == "rises" else 2)
            assert all(emotion in " ".join(exchange.answer for exchange in asked) for emotion in shown)
    rises = parts["rises"].records
    assert {record.group for record in rises} <= set(TRAINED_ON) and len(rises) == 3
    assert all(record.action_units[1].onset_s < record.action_units[1].apex_s for record in rises)


def test_a_set_that_is_only_tested_on_never_trains(tmp_path):
    (tmp_path / "emer").mkdir()
    (tmp_path / "emer/final-EMER-reason.csv").write_text("name,chinese,english\ns1,x,He smiles.\n")
    part = "      told: {data: emer, tasks: [description]}\n"
    text = RUN.partition("      blends")[0] + part + "    schedule: {steps: 1, batch: 1}\n"
    with pytest.raises(ConfigError, match="stages.align.mixture.told: .* its data are only for test"):
        mixtures.build(read_run(tmp_path, text), {}, str(tmp_path), tmp_path / "out")


def test_the_commands_take_a_run(data, tmp_path, capsys):
    part = "      faces: {data: ferplus, limit: 4, tasks: [emotion, reasoning], questions: 1}\n"
    run = tmp_path / "run.yaml"
    run.write_text(RUN.partition("      blends")[0] + part + "    schedule: {steps: 1, batch: 1}\n")
    observe(data, tmp_path / "store", ("ferplus", "ravdess"))
    root = ["--root", f"ferplus={data / 'fer2013_ferplus'}"]
    store, built = ["--store", str(tmp_path / "store")], ["--mixtures", str(tmp_path / "built")]
    assert command(["data", "validate", str(run), *root]) == 0
    assert "ferplus: ok" in capsys.readouterr().out
    assert command(["data", "observe", str(run), *root, *store, *built]) == 1
    assert f"emoreason data build {run}" in capsys.readouterr().err
    assert command(["data", "build", str(run), *root, "--out", str(tmp_path / "built")]) == 0
    assert "align/faces/train  4 records  sha256" in capsys.readouterr().out
    assert command(["data", "observe", str(run), *root, *store, *built, "--workers", "1"]) == 0
    assert "align-faces-train: 0 measured, 4 known, 0 failed" in capsys.readouterr().out
    assert command(["data", "preview", str(run), *root, *store, *built, "--out", str(tmp_path / "pages")]) == 0
    page = (tmp_path / "pages/align-faces.html").read_text("utf-8")
    assert page.count("<article>") == 4 and "run: align-faces" in page
    assert command(["data", "export", str(run), *root, *store, *built, "--out", str(tmp_path / "lines")]) == 0
    lines = list(read_conversations(tmp_path / "lines/align-faces.train.jsonl"))
    assert len(lines) == 4 and all(len(line.images) == 1 and len(line.messages) == 2 for line in lines)
    assert command(["data", "export", "ferplus", *root, *store, "--out", str(tmp_path / "x"), "--format", "other"]) == 1
    assert "ms-swift or llama-factory" in capsys.readouterr().err
