import gc
import json
import multiprocessing
import os
import stat
from dataclasses import replace

import numpy as np
import pytest
from observations import make_observation
from safetensors.numpy import save_file

from emoreason.perception import store as store_module
from emoreason.perception.observation import FACE_COLUMNS
from emoreason.perception.settings import PerceptionSettings
from emoreason.perception.store import ObservationStore, Shard, ShardWriter, key


def fill(store, observation):
    """What observe() does: shards into a scratch folder, then keep."""
    scratch = store.scratch()
    for number, shard in enumerate(observation.faces.shards):
        save_file({n: np.ascontiguousarray(c) for n, c in shard.items()}, scratch / f"faces-{number:05d}.safetensors")
    return store.keep(scratch, observation)


@pytest.fixture
def observation():
    return make_observation(
        8.0,
        people=[{"au": {"AU12": [(1.0, 2.0, 3.0, 0.8, "both")]}, "speaking": [(1.0, 2.0)]}, {"start_s": 3.0}],
        voice={"pitch": (200.0, "typical")},
        words=[(1.0, 2.0, 'he said "hi" \u2603')],
        shard_rows=50,
        cuts_s=[4.0],
    )


def test_what_was_kept_is_found_again_and_equal(tmp_path, observation):
    store = ObservationStore(tmp_path / "cache")
    kept = fill(store, observation)
    for found in (kept, ObservationStore(tmp_path / "cache").find(observation.source, observation.settings)):
        assert (found.words, found.cuts_s, found.speaking) == (observation.words, observation.cuts_s, observation.speaking)
        assert found.voice.cues == observation.voice.cues
        np.testing.assert_array_equal(found.voice.pitch_hz, observation.voice.pitch_hz)
        np.testing.assert_array_equal(found.sample_times_s, observation.sample_times_s)
        assert [p.person for p in found.people] == ["p1", "p2"]
        np.testing.assert_array_equal(found.people[1].boxes, observation.people[1].boxes)
        np.testing.assert_array_equal(found.people[1].landmarks(slice(3, 5)), observation.people[1].landmarks(slice(3, 5)))


def test_how_many_threads_measured_is_no_part_of_the_key():
    one, many = PerceptionSettings(threads=1), PerceptionSettings(threads=8)
    assert one.to_dict() == many.to_dict() != PerceptionSettings(fps=3).to_dict()


def test_key_depends_on_bytes_and_settings_not_on_the_name(observation):
    source, settings = observation.source, observation.settings
    assert key(source, settings) == key(replace(source, path="/elsewhere/other.mp4"), settings)
    assert key(source, settings) != key(replace(source, sha256="cd" * 32), settings)
    assert key(source, settings) != key(source, settings | {"fps": 5.0})


def test_the_stored_folder_is_private_and_holds_no_path(tmp_path, observation):
    fill(ObservationStore(tmp_path / "cache"), observation)
    for folder in [tmp_path / "cache", *(p for p in (tmp_path / "cache").iterdir() if p.is_dir())]:
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    text = next((tmp_path / "cache").glob("*/observation.json")).read_text()
    assert observation.source.path not in text


@pytest.mark.parametrize("damage", ["json", "shard", "series"])
def test_a_damaged_entry_counts_as_absent_and_goes(tmp_path, observation, damage):
    store = ObservationStore(tmp_path / "cache")
    fill(store, observation)
    folder = tmp_path / "cache" / key(observation.source, observation.settings)
    name = {"json": "observation.json", "shard": "faces-00000.safetensors", "series": "series.safetensors"}[damage]
    (folder / name).write_bytes((folder / name).read_bytes()[:20])
    assert store.find(observation.source, observation.settings) is None
    assert not folder.exists()


def test_the_least_recently_used_goes_when_the_cache_is_full(tmp_path, observation):
    small = ObservationStore(tmp_path / "cache", limit_bytes=1)
    fill(small, observation)
    other = replace(observation, source=replace(observation.source, sha256="cd" * 32))
    fill(small, other)
    assert small.find(observation.source, observation.settings) is None
    assert small.find(other.source, other.settings) is not None


def test_leftovers_of_a_killed_process_go_when_old(tmp_path, observation, monkeypatch):
    store = ObservationStore(tmp_path / "cache")
    left, fresh = store.scratch(), store.scratch()
    os.utime(left, (0, 0))
    fill(store, observation)
    assert not left.exists() and fresh.exists()


def test_without_a_root_nothing_outlives_the_observation(observation):
    store = ObservationStore(None)
    kept = fill(store, observation)
    folder = kept.faces.shards[0].path.parent
    assert folder.exists()
    del kept
    gc.collect()
    assert not folder.exists()


def _fill_in_process(root, number):
    observation = make_observation(2.0, people=[{}])
    for _ in range(5):
        kept = fill(ObservationStore(root), observation)
        assert len(kept.faces) == len(observation.faces)
        assert ObservationStore(root).find(observation.source, observation.settings) is not None


def test_several_processes_may_keep_the_same_clip(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_fill_in_process, args=(tmp_path / "cache", n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len([p for p in (tmp_path / "cache").iterdir() if p.is_dir()]) == 1


def test_shard_writer_computes_geometry_and_keeps_memory_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "SHARD_ROWS", 3)
    rng = np.random.default_rng(0)
    writer = ShardWriter(tmp_path)
    for sample in range(5):
        writer.add(
            {
                "sample": np.array([sample, sample]),
                "face_id": np.array([1, 2]),
                "found": np.array([1, 1]),
                "box": np.array([[10, 10, 100, 120]] * 2),
                "landmarks": rng.random((2, 478, 3)),
                "blendshapes": rng.random((2, 52)),
                "pose": np.zeros((2, 3)),
                "quality": np.array([[60, 1, 0.5, 1]] * 2),
            }
        )
        assert writer.waiting < 3
    writer.flush()
    shards = [Shard(path) for path in sorted(tmp_path.glob("*.safetensors"))]
    assert [len(shard["sample"]) for shard in shards] == [4, 4, 2]
    assert set(shards[0]) == set(FACE_COLUMNS)
    assert np.isfinite(shards[0]["geometry"]).all() and shards[0]["gaze"].shape == (4, 2)


def test_version_is_part_of_the_key(observation, monkeypatch):
    before = key(observation.source, observation.settings)
    monkeypatch.setattr(store_module, "VERSION", store_module.VERSION + 1)
    assert key(observation.source, observation.settings) != before


def test_what_is_heard_has_a_version_of_its_own(observation, monkeypatch):
    film, picture = (replace(observation.source, kind=kind) for kind in ("video", "picture"))
    before = [key(source, observation.settings) for source in (film, picture)]
    monkeypatch.setattr(store_module, "HEARD_VERSION", store_module.HEARD_VERSION + 1)
    after = [key(source, observation.settings) for source in (film, picture)]
    assert before[0] != after[0] and before[1] == after[1]


def test_settings_are_stored_as_they_were(tmp_path, observation):
    fill(ObservationStore(tmp_path / "cache"), observation)
    stored = json.loads(next((tmp_path / "cache").glob("*/observation.json")).read_text())
    assert stored["settings"] == observation.settings
