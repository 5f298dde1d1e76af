"""Runs over small real media, and the bookkeeping with outcomes that a test decides."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import even_times, tone, write_media
from PIL import Image

from emoreason.errors import ConfigError, EnvironmentProblem
from emoreason.inference.batch import engines, runner, worker
from emoreason.inference.batch.merge import merge
from emoreason.inference.batch.options import Options
from emoreason.inference.batch.pool import Died
from emoreason.inference.batch.runner import run
from emoreason.inference.batch.status import status
from emoreason.inference.batch.worker import OVER_MEMORY, Analysed, Failure, failure
from emoreason.perception.settings import PerceptionSettings

FAST = Options(model="composer", perception=PerceptionSettings(words=False, fps=2), workers=2, cache=False)
NAME = "<b>it's\n歌.png"


def picture(path, seed):
    noise = np.random.default_rng(seed).integers(0, 255, (40, 48, 3), np.uint8)
    Image.fromarray(noise).save(path)


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """Two pictures, a film, a sound, a file that is no media and a text."""
    folder = tmp_path_factory.mktemp("media")
    (folder / "sub").mkdir()
    picture(folder / "one.png", 1)
    picture(folder / "sub" / NAME, 2)
    write_media(folder / "sub/film.mp4", times_s=even_times(20), sound=tone(0.8))
    write_media(folder / "voice.wav", times_s=[], sound=tone(1.0))
    (folder / "broken.mp4").write_bytes(b"nothing" * 100)
    (folder / "readme.txt").write_text("no media")
    return folder


@pytest.fixture(scope="module")
def finished(media, tmp_path_factory):
    out, events = tmp_path_factory.mktemp("out"), []
    progress = run(media, out, FAST, lambda event, _: events.append(event))
    return out, progress, events


def tables(out):
    columns = ["id", "path", "emotion", "confidence", "explanation", "sha256"]
    return pd.read_parquet(out / "summary.parquet")[columns]


def test_every_file_is_done_or_listed(finished):
    out, progress, _ = finished
    assert (progress.files, progress.done, progress.failed, progress.skipped) == (5, 4, 1, 0)
    summary = pd.read_parquet(out / "summary.parquet")
    assert list(summary.columns[:4]) == ["id", "path", "emotion", "confidence"]
    assert list(summary.path) == sorted(["one.png", f"sub/{NAME}", "sub/film.mp4", "voice.wav"])
    assert {path.stem for path in (out / "reports").iterdir()} == set(summary.id)
    (line,) = (out / "failures.jsonl").read_text().splitlines()
    failure = json.loads(line)
    assert (failure["path"], failure["stage"], failure["error"]) == ("broken.mp4", "open", "NotMedia")
    assert not list(out.rglob("*.part"))


def test_temporary_files_of_a_killed_run_are_swept(media, tmp_path):
    left = [tmp_path / ".run.json.00000000.part", tmp_path / "reports/.some.json.00000000.part"]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_text("half")
    run(media, tmp_path, FAST, limit=1)
    assert not [path for path in left if path.exists()]


def test_frame_tables_are_one_data_set(finished):
    frames = pd.read_parquet(finished[0] / "frames")
    summary = pd.read_parquet(finished[0] / "summary.parquet")
    assert set(frames.id.astype(str)) <= set(summary.id)
    assert set(frames.id.astype(str)) >= set(summary.id[summary.has_video])


def test_the_page_links_every_report_and_escapes_names(finished):
    html = (finished[0] / "index.html").read_text()
    assert "<b>it" not in html and "&lt;b&gt;it" in html
    for name in pd.read_parquet(finished[0] / "summary.parquet").id:
        assert f"reports/{name}.json" in html or "%" in html
    assert "http" not in html.replace("http-equiv", "")


def test_a_finished_run_is_not_redone(media, finished):
    out, events = finished[0], []
    before = {path: path.stat().st_mtime_ns for path in (out / "reports").iterdir()}
    progress = run(media, out, FAST, lambda event, _: events.append(event))
    assert (progress.done, progress.skipped, progress.failed) == (0, 4, 1)  # what failed is tried again
    assert before == {path: path.stat().st_mtime_ns for path in (out / "reports").iterdir()}


def test_status_tells_the_counts(finished):
    found = status(finished[0])
    assert (found.state, found.done, found.failed, found.pending) == ("finished", 4, 1, 0)
    assert found.to_dict()["failures"][0]["path"] == "broken.mp4"
    with pytest.raises(ConfigError, match="no batch run"):
        status(finished[0] / "reports")


class Here:
    """Stands in for the pool where a test needs no processes: the same work, in this one."""

    def __init__(self, workers, function, initializer, arguments, time_limit_s, threads):
        self.function, self.given = function, []
        worker._options, worker._reasoner = arguments[0], None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    @property
    def free(self):
        return 1 - len(self.given)

    @property
    def busy(self):
        return [(job, 0.0) for job in self.given]

    def give(self, job):
        self.given.append(job)

    def next_outcomes(self, _):
        return [(job, self.function(job)) for job in [self.given.pop()]]


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(engines, "Pool", Here)


@pytest.fixture
def small(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        picture(folder / f"{number}.png", number)
    return folder


def kinds(folder, out, options=FAST, **more):
    events = []
    run(folder, out, options, lambda event, _: events.append(event), **more)
    return {event.path: event.kind for event in events if event.path}


def test_changed_files_and_options_are_redone(small, tmp_path, here):
    out = tmp_path / "out"
    assert set(kinds(small, out).values()) == {"done"}
    first = tables(out)
    os.utime(small / "0.png", (1, 1))
    assert kinds(small, out) == {"0.png": "unchanged"}  # only its time had changed
    picture(small / "1.png", 99)
    assert kinds(small, out) == {"1.png": "done"}
    second = tables(out)
    assert list(second.path) == list(first.path) and second.id[1] != first.id[1]
    assert len(list((out / "reports").iterdir())) == 3  # the old report of 1.png is gone
    other = Options(model="composer", perception=PerceptionSettings(words=False, fps=1), workers=1, cache=False)
    assert set(kinds(small, out, other).values()) == {"done"}
    assert kinds(small, out, other, verify=True) == dict.fromkeys(["0.png", "1.png", "2.png"], "unchanged")
    assert set(kinds(small, out, other, restart=True).values()) == {"done"}


def test_a_missing_report_is_made_again_and_files_that_left_keep_theirs(small, tmp_path, here):
    out = tmp_path / "out"
    kinds(small, out)
    first = tables(out)
    (out / "reports" / f"{first.id[0]}.json").unlink()
    (small / "2.png").unlink()
    assert kinds(small, out) == {"0.png": "done"}
    assert list(tables(out).path) == ["0.png", "1.png", "2.png"]
    assert status(out).gone == 1


def test_names_that_are_no_text_are_done_and_failed_as_others(tmp_path, here):
    folder = tmp_path / "in"
    folder.mkdir()
    picture(folder / "x.png", 1)
    (folder / "x.png").rename(folder / "caf\udce9.png")
    (folder / "bad\udce9.mp4").write_bytes(b"nothing")
    assert kinds(folder, tmp_path / "out") == {"caf\udce9.png": "done", "bad\udce9.mp4": "failed"}
    (row,) = tables(tmp_path / "out").itertuples()
    assert row.path == "caf\ufffd.png"
    report = json.loads((tmp_path / f"out/reports/{row.id}.json").read_text())
    assert report["source"]["path"].endswith("caf\ufffd.png")
    assert kinds(folder, tmp_path / "out") == {"bad\udce9.mp4": "failed"}


def test_limit_and_shards(small, tmp_path, here):
    out = tmp_path / "out"
    assert len(kinds(small, out, limit=2)) == 2
    assert len(kinds(small, out)) == 1
    done = [kinds(small, tmp_path / f"part{i}", shard=(i, 2)) for i in (1, 2) if _holds(small, i)]
    assert sorted(path for part in done for path in part) == ["0.png", "1.png", "2.png"]


def _holds(folder, number):
    return any(runner.in_shard(path.name, (number, 2)) for path in folder.iterdir())


def test_merged_shards_equal_one_run(small, tmp_path, here):
    for number in range(3, 8):
        picture(small / f"{number}.png", number)
    (small / "bad.mp4").write_bytes(b"nothing")
    kinds(small, tmp_path / "whole")
    for number in (1, 2):
        kinds(small, tmp_path / f"part{number}", shard=(number, 2))
    merged = merge([tmp_path / "part1", tmp_path / "part2"], tmp_path / "both")
    assert (merged.clips, merged.failed) == (8, 1)
    pd.testing.assert_frame_equal(tables(tmp_path / "both"), tables(tmp_path / "whole"))
    with pytest.raises(EnvironmentProblem, match="not empty"):
        merge([tmp_path / "part1"], tmp_path / "both")
    with pytest.raises(ConfigError, match="twice"):
        merge([tmp_path / "part1", tmp_path / "part1"], tmp_path / "more")
    slower = Options(model="composer", perception=PerceptionSettings(words=False, fps=1), cache=False)
    kinds(small, tmp_path / "part2", slower, shard=(2, 2))
    with pytest.raises(ConfigError, match="other settings"):
        merge([tmp_path / "part1", tmp_path / "part2"], tmp_path / "more")


SCRIPT = """
import sys
from pathlib import Path
from emoreason.inference.batch.options import Options
from emoreason.inference.batch.runner import run
from emoreason.perception.settings import PerceptionSettings
if __name__ == "__main__":
    options = Options(model="composer", perception=PerceptionSettings(words=False, fps=2), workers=2, cache=False)
    run(Path(sys.argv[1]), Path(sys.argv[2]), options)
