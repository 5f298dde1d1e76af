"""Trained weights inside the package stand for the model file of the same name."""

from emoreason.inference import loading


def test_a_name_finds_the_weights_in_the_package(tmp_path, monkeypatch):
    (tmp_path / "weights" / "tiny").mkdir(parents=True)
    monkeypatch.setattr(loading, "SHIPPED", tmp_path / "weights")
    monkeypatch.chdir(tmp_path)
    assert loading._folder("tiny") == tmp_path / "weights" / "tiny"
    assert loading._folder("qwen3-vl-4b").name == "qwen3-vl-4b"  # no weights: a model file
    assert str(loading._folder("../weights/tiny")) == "../weights/tiny"  # a path is a path


def test_a_folder_here_comes_first(tmp_path, monkeypatch):
    (tmp_path / "weights" / "tiny").mkdir(parents=True)
    (tmp_path / "here" / "tiny").mkdir(parents=True)
    monkeypatch.setattr(loading, "SHIPPED", tmp_path / "weights")
    monkeypatch.chdir(tmp_path / "here")
    assert str(loading._folder("tiny")) == "tiny"
