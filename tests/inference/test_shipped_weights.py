"""Trained weights inside the package stand for the model file of the same name, and are part of what a result is made with."""

from pathlib import Path

import pytest

from emoreason import config
from emoreason.config import checkpoint_of
from emoreason.inference.batch.options import Options


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    (tmp_path / "weights" / "tiny").mkdir(parents=True)
    (tmp_path / "weights" / "tiny" / "config.json").write_text("{}")
    monkeypatch.setattr(config, "SHIPPED_WEIGHTS", tmp_path / "weights")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "weights"


def test_a_name_finds_the_weights_in_the_package(package):
    assert checkpoint_of("tiny") == package / "tiny"
    assert checkpoint_of("qwen3-vl-4b") == Path("qwen3-vl-4b")  # no weights: a model file
    assert checkpoint_of("../weights/tiny") == Path("../weights/tiny")  # a path is a path


def test_a_folder_here_comes_first(tmp_path, monkeypatch):
    (tmp_path / "here" / "tiny").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert checkpoint_of("tiny") == Path("tiny")


def test_other_weights_of_the_package_make_other_results(package):
    before = Options(model="tiny").digest()
    (package / "tiny" / "config.json").write_text('{"other": 1}')
    assert Options(model="tiny").digest() != before
