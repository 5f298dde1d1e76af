import sqlite3

import pytest

from emoreason.errors import ConfigError
from emoreason.inference.batch.discover import Found
from emoreason.inference.batch.manifest import DONE, FAILED, FILE, PENDING, Manifest


@pytest.fixture
def manifest(tmp_path):
    with Manifest(tmp_path) as opened:
        opened.update([Found("a.mp4", 10, 1), Found("b.mp4", 20, 2)])
        yield opened


def state(manifest):
    return {entry.path: entry.state for entry in manifest.entries()}


def test_new_files_are_pending(manifest):
    assert state(manifest) == {"a.mp4": PENDING, "b.mp4": PENDING}


@pytest.mark.parametrize("size, mtime, expected", [(10, 1, DONE), (11, 1, PENDING), (10, 9, PENDING)])
def test_a_changed_file_is_pending_again_and_keeps_its_old_id(manifest, size, mtime, expected):
    manifest.done("a.mp4", "ff", "a-1", "cfg", 1.5)
    manifest.update([Found("a.mp4", size, mtime), Found("b.mp4", 20, 2)])
    assert state(manifest)["a.mp4"] == expected
    assert manifest.find("a.mp4").id == "a-1"


def test_files_that_left_are_not_current_but_remembered(manifest):
    manifest.done("a.mp4", "ff", "a-1", "cfg", 1.5)
    manifest.update([Found("b.mp4", 20, 2)])
    assert state(manifest) == {"b.mp4": PENDING} and manifest.gone() == 1
    assert [entry.path for entry in manifest.entries(DONE, current=False)] == ["a.mp4"]
    manifest.update([Found("a.mp4", 10, 1), Found("b.mp4", 20, 2)])
    assert state(manifest)["a.mp4"] == DONE


def test_failures_are_counted_until_the_next_run(manifest):
    manifest.failed("a.mp4", "open", "NotMedia", "no", final=False)
    manifest.failed("a.mp4", "open", "NotMedia", "no", final=True)
    entry = manifest.find("a.mp4")
    assert (entry.state, entry.tries, entry.error) == (FAILED, 2, "NotMedia")
    manifest.update([Found("a.mp4", 10, 1)])
    assert manifest.find("a.mp4").tries == 0 and manifest.counts() == {FAILED: 1}


def test_success_forgets_the_failure(manifest):
    manifest.failed("a.mp4", "open", "NotMedia", "no", final=True)
    manifest.done("a.mp4", "ff", "a-1", "cfg", 1.5)
    entry = manifest.find("a.mp4")
    assert (entry.state, entry.error, entry.sha256, entry.config) == (DONE, None, "ff", "cfg")


def test_any_name_survives(tmp_path):
    names = ["line\nbreak.mp4", 'it\'s "q".mp4', "caf\udce9.mp4", "歌.mp4", "'); DROP TABLE files; --.mp4"]
    with Manifest(tmp_path) as manifest:
        manifest.update([Found(name, 1, 1) for name in names])
        assert {entry.path for entry in manifest.entries()} == set(names)


def test_a_reader_sees_a_run_under_way(manifest, tmp_path):
    manifest.done("a.mp4", "ff", "a-1", "cfg", 1.5)
    with Manifest(tmp_path, readonly=True) as reader:
        assert reader.counts() == {DONE: 1, PENDING: 1}


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(ConfigError, match="holds no batch run"):
        Manifest(tmp_path, readonly=True)


def test_a_damaged_or_newer_manifest_is_named(tmp_path):
    (tmp_path / FILE).write_bytes(b"this is no database, whatever its name says" * 40)
    with pytest.raises(ConfigError, match="--restart"):
        Manifest(tmp_path)
    (tmp_path / FILE).unlink()
    Manifest(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE) as base:
        base.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigError, match="version 99"):
        Manifest(tmp_path)


def test_a_hundred_thousand_entries_take_linear_work(tmp_path):
    """Counted in SQLite's own steps, not in seconds."""
    found = [Found(f"folder/{n:06}.mp4", n, n) for n in range(100_000)]
    steps = []
    for count in (10_000, 100_000):
        (tmp_path / str(count)).mkdir()
        with Manifest(tmp_path / str(count)) as manifest:
            ticks = [0]
            manifest.base.set_progress_handler(lambda ticks=ticks: ticks.__setitem__(0, ticks[0] + 1) or 0, 1000)
            manifest.update(found[:count])
            manifest.update(found[:count])
            manifest.done("folder/000005.mp4", "ff", "x", "cfg", 1.0)
            assert sum(1 for _ in manifest.entries()) == count
            steps.append(ticks[0])
    assert steps[1] < 12 * steps[0]


def test_a_message_may_name_a_file_whose_name_is_no_text(manifest):
    manifest.failed("a.mp4", "open", "NotMedia", "/in/caf\udce9 歌.mp4: is no media", final=True)
    assert manifest.find("a.mp4").message == "/in/caf\\udce9 歌.mp4: is no media"
