"""Graphs in the cache: built once, all or nothing, under the hash of what they are made of; noticed when they are damaged."""

import errno
import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from model.families import FAMILIES, GRAPH_FAMILIES, emoreason_config, toy
from model.samples import segment

from emoreason.errors import ConfigError, EnvironmentProblem
from emoreason.labels.emotions import EMOTIONS
from emoreason.model.engines import build
from emoreason.model.engines.build import no_builder, unsupported
from emoreason.model.engines.graph import build_graph, graph_for
from emoreason.model.engines.layout import LANGUAGE, GraphProblem
from emoreason.model.engines.onnx_loading import onnx_engine
from emoreason.model.engines.transformers import TransformersEngine
from emoreason.model.export import export
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.verdict import label_scores
from emoreason.training.words.head import give_words

READS = {"layer": 1, "languages": ["en"], "adapter": {"rank": 2, "layers": 1}}
TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """As training leaves it: an adapter, rows of special tokens that were trained, and a head on utterances."""
    folder = tmp_path_factory.mktemp("checkpoint")
    processor, model = toy(GRAPH_FAMILIES["llama"], lora={"r": 2, "lora_alpha": 4})
    give_words(model, READS)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name or "trainable_tokens" in name or "words_adapter" in name:
                parameter.normal_(std=0.3)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EMOREASON_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def built(monkeypatch):
    """Number of builds, of folders with two small files instead of a graph: what is tested is how they are kept."""
    count = []

    def write_weights(model, processor, folder):
        (folder / "model.onnx").write_text(f"{len(count)}")
        (folder / "words").mkdir()
        (folder / "words" / "model.onnx").write_text("weights")

    monkeypatch.setattr(build, "write_weights", write_weights)
    monkeypatch.setattr(build, "write_graph", lambda folder, expected: count.append(folder))
    return count


def test_a_checkpoint_and_its_export_run_as_they_do_in_torch(checkpoint, home, tmp_path):
    """The whole road: merged with its adapter, built, loaded without the backbone; words are read by layers that were kept."""
    if reason := no_builder():
        pytest.skip(reason)
    model = EmoReasonForConditionalGeneration.from_pretrained(checkpoint)
    exported = export(checkpoint, tmp_path / "exported")
    build_graph(exported, exported / "onnx")
    for source in (checkpoint, exported):
        engine, processor = onnx_engine(source, build=True)
        spoken = replace(segment(1), words=("no cue stands out", "which emotion is shown"))
        batch = processor([segment(0, 2), spoken])
        in_torch = TransformersEngine(model, processor.tokenizer)
        expected, found = in_torch.read(batch), engine.read(batch)
        assert expected.heads.keys() == found.heads.keys() and "words_emotion" in found.heads
        for name, logits in expected.heads.items():
            torch.testing.assert_close(found.heads[name], logits, atol=1e-4, rtol=1e-4)
        scores = label_scores(engine, found, EMOTIONS)
        torch.testing.assert_close(scores, label_scores(in_torch, expected, EMOTIONS), atol=1e-4, rtol=0)
        assert engine.write(found, 20, until_answer=False) == in_torch.write(expected, 20, until_answer=False)
    assert [folder.name for folder in (home / "graphs").iterdir() if folder.is_dir()] == [graph_for(checkpoint).name]
    assert graph_for(exported) == exported / "onnx"


def test_a_graph_is_built_when_it_is_asked_for_and_only_once(checkpoint, home, built):
    with pytest.raises(GraphProblem, match="no graph of checkpoint0? ?.*was built"):
        graph_for(checkpoint)
    folder = graph_for(checkpoint, build=True)
    assert folder.parent == home / "graphs" and (folder / "model.onnx").read_text() == "0"
    assert graph_for(checkpoint) == graph_for(checkpoint, build=True) == folder and len(built) == 1
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, f".{folder.name}.lock"}


@pytest.mark.parametrize("name", ["model.onnx", "words/model.onnx", "manifest.json"])
@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_a_damaged_graph_is_noticed_and_built_again(checkpoint, home, built, name, damage):
    folder = graph_for(checkpoint, build=True)
    graph_for(checkpoint)
    file, content = folder / name, (folder / name).read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(b"X" + content[1:] if damage == "changed" else content[:-3])
    build = name == "manifest.json" and damage == "gone"  # then there is none
    assert graph_for(checkpoint, build=build) == folder and len(built) == 2
    assert (folder / "words" / "model.onnx").read_text() == "weights"
    assert graph_for(checkpoint) == folder and len(built) == 2


def test_other_weights_are_another_graph(checkpoint, home, built, tmp_path):
    first = graph_for(checkpoint, build=True)
    other = tmp_path / "other"
    shutil.copytree(checkpoint, other)
    assert graph_for(other) == first, "a copy is the same model"
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "trained": True}))
    assert graph_for(other) == first, "what does not change the language model does not count"
    (other / "config.json").write_text(json.dumps({**config, "lora": {**config["lora"], "lora_alpha": 8}}))
    assert graph_for(other, build=True) != first and len(built) == 2
    with (other / "model.safetensors").open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\x01\x02\x03\x04")
    assert graph_for(other, build=True) != first and len(built) == 3


