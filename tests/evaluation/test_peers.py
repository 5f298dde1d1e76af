"""Peers: their words become canonical emotions, every tool answers the same samples, and what goes wrong is said."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from script_files import script_file

from emoreason.errors import EnvironmentProblem
from emoreason.evaluation.label_mapping import LabelMapping
from emoreason.evaluation.peers import PEERS, ask, canonical, emotions_of, python_of, scores_among, shared
from emoreason.evaluation.sample import EvalSample
from emoreason.instructions.record import Media, Record
from emoreason.labels.emotions import EMOTIONS

MAPPING = LabelMapping(("joy", "fury", "scorn"), {}, {"happiness": "joy", "anger": "fury", "contempt": "scorn"})
WORKER = """
import json, sys
name, listed, out = sys.argv[1:]
with open(out, "w") as results:
    for sample in map(json.loads, open(listed)):
        scores = {"happy": 0.9, "angry": 0.1} if sample["path"].endswith("a.png") else None
        results.write(json.dumps({"id": sample["id"], "scores": scores}) + chr(10))
"""


def sample(name, label, group="s"):
    media = Media(image=f"{name}.png")
    record = Record(id=name, dataset="d", split="test", group=group, licence="x", media=media, cropped_face=True)
    return EvalSample(name, group, None, record, {"label": label})


def samples(*rows):
    return SimpleNamespace(suite=SimpleNamespace(name="toy"), mapping=MAPPING, samples=rows)


@pytest.mark.parametrize("peer", PEERS.values(), ids=lambda peer: peer.name)
def test_every_label_of_a_peer_is_an_emotion_of_its_own(peer):
    assert set(peer.said.values()) <= set(EMOTIONS) and len(set(peer.said.values())) == len(peer.said)
    assert canonical(peer, None) is None
    with pytest.raises(KeyError):
        canonical(peer, {"bored": 1.0})


def test_shared_labels_are_those_that_everybody_can_say():
    common = shared(MAPPING, emotions_of(list(PEERS.values())))
    assert "contempt" not in emotions_of(list(PEERS.values())) and common.labels == ("joy", "fury")


def test_no_answer_is_wrong_and_labels_that_are_not_offered_do_not_count():
    rows = samples(sample("a", "joy"), sample("b", "joy"), sample("c", "fury"), sample("d", "scorn"))
    said = {"a": {"happiness": 0.4, "neutral": 0.6}, "b": None, "c": {"anger": 0.1}, "d": {"anger": 1.0, "contempt": 0.0}}
    whole = {score.metric: score for score in scores_among(rows, said, MAPPING, by_group=False)}
    assert whole["war"].value == 0.5 and whole["war"].unanswered == 1 and whole["war"].failures.no_face == 1
    part = {score.metric: score for score in scores_among(rows, said, shared(MAPPING, ("happiness", "anger")), by_group=False)}
    assert part["war"].n == 3 and part["war"].value == pytest.approx(2 / 3) and part["uar"].value == 0.75


def test_a_peer_is_asked_in_its_own_process(tmp_path):
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER)
    rows = [sample("a", "joy"), sample("b", "fury")]
    found = ask(PEERS["fer"], Path(sys.executable), worker, rows, tmp_path, tmp_path / "work")
    assert found == {"a": {"happy": 0.9, "angry": 0.1}, "b": None}
    assert canonical(PEERS["fer"], found["a"]) == {"happiness": 0.9, "anger": 0.1}


def test_a_tool_that_breaks_off_says_why(tmp_path):
    worker = tmp_path / "worker.py"
    worker.write_text("raise SystemExit('no such network')")
    with pytest.raises(EnvironmentProblem, match="no such network"):
        ask(PEERS["fer"], Path(sys.executable), worker, [sample("a", "joy")], tmp_path, tmp_path / "work")


def test_a_tool_without_its_weights_is_not_installed(tmp_path):
    peer = replace(PEERS["fer"], weights=(".no_such_tool/weights.h5",))
    with pytest.raises(EnvironmentProblem, match="weights"):
        python_of(peer, tmp_path)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("asked", ["ferplus_test:x", "ferplus_test:0", "ferplus_test:", "ferplus_tst"])
def test_a_suite_that_cannot_be_run_is_refused_before_anything_runs(asked, monkeypatch, capsys):
    script = script_file("bench_peers.py")
    monkeypatch.setattr(sys, "argv", ["bench_peers.py", "--environments", "unused", "--suites", "meld_test:3", asked])
    with pytest.raises(SystemExit) as stopped:
        script.parse()
    assert stopped.value.code == 2 and f"'{asked}'" in capsys.readouterr().err


def test_a_suite_may_have_its_own_limit(monkeypatch):
    script = script_file("bench_peers.py")
    monkeypatch.setattr(sys, "argv", ["bench_peers.py", "--environments", "unused", "--suites", "meld_test:3", "ferplus_test"])
    assert script.parse().suites == [("meld_test", 3), ("ferplus_test", None)]
