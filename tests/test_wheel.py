"""The built wheel, installed away from the checkout: complete, self-sufficient, and able to do the main job."""

import ast
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import emoreason
from emoreason import assets
from emoreason.errors import AssetError

ROOT = Path(emoreason.__file__).parents[1]
pytestmark = pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="not a checkout: nothing to build")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """Built from a copy, so that the checkout stays clean; with what is installed, so that no network is needed."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("emoreason", "configs", "data_recipes", "demo"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="session")
def elsewhere(wheel, tmp_path_factory):
    """A folder with the package and its `bin/emoreason`, and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("elsewhere") / "site"
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder, wheel)
    return folder


def run(*command: object, **options) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, encoding="utf-8", **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_there(elsewhere: Path, *command: object) -> str:
    """Outside the checkout, seeing the installed copy and the libraries of this environment."""
    home = str(assets.home().absolute())
    return run(*command, cwd=elsewhere.parent, env=os.environ | {"PYTHONPATH": str(elsewhere), "EMOREASON_HOME": home})


def test_every_file_of_the_package_is_in_the_wheel(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "emoreason").rglob("*") if path.is_file()}
    assert {file for file in files if "__pycache__" not in file and not file.endswith(".pyc")} <= inside
    assert any(name.endswith("licenses/LICENSE") for name in inside)


def test_nothing_else_is_in_the_wheel(wheel):
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"emoreason", f"emoreason-{emoreason.__version__}.dist-info"}


def test_the_command_runs_elsewhere(elsewhere):
    assert "analyze" in run_there(elsewhere, sys.executable, elsewhere / "bin" / "emoreason", "--help")
    code = "import emoreason, emoreason.config as c; print(emoreason.__file__); print(c.shipped())"
    file, shipped = run_there(elsewhere, sys.executable, "-c", code).split()
    assert Path(file).is_relative_to(elsewhere) and Path(shipped).is_relative_to(elsewhere)


def test_the_main_job_runs_elsewhere(elsewhere, tmp_path):
    try:
        clip = next(path.absolute() for path in assets.path("sample-clip").iterdir() if path.suffix == ".mp4")
        assets.path("face-landmarker")
    except AssetError as error:
        pytest.skip(str(error))
    options = ["--json", "--no-words", "--no-cache", "--fps", "4", "--out", tmp_path, "--formats", "json,csv,html"]
    line = run_there(elsewhere, sys.executable, "-m", "emoreason", "analyze", clip, *options)
    report = json.loads(line)
    assert report["schema"] == "emoreason/report/1" and [person["person"] for person in report["people"]] == ["p1"]
    assert {file.suffix for file in tmp_path.rglob("*") if file.is_file()} == {".json", ".csv", ".html"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_import_is_a_declared_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {normal(re.match(r"[\w.-]+", requirement)[0]) for requirement in project["dependencies"]}
    declared |= {"opencv-contrib-python", "ctranslate2"}  # asked for by mediapipe and faster-whisper, whose companions they are
    providers = importlib.metadata.packages_distributions()
    undeclared = {}
    for path in (ROOT / "emoreason").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            for top in {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"emoreason"}:
                if not {normal(name) for name in providers.get(top, [top])} & declared:
                    undeclared[top] = path.relative_to(ROOT).as_posix()
    assert not undeclared


def test_constraints_pin_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    )
    pinned = {normal(name) for name in pins}
    assert {normal(re.match(r"[\w.-]+", requirement)[0]) for requirement in wanted} <= pinned
    assert pins["torch"] == "2.13.0"  # without a local tag: whatever build the user's registry has