def test_an_export_whose_language_model_was_replaced_does_not_use_its_old_graph(checkpoint, home, built, tmp_path):
    exported = export(checkpoint, tmp_path / "exported")
    inside = build_graph(exported, exported / "onnx")
    assert graph_for(exported) == inside
    with (exported / "backbone" / "model.safetensors").open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\x01\x02\x03\x04")
    assert graph_for(exported).parent == home / "graphs" and len(built) == 2


CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from emoreason.model.engines import build
from emoreason.model.engines import graph as graphs

def write_weights(model, processor, folder):
    (folder / "model.onnx").write_text("half")
    print("building", flush=True)
    sys.stdin.readline()  # until the test says go
    (folder / "model.onnx").write_text("whole")

build.write_weights, build.write_graph = write_weights, lambda folder, expected: None
print(graphs.graph_for(Path({checkpoint!r}), build=True), flush=True)
"""


def child(checkpoint):
    code = CHILD.format(tests=str(TESTS), checkpoint=str(checkpoint))
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_build_that_was_killed_leaves_nothing_that_is_used(checkpoint, home, built):
    one = child(checkpoint)
    assert one.stdout.readline() == "building\n"
    one.send_signal(signal.SIGKILL)
    one.wait()
    one.stdin.close(), one.stdout.close()
    assert len([path for path in (home / "graphs").iterdir() if path.is_dir()]) == 1, "what it had begun"
    with pytest.raises(GraphProblem, match="was built"):
        graph_for(checkpoint)
    folder = graph_for(checkpoint, build=True)
    assert (folder / "model.onnx").read_text() == "0"
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, f".{folder.name}.lock"}


def test_of_two_processes_one_builds_and_the_other_waits(checkpoint, home):
    one = child(checkpoint)
    assert one.stdout.readline() == "building\n"
    other = child(checkpoint)
    deadline = time.monotonic() + 120
    while other.poll() is None and time.monotonic() < deadline and not _waits(other.pid, home):
        time.sleep(0.05)
    assert other.poll() is None
    one.stdin.write("go\n")
    said = [process.communicate(timeout=120)[0] for process in (one, other)]
    assert said[0] == said[1] and "building" not in said[1]
    assert (Path(said[0].strip()) / "model.onnx").read_text() == "whole"


def _waits(pid, home):
    """Whether the process has the lock's file open: then it has come as far as it can. Without /proc, at once."""
    descriptors = Path(f"/proc/{pid}/fd")
    if not descriptors.is_dir():
        return True
    try:
        return any(str(link.readlink()).endswith(".lock") for link in descriptors.iterdir())
    except OSError:
        return False


def test_a_full_disk_is_said_before_and_while(checkpoint, home, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    if not no_builder():
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6, 1000))
            with pytest.raises(GraphProblem, match="0 MB left"):
                graph_for(checkpoint, build=True)
    monkeypatch.setattr(build, "write_weights", full)
    with pytest.raises(GraphProblem, match="the disk is full: free some space, or set EMOREASON_HOME"):
        graph_for(checkpoint, build=True)
    assert not [path for path in (home / "graphs").iterdir() if path.is_dir()]


def test_a_folder_that_cannot_be_written_to_is_named(checkpoint, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EMOREASON_HOME", str(tmp_path / "file"))
    with pytest.raises(GraphProblem, match="graphs"):
        graph_for(checkpoint, build=True)


def test_why_there_is_no_graph_is_said(checkpoint, home, monkeypatch, tmp_path):
    assert unsupported(emoreason_config(GRAPH_FAMILIES["qwen2"])) is None
    assert "'smolvlm'" in unsupported(emoreason_config(FAMILIES["smolvlm"]))
    assert "bfloat16" in unsupported(emoreason_config(FAMILIES["llama"], dtype="bfloat16"))
    assert "4bit" in unsupported(emoreason_config(FAMILIES["llama"], quantization="4bit"))
    monkeypatch.setitem(sys.modules, "onnxruntime_genai", None)
    with pytest.raises(GraphProblem, match="pip install onnxruntime-genai"):
        graph_for(checkpoint, build=True)
    assert issubclass(GraphProblem, EnvironmentProblem)
    with pytest.raises(ConfigError):
        graph_for(tmp_path / "nothing")


def test_a_graph_that_computes_something_else_is_refused(checkpoint, home, monkeypatch):
    if reason := no_builder():
        pytest.skip(reason)
    whole = build.write_weights

    def wrong(*arguments):
        expected = whole(*arguments)
        logits = expected.outputs[LANGUAGE]["logits"]
        logits.add_(torch.linspace(0, 1, logits.shape[-1]))
        return expected

    monkeypatch.setattr(build, "write_encoders", lambda model, folder: None)
    monkeypatch.setattr(build, "write_weights", wrong)
    with pytest.raises(GraphProblem, match="something else than torch"):
        graph_for(checkpoint, build=True)
