"""The resolver: local first, then shipped, with a helpful refusal."""

from pathlib import Path

import pytest

from emoreason import config
from emoreason.errors import ConfigError


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    folder = tmp_path / "shipped" / "configs" / "models"
    folder.mkdir(parents=True)
    for name in ("tiny", "composer", "large"):
        (folder / f"{name}.yaml").write_text("")
    (tmp_path / "shipped" / "secret.yaml").write_text("")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(config, "shipped", lambda: tmp_path / "shipped")
    return folder


@pytest.mark.parametrize("name", ["tiny", "tiny.yaml"])
def test_a_name_is_found_among_the_shipped(shipped, name):
    assert config.resolve("models", name) == shipped / "tiny.yaml"
    assert config.names("models") == ["composer", "large", "tiny"]


def test_a_local_path_comes_first(shipped, tmp_path):
    local = tmp_path / "here" / "tiny.yaml"
    local.write_text("")
    assert config.resolve("models", "tiny.yaml").resolve() == local
    assert config.resolve("models", local) == local
    assert config.resolve("models", tmp_path) == tmp_path  # a checkpoint is a folder


def test_a_near_name_is_offered(shipped):
    with pytest.raises(ConfigError, match="'tinny' is neither a file here nor one of the shipped models; did you mean tiny?"):
        config.resolve("models", "tinny")


def test_all_names_are_offered_when_none_is_near(shipped):
    with pytest.raises(ConfigError, match="shipped models: composer, large, tiny$"):
        config.resolve("models", "zzzzzz")
    with pytest.raises(ConfigError, match="shipped recipes: none$"):
        config.resolve("recipes", "zzzzzz")


def test_a_name_cannot_leave_the_shipped_folder(shipped):
    with pytest.raises(ConfigError):
        config.resolve("models", "../../secret")


def test_an_unknown_kind(shipped):
    with pytest.raises(ConfigError, match="no kind of configuration is called 'pets'; known: models"):
        config.resolve("pets", "x")


def test_shipped_is_the_checkout_or_inside_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "__file__", str(tmp_path / "emoreason" / "config.py"))
    (tmp_path / "configs" / "models").mkdir(parents=True)
    (tmp_path / "configs" / "models" / "foreign.yaml").write_text("")
    assert config.shipped() == tmp_path / "emoreason" / "_data"
    assert config.names("models") == []  # what lies beside an installed package is not ours
    (tmp_path / "pyproject.toml").write_text("")
    assert config.shipped() == tmp_path and config.names("models") == ["foreign"]


def test_weights_of_the_package_are_found_by_name(tmp_path, monkeypatch):
    package = tmp_path / "package"
    (package / "weights" / "small").mkdir(parents=True)
    monkeypatch.setattr(config, "SHIPPED_WEIGHTS", package / "weights")
    monkeypatch.chdir(tmp_path)
    assert config.checkpoint_of("small") == package / "weights" / "small"
    assert config.checkpoint_of("other") == Path("other") and config.checkpoint_of("../weights/small") == Path("../weights/small")
    (tmp_path / "small").mkdir()
    assert config.checkpoint_of("small") == Path("small")