"""


def test_killed_runs_end_as_an_undisturbed_one(small, tmp_path):
    """The runner is killed as soon as it has written so many reports; its workers go with it."""
    for number in range(3, 10):
        picture(small / f"{number}.png", number)
    kinds(small, tmp_path / "calm")
    out, script = tmp_path / "out", tmp_path / "script.py"
    script.write_text(SCRIPT)
    for reports in (1, 4, 7):
        process = subprocess.Popen([sys.executable, script, small, out], cwd=Path(__file__).parents[3])
        while process.poll() is None and len(list((out / "reports").glob("*.json"))) < reports:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    kinds(small, out)
    pd.testing.assert_frame_equal(tables(out), tables(tmp_path / "calm"))
    assert {p.name for p in (out / "reports").iterdir()} == {p.name for p in (tmp_path / "calm/reports").iterdir()}
    assert not list(out.rglob("*.part"))


def test_two_runs_on_one_folder_refuse_politely(small, tmp_path, here):
    from emoreason.inference.batch.lock import locked

    out = tmp_path / "out"
    out.mkdir()
    with locked(out), pytest.raises(EnvironmentProblem, match=f"process {os.getpid()} on "):
        run(small, out, FAST)
    (out / ".owner.json").write_text("{}")  # what a killed run leaves behind does not count
    assert set(kinds(small, out).values()) == {"done"}


@pytest.mark.parametrize("make, said", [("empty", "holds no media"), ("same", "folder of videos itself"), ("file", "is a file")])
def test_folders_that_cannot_be_used(tmp_path, make, said):
    folder, out = tmp_path / "in", tmp_path / "out"
    if make == "file":
        folder.write_text("x")
    else:
        folder.mkdir()
    with pytest.raises((ConfigError, EnvironmentProblem), match=said):
        run(folder, folder if make == "same" else out, FAST)


# outcomes that a test decides


class Scripted(Here):
    """`script` maps a path to the outcomes of its tries; the next one succeeds."""

    script: dict = {}
    tries: dict = {}  # of all pools of a run: what is tried again is tried by a new one

    def next_outcomes(self, _):
        job = self.given.pop()
        tries = self.tries[job.path] = self.tries.get(job.path, 0) + 1
        outcomes = self.script.get(job.path, [])
        if tries <= len(outcomes):
            return [(job, outcomes[tries - 1])]
        (Path(job.out) / "reports" / f"{job.path}.json").write_text("{}")
        return [(job, Analysed(job.path, job.path, "ff", 1.0))]


@pytest.fixture
def scripted(monkeypatch):
    monkeypatch.setattr(engines, "Pool", Scripted)
    monkeypatch.setattr(runner, "finish", lambda out, manifest: None)

    def play(folder, out, **script):
        monkeypatch.setattr(Scripted, "script", {f"{name[1:]}.png": value for name, value in script.items()})
        monkeypatch.setattr(Scripted, "tries", {})
        events = []
        run(folder, out, FAST, lambda event, _: events.append(event))
        return [(event.kind, event.path, event.error) for event in events if event.path]

    return play


@pytest.mark.parametrize(
    "outcome, error",
    [
        (Died(-9, False), "WorkerDied"),
        (Failure("0.png", "analyse", "OSError", "Input/output error", transient=True), "OSError"),
    ],
)
def test_transient_failures_are_tried_again(small, tmp_path, scripted, outcome, error):
    events = scripted(small, tmp_path / "out", _0=[outcome])
    assert ("retried", "0.png", error) in events and ("done", "0.png", None) in events
    events = scripted(small, tmp_path / "twice", _0=[outcome, outcome])
    assert ("failed", "0.png", error) in events and ("done", "1.png", None) in events


@pytest.mark.parametrize(
    "outcome, error",
    [
        (Died(-15, True), "TimeLimit"),
        (Died(OVER_MEMORY, False), "MemoryLimit"),
        (Failure("0.png", "open", "NotMedia", "no"), "NotMedia"),
    ],
)
def test_other_failures_are_not(small, tmp_path, scripted, outcome, error):
    events = scripted(small, tmp_path / "out", _0=[outcome])
    assert [event for event in events if event[1] == "0.png"] == [("failed", "0.png", error)]
    assert sum(kind == "done" for kind, *_ in events) == 2


def test_a_full_disk_stops_the_run_and_loses_nothing(small, tmp_path, scripted):
    full = Failure("1.png", "write", "OSError", "No space left on device", fatal=True)
    with pytest.raises(EnvironmentProblem, match="No space left"):
        scripted(small, tmp_path / "out", _1=[full])
    assert (tmp_path / "out/reports/0.png.json").is_file()
    assert status(tmp_path / "out").state == "interrupted"
    events = scripted(small, tmp_path / "out")
    assert [(kind, path) for kind, path, _ in events] == [("done", "1.png"), ("done", "2.png")]


@pytest.mark.parametrize("code, transient, fatal", [(5, True, False), (28, False, True), (30, False, True), (13, False, False)])
def test_errors_of_the_disk_are_told_apart(code, transient, fatal):
    found = failure("a.mp4", "write", OSError(code, os.strerror(code)))
    assert (found.transient, found.fatal) == (transient, fatal)


def test_unreadable_files_fail_alone(small, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (small / "0.png").chmod(0)
    assert kinds(small, tmp_path / "out")["0.png"] == "failed"


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"formats": ("docx",)}, {"retries": -1}, {"time_limit_s": 0}])
def test_options_are_checked(wrong):
    with pytest.raises(ConfigError):
        Options(**wrong)
