"""The rooms and the one way between them (DESIGN section 3), read from the source, so that nothing has to be imported."""

import ast
from pathlib import Path

import pytest
from imports import graph, rings
from trees import tree

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "emoreason"
SHARED = {"errors", "assets", "config", "version", "machine", "background", "__init__"}  # that several rooms may use
MAY_SEE = {
    "labels": set(),
    "scoring": {"labels"},
    "media": {"labels"},
    "perception": {"labels", "media"},
    "report": {"labels", "scoring", "media", "perception"},
    "model": {"labels", "scoring", "media", "perception"},
    "instructions": {"labels", "scoring", "media", "perception", "report", "model"},
    "training": {"labels", "scoring", "media", "perception", "report", "model", "instructions"},
    "inference": {"labels", "scoring", "media", "perception", "report", "model", "instructions"},
    "evaluation": {"labels", "scoring", "media", "perception", "report", "model", "instructions", "training", "inference"},
}
MAY_SEE["cli"] = set(MAY_SEE) | {"EmotionReasoner", "assets", "system", "terminal"}  # and nothing may see it
NO_ASSETS = {"labels", "scoring", "media", "report"}


def imports(path: Path) -> set[str]:
    """Top-level rooms or modules of emoreason that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [f"{node.module}.{alias.name}" if node.module == "emoreason" else node.module for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("emoreason.")}
    return found


@pytest.mark.parametrize("room", [room for room in MAY_SEE if (PACKAGE / room).is_dir()])
def test_a_room_sees_only_rooms_before_it(room):
    allowed = MAY_SEE[room] | {room} | (SHARED - {"assets"} if room in NO_ASSETS else SHARED) | {"__version__"}
    wrong = {
        f"{path.relative_to(PACKAGE)} -> {name}"
        for path in (PACKAGE / room).rglob("*.py")
        for name in imports(path)
        if name not in allowed
    }
    assert not wrong


def test_every_folder_is_a_known_room():
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert rooms <= set(MAY_SEE)


def test_the_reader_of_imports_sees_them(tmp_path):
    file = tmp_path / "x.py"
    lines = ("from emoreason import assets", "def f():", "    import emoreason.cli", "    from emoreason.media.clip import Clip")
    file.write_text("\n".join(lines))
    assert imports(file) == {"assets", "cli", "media"}


def test_no_two_files_import_each_other():
    """Neither directly nor round a ring."""
    found = graph(ROOT, ("emoreason", "demo"))
    assert "emoreason.report.schema.verdict" in found["emoreason.report.judgement"]  # seen through the package's __init__
    assert rings(found) == []


def test_rings_are_found_wherever_the_import_stands(tmp_path):
    files = {
        "p/__init__.py": "from p.low import thing\n",
        "p/low.py": "def f():\n    from p.high import other\n",
        "p/high.py": "from p import thing\n",  # which is written in p/low.py
        "p/alone.py": "import p.high\n",
        "p/sub/__init__.py": "",
        "p/sub/a.py": "from . import b\n",
        "p/sub/b.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .c import C\n",
        "p/sub/c.py": "from ..sub import a\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert rings(graph(tmp_path, ("p",))) == [{"p.high", "p.low"}, {"p.sub.a", "p.sub.b", "p.sub.c"}]


@pytest.mark.parametrize("room", ["labels", "scoring"])
def test_labels_and_scoring_need_no_heavy_library(room):
    for path in (PACKAGE / room).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not any(f"import {name}" in text for name in ("torch", "mediapipe", "cv2", "av", "librosa")), path
