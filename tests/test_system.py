"""The doctor, on this machine and on ones that lack something."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emoreason import cli, system
from emoreason.errors import EnvironmentProblem


@pytest.fixture
def lacks(monkeypatch):
    """Pretend that some shared libraries cannot be loaded; their names are added to the returned set."""
    absent: set[str] = set()
    loads = system._loads
    monkeypatch.setattr(system, "_loads", lambda name: name not in absent and loads(name))
    monkeypatch.setattr(system.sys, "platform", "linux")
    return absent


def test_a_missing_library_is_named_with_wheel_and_package(lacks):
    lacks |= set(system.LIBRARIES)
    with pytest.raises(EnvironmentProblem, match=r"libEGL\.so\.1 \(for mediapipe\)") as caught:
        system.require_libraries()
    assert str(caught.value).endswith("apt-get install -y libegl1 libgl1 libgles2 libglib2.0-0 libxcb1")
    assert "\n" not in str(caught.value)


def test_a_missing_library_keeps_mediapipe_from_being_imported(lacks, monkeypatch):
    lacks.add("libGLESv2.so.2")
    monkeypatch.setattr(system.importlib, "import_module", lambda name: pytest.fail(f"{name} was imported"))
    check = system._mediapipe()
    assert not check.ok and check.needed and "libgles2" in check.fix


def test_a_library_that_exists_nowhere_does_not_load():
    assert not system._loads("libnowhere-to-be-found.so.9")
    assert sys.platform != "linux" or system._loads("libc.so.6")


def test_every_check_has_a_fix_when_it_fails(lacks, monkeypatch, tmp_path):
    lacks |= set(system.LIBRARIES)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EMOREASON_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(system, "PACKAGES", ["a-package-that-is-not-there"])
    failed = {check.name: check for check in system.checks() if not check.ok}
    assert {"libGL.so.1", "packages", "mediapipe", "asset face-landmarker", "cache"} <= set(failed)
    assert all(check.fix and "\n" not in check.fix + check.detail for check in failed.values())
    assert not failed["asset sample-clip"].needed


def test_doctor_exits_by_what_is_needed(monkeypatch, capsys):
    wanted = system.Check("wanted", True, "there")
    optional = system.Check("nice", False, "not there", "get it", needed=False)
    broken = system.Check("broken", False, "gone", "mend it")
    monkeypatch.setattr(system, "checks", lambda: iter((wanted, optional)))
    assert cli.run(["doctor"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["absent", "nice", "not", "there", "->", "get", "it"]
    monkeypatch.setattr(system, "checks", lambda: iter((wanted, optional, broken)))
    assert cli.run(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False and [check["ok"] for check in found["checks"]] == [True, False, False]


def test_runs_before_anything_is_installed():
    """With the standard library alone (-I -S: no site-packages), as the scripts call it."""
    root = str(Path(system.__file__).parents[1])
    code = f"import sys; sys.path.insert(0, {root!r}); import emoreason.system as s; print(len(s.missing_libraries()) >= 0)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("True", "")


def test_the_scripts_ask_this_module():
    root = Path(system.__file__).parents[1]
    if not (root / "scripts").is_dir():
        pytest.skip("not a checkout")
    assert "-m emoreason.system" in (root / "scripts" / "environment.sh").read_text(encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "emoreason.system"], cwd=root, capture_output=True, text=True)
    assert (done.returncode == 0) == (not system.missing_libraries())


def test_no_library_tells_its_maker_of_a_run(tmp_path):
    """onnxruntime keeps the id under which it reports beside other temporary files, unless it does not report."""
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    code = "import emoreason.perception.voice, os; assert os.environ['RAY_USAGE_STATS_ENABLED'] == '0'"
    subprocess.run([sys.executable, "-c", code], env=environment | {"TMPDIR": str(tmp_path)}, check=True, timeout=120)
    assert not list(tmp_path.iterdir())
