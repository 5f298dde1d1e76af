"""Validation: counts, media and leaks, on sets made here and, where they are at hand, on the real ones."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from emoreason.cli import run
from emoreason.errors import ConfigError
from emoreason.instructions.leaks import apply_rule, contents, find_leaks, hash_media
from emoreason.instructions.recipe import Recipe, load_recipe
from emoreason.instructions.store import read_index, read_records
from emoreason.instructions.validate import data_root, load, validate

RECIPE = {
    "name": "toy",
    "title": "t",
    "source": "s",
    "licence": "l",
    "terms": "t",
    "layout": "split/label/subject_number.png",
    "folder": "toy",
    "faces": "cropped",
    "reader": {"kind": "files", "pattern": r"(?P<split>\w+)/(?P<label>\w+)/(?P<who>\w)_(?P<n>\d+)\.png"},
    "fields": {"id": "{split}_{who}_{n}", "group": "{who}", "label": "{label}", "image": "{path}"},
    "scheme": {"name": "toy", "labels": ["joy", "grief"]},
    "metric": "accuracy",
    "expected": {"train": 3, "test": 2},
}
ALLOWED = {"leaks": {"groups": "allowed", "why": "as published"}}
RULE = {"leaks": {"identical_media": ["test", "train"], "why": "the copy in test counts"}}


def picture(root: Path, name: str, seed: int) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (8, 8), dtype=np.uint8)).save(path)


@pytest.fixture
def root(tmp_path) -> Path:
    """Three pictures of persons a and b in train, two of c in test, all different."""
    names = ("train/joy/a_1", "train/joy/a_2", "train/grief/b_1", "test/joy/c_1", "test/grief/c_2")
    for seed, name in enumerate(names):
        picture(tmp_path / "toy", f"{name}.png", seed)
    return tmp_path / "toy"


def recipe(**more) -> Recipe:
    return Recipe.model_validate(RECIPE | more)


def test_a_sound_set_is_counted(root):
    report = validate(recipe(), root)
    assert report.ok and not report.warnings and not report.failures
    assert report.found == report.kept == {"test": 2, "train": 3}
    assert report.labels == {"test": {"grief": 1, "joy": 1}, "train": {"joy": 2, "grief": 1}}


def test_other_counts_warn_with_both_numbers_and_an_empty_split_is_an_error(root):
    report = validate(recipe(expected={"train": 4, "test": 2, "valid": 9}), root)
    assert report.warnings == ["split 'train' has 3 records, 4 expected"]
    assert report.errors == ["split 'valid' is empty, 9 expected"]


def test_a_group_in_two_splits_is_an_error_unless_allowed(root):
    picture(root, "test/joy/a_9.png", 77)
    report = validate(recipe(), root)
    assert not report.ok and "1 groups are in several splits ('a' in test and train)" in report.errors[0]
    allowed = validate(recipe(**ALLOWED), root)
    assert allowed.ok and "1 groups are in several splits, allowed by the recipe: as published" in allowed.warnings


def test_identical_media_are_an_error_without_a_rule_even_where_groups_are_allowed(root):
    picture(root, "test/joy/d_1.png", 0)  # the picture of train/joy/a_1
    for more in ({}, ALLOWED):
        report = validate(recipe(**more), root)
        assert not report.ok
        assert "1 identical media are in several splits" in report.errors[0] and "train_a_1" in report.errors[0]


def test_the_rule_drops_the_duplicates_and_nothing_else(root):
    picture(root, "test/joy/d_1.png", 0)
    picture(root, "train/joy/b_7.png", 2)  # a duplicate within train stays
    loaded = load(recipe(**RULE), root)
    assert loaded.report.ok and loaded.report.dropped == {"train": 1}
    assert [record.id for record in loaded.records] == ["test_c_2", "test_c_1", "test_d_1", "train_b_1", "train_a_2", "train_b_7"]


def test_a_rule_that_forgets_a_split_is_refused(root):
    with pytest.raises(ConfigError, match="does not name the split 'train'"):
        validate(recipe(leaks={"identical_media": ["test"], "why": "x"}), root)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\nno picture"])
def test_damaged_media_are_left_out_and_listed(root, content):
    (root / "train/joy/a_1.png").write_bytes(content)
    loaded = load(recipe(), root)
    assert [failure.place for failure in loaded.report.failures] == ["train_a_1"]
    assert len(loaded.records) == 4 and loaded.report.found["train"] == 3 and loaded.report.kept["train"] == 2


def test_a_picture_cut_in_half_is_damaged(root):
    path = root / "train/joy/a_1.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (99, 99), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:4000])
    assert [failure.place for failure in validate(recipe(), root).failures] == ["train_a_1"]


def test_missing_and_unplayable_sound_is_listed(tmp_path):
    (tmp_path / "a.csv").write_text("id\none\ntwo\n")
    (tmp_path / "one.wav").write_bytes(b"not a sound" * 100)
    table = {"kind": "table", "tables": {"train": "a.csv"}}
    sound = recipe(reader=table, fields={"id": "{id}", "group": "{id}", "audio": "{id}.wav"}, expected={})
    reasons = {failure.place: failure.reason for failure in validate(sound, tmp_path).failures}
    assert set(reasons) == {"one", "two"} and reasons["two"] == "two.wav: missing"


def test_where_a_set_lies():
    assert data_root(recipe(), {"toy": Path("/x")}, "/data") == Path("/x")
    assert data_root(recipe(), {}, "/data") == Path("/data/toy")
    with pytest.raises(ConfigError, match="--root toy=DIR"):
        data_root(recipe(), {}, None)


@pytest.fixture
def written(root) -> Path:
    path = root.parent / "toy.yaml"
    path.write_text(yaml.safe_dump(RECIPE))
    return path


def test_the_command_validates(root, written, capsys):
    assert run(["data", "validate", str(written), "--root", f"toy={root}"]) == 0
    assert "toy: ok" in capsys.readouterr().out
    picture(root, "test/joy/d_1.png", 0)
    assert run(["data", "validate", str(written), "--root", f"toy={root}", "--json"]) == 2
    line = json.loads(capsys.readouterr().out)
    assert line["ok"] is False and line["leaks"][0]["kind"] == "media"


def test_strict_fails_on_what_was_left_out(root, written, capsys):
    (root / "train/joy/a_1.png").write_bytes(b"")
    arguments = ["data", "validate", str(written), "--root", f"toy={root}"]
    assert run(arguments) == 0
    assert run([*arguments, "--strict"]) == 2


def test_the_data_root_comes_from_the_environment(root, written, capsys, monkeypatch):
    monkeypatch.setenv("EMOREASON_DATA", str(root.parent))
    assert run(["data", "validate", str(written)]) == 0
    monkeypatch.delenv("EMOREASON_DATA")
    assert run(["data", "validate", str(written)]) == 1
    assert "--root toy=DIR" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["toy", "=x", "other=/x"])
def test_a_malformed_root_is_a_usage_error(written, option, capsys):
    assert run(["data", "validate", str(written), "--root", option]) == 1
    assert "--root" in capsys.readouterr().err


def test_build_twice_gives_the_same_hash_and_lists_failures(root, written, tmp_path, capsys):
    (root / "train/joy/a_1.png").write_bytes(b"")
    for name in ("one", "two"):
        assert run(["data", "build", str(written), "--root", f"toy={root}", "--out", str(tmp_path / name)]) == 0
    first, second = (read_index(tmp_path / name / "toy") for name in ("one", "two"))
    assert first == second and first["splits"] == {"test": 2, "train": 2}
    assert len(list(read_records(tmp_path / "one/toy"))) == 4
    failures = [json.loads(line) for line in (tmp_path / "one/toy/failures.jsonl").read_text().splitlines()]
    assert [failure["place"] for failure in failures] == ["train_a_1"]


def test_a_leaking_set_is_not_built(root, written, tmp_path, capsys):
    picture(root, "test/joy/d_1.png", 0)
    assert run(["data", "build", str(written), "--root", f"toy={root}", "--out", str(tmp_path / "out")]) == 2
    assert "identical media" in capsys.readouterr().err
    assert not (tmp_path / "out/toy").exists()


DATA = Path(os.environ.get("EMOREASON_DATA") or Path(__file__).parents[3] / "shared/data")
real = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data are not here")


@real
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("ckplus48", {"train": 420, "valid": 174, "test": 177}),
        ("ckplus_neutral_peak", {"train": 380, "valid": 154, "test": 156}),
        ("lfw_emotion", {"train": 7179, "valid": 1279}),
        ("ravdess", {"train": 840, "valid": 120, "test": 240}),
        ("nemo", {"train": 2069, "valid": 540, "test": 256}),
        ("ecf", {"train": 1001, "valid": 112, "test": 261}),
        ("reccon", {"train": 834, "valid": 47, "test": 241}),
        ("emer", {"test": 329}),
        ("emer_short", {"test": 99}),
        ("clips", {"test": 10}),
    ],
)
def test_real_sets_pass(name, counts):
    recipe = load_recipe(name)
    report = validate(recipe, data_root(recipe, {}, str(DATA)), open_media=False)
    assert report.ok and not report.failures
    assert report.kept == counts


@real
def test_the_rule_of_ferplus_drops_exactly_what_recurs():
    ferplus = load_recipe("ferplus")
    root = data_root(ferplus, {}, str(DATA))
    bare = load(ferplus.model_copy(update={"leaks": None}), root, open_media=False)
    assert not bare.report.ok and bare.report.found == ferplus.expected
    shared = {name for leak in bare.report.leaks for name in leak.ids}
    split = {record.id: record.split for record in bare.records}
    assert sum(split[name] == "test" for name in shared) == 314
    hashes = hash_media(bare.records, root)
    kept, dropped = apply_rule(bare.records, hashes, ferplus.leaks)
    assert not find_leaks(kept, hashes)
    assert {record.id for record in dropped} <= shared and "test" not in {record.split for record in dropped}
    left = {content for record in kept for content in contents(record, hashes)}
    assert all(contents(record, hashes) <= left for record in dropped)  # each has a copy that stays: nothing was lost
    test = [record for record in kept if record.split == "test"]
    assert len(test) == 3573
    assert sum(ferplus.scheme.crosswalk.get(record.labels[0].value) is not None for record in test) == 3137
