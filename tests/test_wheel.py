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
from trees import tree

import emoreason
from emoreason import assets, config
from emoreason.errors import AssetError

ROOT = Path(emoreason.__file__).parents[1]
DATA_FOLDERS = ("configs", "data_recipes", "demo")
pytestmark = pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="not a checkout: nothing to build")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """Built from a copy, so that the checkout stays clean; with what is installed, so that no network is needed."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, source)
    for name in ("emoreason", *DATA_FOLDERS):
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


def files_below(folder: Path) -> set[str]:
    """Relative to the checkout, without what Python and hidden tools leave behind."""
    found = {path.relative_to(ROOT) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    return {path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts)}


def test_every_file_of_the_package_is_in_the_wheel(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert files_below(ROOT / "emoreason") <= inside
    assert any(name.endswith("licenses/LICENSE") for name in inside)


def test_every_config_recipe_and_demo_file_is_in_the_wheel(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    missing = {file for name in DATA_FOLDERS for file in files_below(ROOT / name) if f"emoreason/_data/{file}" not in inside}
    assert not missing, "add its folder to [tool.hatch.build.targets.wheel.force-include] in pyproject.toml"


def test_nothing_else_is_in_the_wheel(wheel):
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"emoreason", f"emoreason-{emoreason.__version__}.dist-info"}


def test_the_command_runs_elsewhere(elsewhere):
    assert "analyze" in run_there(elsewhere, sys.executable, elsewhere / "bin" / "emoreason", "--help")
    code = "import emoreason; print(emoreason.__file__)"
    assert Path(run_there(elsewhere, sys.executable, "-c", code).strip()).is_relative_to(elsewhere)


def test_the_resolver_knows_the_same_names_elsewhere(elsewhere):
    code = "import json; from emoreason import config; print(json.dumps({kind: config.names(kind) for kind in config.KINDS}))"
    assert json.loads(run_there(elsewhere, sys.executable, "-c", code)) == {kind: config.names(kind) for kind in config.KINDS}


def test_the_main_job_runs_elsewhere(elsewhere, tmp_path):
    try:
        clip = next(path.absolute() for path in assets.path("sample-clip").iterdir() if path.suffix == ".mp4")
        assets.path("face-landmarker")
    except AssetError as error:
        pytest.skip(str(error))
    options = ["--json", "--no-words", "--no-cache", "--fps", "4", "--model", "composer"]
    options += ["--out", tmp_path, "--formats", "json,csv,html"]
    line = run_there(elsewhere, sys.executable, "-m", "emoreason", "analyze", clip, *options)
    report = json.loads(line)
    assert report["schema"] == "emoreason/report/2" and [person["person"] for person in report["people"]] == ["p1"]
    assert {file.suffix for file in tmp_path.rglob("*") if file.is_file()} == {".json", ".csv", ".html"}


# What only an extra brings may be imported below these places.
EXTRAS = {"training": "train", "inference/batch/ray": "ray", "evaluation/probes": "benchmarks"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names_of(requirements: list[str]) -> set[str]:
    return {normal(re.match(r"[\w.-]+", requirement)[0]) for requirement in requirements}


def wanted_by(project: dict, path: Path) -> set[str]:
    """Distributions that a module may import."""
    place = path.relative_to(ROOT / "emoreason").as_posix()
    extras = [project["optional-dependencies"][extra] for start, extra in EXTRAS.items() if place.startswith(start)]
    return names_of(project["dependencies"]) | set().union(*map(names_of, extras))


def test_every_import_is_a_declared_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    given = {"opencv-contrib-python", "huggingface-hub"}  # come with mediapipe and transformers, in the flavour these want
    providers = importlib.metadata.packages_distributions()
    undeclared = {}
    for path in (ROOT / "emoreason").rglob("*.py"):
        declared = given | wanted_by(project, path)
        for node in ast.walk(tree(path)):
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
    wanted = names_of(project["dependencies"] + sum(project["optional-dependencies"].values(), [])) - {"emoreason"}
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    )
    pinned = {normal(name) for name in pins}
    assert wanted <= pinned
    assert pins["torch"] == "2.13.0"  # without a local tag: whatever build the user's registry has
