"""`emoreason batch`, `status` and `merge` as a user types them."""

import json

import pandas as pd
import pytest
from PIL import Image

from emoreason.cli import run

RULES = ("--model", "composer")  # no weights to load
FAST = ("--no-words", "--no-cache", "--formats", "html", *RULES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("in")
    for number in range(2):
        Image.new("RGB", (32, 32), (number * 90, 20, 30)).save(made / f"{number}.png")
    (made / "bad.mp4").write_bytes(b"nothing")
    return made


@pytest.fixture(scope="module")
def done(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("work") / "out"
    code = run(["batch", str(folder), "--out", str(out), "--workers", "1", "-q", *FAST])
    return out, code


def test_a_failed_file_gives_code_2_and_the_rest_is_done(done):
    out, code = done
    assert code == 2
    assert len(pd.read_parquet(out / "summary.parquet")) == 2
    assert len(list((out / "clips").glob("*/report.html"))) == 2


def test_events_as_lines(done, folder, capfd):
    assert run(["batch", str(folder), "--out", str(done[0]), "--json", *FAST]) == 2
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [event["kind"] for event in events] == ["started", "failed", "finished"]
    assert events[-1]["finished"] == events[-1]["files"] == 3


def test_status_in_words_and_as_json(done, capfd):
    assert run(["status", str(done[0])]) == 0
    said = capfd.readouterr().out
    assert "finished: 2 done, 1 failed, 0 to do" in said and "bad.mp4" in said
    assert run(["status", str(done[0]), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["done"] == 2


def test_merge(done, tmp_path, capfd):
    assert run(["merge", str(done[0]), "--out", str(tmp_path / "all")]) == 0
    assert "2 clips, 1 failed" in capfd.readouterr().out
    assert len(pd.read_parquet(tmp_path / "all/people.parquet").columns) > 30


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["batch", "IN", "--out", "OUT", "--shard", "3/2"], "--shard takes I/N"),
        (["batch", "IN", "--out", "OUT", "--formats", "docx"], "--formats takes"),
        (["batch", "IN/none", "--out", "OUT"], "is not there"),
        (["batch", "IN", "--out", "OUT", "--engine", "cluster"], "--engine takes local or ray"),
        (["batch", "IN", "--out", "OUT", "--ray-address", "here:1"], "--ray-address needs ray"),
        (["batch", "IN", "--out", "OUT", "--served-model", "toy"], "say which with --server"),
        (["batch", "IN", "--out", "OUT", "--server", "http://127.0.0.1:9/v1", *RULES], "'composer' needs no server"),
        (["status", "IN"], "holds no batch run"),
        (["merge", "IN", "--out", "OUT"], "holds no batch run"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(folder, tmp_path, capfd, arguments, said):
    given = [part.replace("IN", str(folder)).replace("OUT", str(tmp_path / "out")) for part in arguments]
    assert run(given) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert said in line
