"""`scripts/evaluate_all`: all shipped suites are in it, one that fails stops nothing, and the table is written."""

import os
import subprocess
import sys

import pytest
from evaluation.made import write_suite
from script_files import SCRIPTS, script_file

from emoreason.config import names

SCRIPT = SCRIPTS / "evaluate_all"


@pytest.fixture
def script():
    return script_file("evaluate_all")


def test_every_shipped_suite_is_run(script):
    assert sorted(script.BY_COST) == sorted(names("suites"))


def test_a_suite_that_fails_stops_nothing_and_is_named(script, tmp_path, monkeypatch, capfd):
    asked = []

    def ran(command):
        asked.append(command)
        return {"clips_open": 1, "ckplus_probes": 2}.get(command[4], 0)

    monkeypatch.setattr(script, "run", ran)
    monkeypatch.setattr(os, "nice", lambda by: None)
    monkeypatch.setattr(sys, "argv", ["evaluate_all", "--out", str(tmp_path), "--model", "composer", "--limit", "3"])
    assert script.main() == 2 and len(asked) == len(script.BY_COST)
    assert all(command[5:9] == ["--model", "composer", "--limit", "3"] for command in asked)
    said = capfd.readouterr().err
    assert "samples that failed: ckplus_probes" in said and "failed: clips_open (exit code 1)" in said


def test_what_was_finished_may_be_left_out(script, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(script, "run", lambda command: asked.append(command[4]) or 0)
    monkeypatch.setattr(script, "table", lambda out: None)
    monkeypatch.setattr(os, "nice", lambda by: None)
    (tmp_path / "ferplus_test").mkdir()
    (tmp_path / "ferplus_test" / "scores.json").write_text("{}")
    monkeypatch.setattr(sys, "argv", ["evaluate_all", "--out", str(tmp_path), "--done"])
    assert script.main() == 0 and set(script.BY_COST) - set(asked) == {"ferplus_test"}


def test_it_ends_in_a_table(tmp_path):
    suite = write_suite(tmp_path)
    home = {"EMOREASON_DATA": str(tmp_path), "EMOREASON_HOME": str(tmp_path / "home")}
    command = [sys.executable, str(SCRIPT), "--out", str(tmp_path / "out"), "--model", "composer", "--only", str(suite)]
    done = subprocess.run(command, env=os.environ | home, cwd=SCRIPT.parents[1], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "out" / "table.md").read_text()
    assert "| talk_test | 5 | 2 | war | 0.600 |" in table and table in done.stdout
