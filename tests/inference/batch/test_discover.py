import os

import pytest

from emoreason.errors import ConfigError
from emoreason.inference.batch.discover import Walk, discover, in_shard

NAMES = ["a.mp4", "b/c.WAV", "b/d/e.jpeg", "b/line\nbreak.mov", 'b/it\'s "quoted".mkv', "žluť/歌.mp3", "z.flac"]


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def paths(folder, **options):
    return [file.path for file in discover(folder, **options)]


def test_nested_media_of_any_name_in_a_stable_order(tmp_path):
    make(tmp_path, *reversed(NAMES), "notes.txt", ".hidden.mp4", ".cache/x.mp4")
    walk = Walk()
    assert [file.path for file in discover(tmp_path, walk=walk)] == sorted(NAMES)
    assert walk.others == 1 and walk.unreadable is None


def test_a_name_that_is_no_text_is_kept(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.mp4")).write_bytes(b"x")
    (found,) = paths(tmp_path)
    assert os.fsencode(found) == b"caf\xe9.mp4" and (tmp_path / found).is_file()


def test_links_are_followed_without_loops(tmp_path):
    make(tmp_path / "in", "one/a.mp4")
    make(tmp_path / "elsewhere", "b.mp4")
    (tmp_path / "in/one/up").symlink_to("..")
    (tmp_path / "in/self").symlink_to(".")
    (tmp_path / "in/other").symlink_to("../elsewhere")
    (tmp_path / "in/file.mp4").symlink_to("one/a.mp4")
    assert paths(tmp_path / "in") == ["file.mp4", "one/a.mp4", "other/b.mp4"]


def test_results_inside_the_folder_are_left_out(tmp_path):
    make(tmp_path, "a.mp4", "out/clips/a/report.png", "out2/b.mp4")
    assert paths(tmp_path, leave_out=tmp_path / "out") == ["a.mp4", "out2/b.mp4"]


def test_what_cannot_be_looked_at_is_told(tmp_path):
    make(tmp_path, "a.mp4")
    (tmp_path / "gone.mp4").symlink_to("nowhere.mp4")
    walk = Walk()
    assert [file.path for file in discover(tmp_path, walk=walk)] == ["a.mp4"]
    assert walk.unreadable == [("gone.mp4", "No such file or directory")]


@pytest.mark.parametrize("name, said", [("file.mp4", "is a file"), ("none", "is not there")])
def test_no_folder(tmp_path, name, said):
    make(tmp_path, "file.mp4")
    with pytest.raises(ConfigError, match=said):
        paths(tmp_path / name)


def test_shards_cover_everything_once():
    names = [f"clip{n}.mp4" for n in range(300)]
    taken = [[name for name in names if in_shard(name, (i, 3))] for i in (1, 2, 3)]
    assert sorted(sum(taken, [])) == sorted(names)
    assert min(map(len, taken)) > 60
