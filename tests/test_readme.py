"""What the README shows works: its commands, its Python, its tables."""

import os
import re
import shlex
from pathlib import Path

import pytest
from report_fixtures import make_report, two_people

import emoreason
from emoreason import assets, cli
from emoreason.config import DEFAULT_MODEL

ROOT = Path(emoreason.__file__).parents[1]
if not (ROOT / "README.md").is_file():
    pytest.skip("not a checkout", allow_module_level=True)
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


class Reasoner:
    @classmethod
    def from_pretrained(cls, model=DEFAULT_MODEL, settings=None, cache=True, wait=True):
        assert model == DEFAULT_MODEL
        return cls()

    def __call__(self, file, progress=None, **_):
        return make_report(two_people(path=str(file)))


@pytest.fixture(autouse=True)
def replaced(monkeypatch, tmp_path):
    monkeypatch.setitem(vars(emoreason), "EmotionReasoner", Reasoner)
    monkeypatch.setattr("emoreason.system.require_libraries", lambda: None)
    monkeypatch.chdir(tmp_path)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands(line, tmp_path):
    program, *arguments = shlex.split(line)
    if program.startswith("scripts/"):
        assert os.access(ROOT / program, os.X_OK) and not arguments
        return
    assert program == ".venv/bin/emoreason"
    assert cli.run(arguments) == 0
    assert len(list(tmp_path.glob("out/*/report.json"))) == len(list(tmp_path.glob("out/*/report.html"))) == 3


def test_python(capsys, tmp_path):
    (block,) = blocks("python")
    exec(compile(block, "README.md", "exec"), {})
    assert "AU12" not in capsys.readouterr().out  # names in words, as the block prints them
    assert {file.suffix for file in tmp_path.glob("out/*/*")} == {".json", ".csv", ".html"}


def test_every_command_and_option_exists(capsys):
    groups = ("batch", "data validate", "data build", "data observe", "data preview", "demo", "evaluate", "merge", "train")
    for asked in ("", "analyze", "assets pull", "export", *groups):
        assert cli.run([*asked.split(), "--help"]) == 0
    known = capsys.readouterr().out
    for word in set(re.findall(r"(?<![\w-])--[a-z]+(?:-[a-z]+)*", README)):
        assert word in known, word
    for command in set(re.findall(r"`emoreason ([a-z]+)", README)):
        assert re.search(rf"^  {command} ", known, re.MULTILINE), command


def test_the_table_of_assets():
    rows = dict(re.findall(r"^\| ([a-z0-9-]+) \|.*\| ([^|]+) \|$", README, re.MULTILINE))
    rows = {name: licence for name, licence in rows.items() if name in assets.ASSETS}
    assert rows == {asset.name: asset.licence for asset in assets.ASSETS.values()}


def test_the_formats():
    assert f"--formats {','.join(cli.FORMATS)}" in README
