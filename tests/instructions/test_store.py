"""Records on disk: same records, same hash; damage is noticed."""

import json

import pytest

from emoreason.errors import ConfigError
from emoreason.instructions import store
from emoreason.instructions.record import AuLabel, ClosedLabel, Media, Record
from emoreason.instructions.store import read_index, read_records, write_records


def some(count: int) -> list[Record]:
    return [
        Record(
            id=f"r{n}",
            dataset="toy",
            split="train" if n % 2 else "test",
            group=f"g{n}",
            licence="none",
            media=Media(image=f"p/{n}.png"),
            labels=[ClosedLabel(scheme="toy", shares={"joy": 0.25, "grief": 0.75})],
            action_units=[AuLabel(au="AU12", present=False)],
            transcript="Zażółć gęślą jaźń\u2028next",
        )
        for n in range(count)
    ]


def test_what_is_written_is_read_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "SHARD", 3)
    write_records(some(7), tmp_path / "out")
    assert list(read_records(tmp_path / "out")) == some(7)
    index = read_index(tmp_path / "out")
    assert [shard["records"] for shard in index["shards"]] == [3, 3, 1]
    assert index["splits"] == {"test": 4, "train": 3}


def test_the_hash_follows_the_content_and_not_the_shards(tmp_path, monkeypatch):
    first = write_records(some(7), tmp_path / "a")
    monkeypatch.setattr(store, "SHARD", 2)
    assert write_records(some(7), tmp_path / "b") == first
    assert write_records(some(7)[::-1], tmp_path / "c") != first


def test_a_smaller_second_writing_leaves_nothing_of_the_first(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "SHARD", 2)
    write_records(some(6), tmp_path)
    write_records(some(1), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.json", "records-00000.jsonl"]


def test_a_changed_shard_is_refused(tmp_path):
    write_records(some(3), tmp_path)
    shard = tmp_path / "records-00000.jsonl"
    shard.write_bytes(shard.read_bytes().replace(b'"r1"', b'"r9"'))
    with pytest.raises(ConfigError, match="build the records again"):
        list(read_records(tmp_path))


def test_a_missing_shard_or_index_is_told(tmp_path):
    with pytest.raises(ConfigError, match="emoreason data build"):
        list(read_records(tmp_path))
    write_records(some(3), tmp_path)
    (tmp_path / "records-00000.jsonl").unlink()
    with pytest.raises(ConfigError, match="records-00000"):
        list(read_records(tmp_path))


def test_another_format_is_refused(tmp_path):
    (tmp_path / "index.json").write_text(json.dumps({"format": "x/1"}))
    with pytest.raises(ConfigError, match="format"):
        read_index(tmp_path)


def test_an_interrupted_writing_leaves_no_index(tmp_path):
    write_records(some(3), tmp_path)

    def breaks():
        yield from some(2)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_records(breaks(), tmp_path)
    assert not (tmp_path / "index.json").exists()
