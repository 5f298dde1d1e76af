"""The batch with a model: clips judged together are as clips judged alone, and a judge that dies loses nothing."""

import shutil
from collections import deque
from multiprocessing import Pipe

import numpy as np
import pandas as pd
import pytest
from batch_tasks import dying_judge
from builders import tone, write_media
from inference.toys import make_judge
from local_server import Backbone, serving
from PIL import Image

from emoreason import EmotionReasoner, assets, cli
from emoreason.errors import AssetError, ConfigError, EnvironmentProblem
from emoreason.inference.batch import judging, worker
from emoreason.inference.batch.judged_engine import JudgedEngine, _Flow
from emoreason.inference.batch.judging import Measured
from emoreason.inference.batch.options import Options
from emoreason.inference.batch.pool import Died
from emoreason.inference.batch.runner import run
from emoreason.inference.batch.worker import Analysed, Failure, Job
from emoreason.media import Clip
from emoreason.media.source import Source
from emoreason.model.export import export
from emoreason.perception.settings import PerceptionSettings
from emoreason.report.emotion_report import EmotionReport

FAST = PerceptionSettings(words=False, fps=2, threads=1)
SECONDS = (3.0, 9.0, 13.0)  # of the sample clip, with a face
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "small"
    judge = make_judge(trained=True, verdict={"most_tokens": 8})
    judge.engine.model.save_pretrained(folder)
    judge.processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """Faces, noise, a sound and a file that is no media."""
    try:
        sample = next(assets.path("sample-clip").glob("*.mp4"))
    except AssetError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("media")
    for number, frame in enumerate(Clip(sample).frames(SECONDS)):
        Image.fromarray(frame.image).save(folder / f"face{number}.png")
    noise = np.random.default_rng(0).integers(0, 255, (40, 48, 3), np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    Image.fromarray(noise[::-1]).save(folder / "deadly.png")
    write_media(folder / "voice.wav", times_s=[], sound=tone(1.0))
    (folder / "broken.mp4").write_bytes(b"nothing")
    return folder


def options(model, **more):
    return Options(model=str(model), perception=FAST, workers=1, threads=1, cache=False, **more)


def reports(out):
    """By path."""
    ids = pd.read_parquet(out / "summary.parquet").set_index("path").id
    return {path: EmotionReport.from_json((out / "reports" / f"{name}.json").read_text()) for path, name in ids.items()}


@pytest.fixture(scope="module")
def finished(media, model, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    waiting, events = [], []

    def on_event(event, _):
        events.append((event.kind, event.path))
        waiting.append(len(list((out / ".waiting").glob("*"))))

    run(media, out, options(model, waiting=4), on_event)
    return out, waiting, events


def test_a_batch_is_its_files(finished, media, model):
    out, _, events = finished
    assert sorted(path for kind, path in events if kind == "failed") == ["broken.mp4"]
    found = reports(out)
    assert set(found) == {"face0.png", "face1.png", "face2.png", "noise.png", "deadly.png", "voice.wav"}
    alone = EmotionReasoner.from_pretrained(model, settings=FAST, cache=False)
    for path, report in found.items():
        one = alone(media / path)
        assert report.explanation == one.explanation and report.model == one.model
        assert (report.verdict.emotion, report.warnings) == (one.verdict.emotion, one.warnings)
        assert (report.verdict.probabilities is None) == (one.verdict.probabilities is None)
        for emotion, p in (one.verdict.probabilities or {}).items():
            assert report.verdict.probabilities[emotion] == pytest.approx(p, abs=1e-3)
        assert report.timings_s.total >= report.timings_s.faces
    assert found["face0.png"].people and found["face0.png"].verdict.probabilities is not None
    assert found["face0.png"].timings_s.faces > 0, "measured in another process, told all the same"


def test_what_waits_is_bounded_and_goes(finished):
    out, waiting, _ = finished
    assert 0 < max(waiting) <= 4
    assert not (out / ".waiting").exists()


def test_a_finished_run_loads_no_model(finished, media, model, monkeypatch):
    monkeypatch.setattr(JudgedEngine, "outcomes", lambda self, jobs: iter([(job, _broken(job)) for job in jobs]))
    kinds = []
    run(media, finished[0], options(model, waiting=7), lambda event, _: kinds.append((event.kind, event.path)))
    assert [path for kind, path in kinds if path] == ["broken.mp4"], "how many may wait changes no result"


def _broken(job):
    return Failure(job.path, "open", "NotMedia", "no")


def test_a_judge_that_is_killed_costs_the_clip_that_kills_it(finished, media, model, tmp_path, monkeypatch):
    """Killed in its first chunk of several clips, which are then tried one by one; one of these kills it whenever it comes."""
    monkeypatch.setattr(judging, "judge", dying_judge)
    failed = []

    def on_event(event, _):
        if event.kind == "failed":
            failed.append((event.path, event.stage, event.error))

    run(media, tmp_path / "out", options(model, retries=0), on_event)
    assert (tmp_path / "out/died").is_file()
    assert sorted(failed) == [("broken.mp4", "open", "NotMedia"), ("deadly.png", "judge", "WorkerDied")]
    found, calm = reports(tmp_path / "out"), reports(finished[0])
    assert set(found) == set(calm) - {"deadly.png"}
    for path, report in found.items():
        assert (report.explanation, report.verdict.emotion) == (calm[path].explanation, calm[path].verdict.emotion)


@pytest.fixture
def worker_here(model, monkeypatch):
    """This process as the worker."""
    monkeypatch.setattr(worker, "_options", options(model))
    monkeypatch.setattr(worker, "_reasoner", None)


def test_measurements_that_were_dropped_are_made_again_and_a_clip_that_left_fails_alone(media, tmp_path, worker_here):
    (tmp_path / "in").mkdir()
    (tmp_path / "out/reports").mkdir(parents=True)
    for name in ("face0.png", "noise.png", "face1.png"):
        shutil.copy(media / name, tmp_path / "in")
    jobs = [Job(str(tmp_path / "in"), name, str(tmp_path / "out")) for name in ("face0.png", "noise.png", "face1.png")]
    measured = [judging.measure(job) for job in jobs]
    assert len(list((tmp_path / "out/.waiting").iterdir())) == 3
    judging.forget(measured[0])
    (tmp_path / "in/noise.png").unlink()
    first, lost, last = judging.judge(measured)
    assert isinstance(first, Analysed) and isinstance(last, Analysed)
    assert (lost.stage, lost.error, lost.fatal) == ("judge", "MissingFile", False)
    assert {path.stem for path in (tmp_path / "out/reports").iterdir()} == {first.id, last.id}
    again = judging.measure(Job(jobs[0].folder, jobs[0].path, jobs[0].out, known=first.id))
    assert again == Analysed("face0.png", first.id, first.sha256, 0.0, unchanged=True)


def test_a_model_that_cannot_be_loaded_ends_the_run(media, tmp_path):
    with pytest.raises(EnvironmentProblem, match="'nosuch': known are composer"):
        run(media, tmp_path / "out", options("nosuch"))


class Talkative(Backbone):
    """Lists every token: a random model has its labels among the likeliest by chance only."""

    def listed(self, log_p, most, body):
        return super().listed(log_p, len(log_p), body)


def test_a_served_backbone_judges(media, model, tmp_path, monkeypatch):
    """The command, on one picture: text evidence alone, and the report says where it comes from."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    exported = export(model, tmp_path / "exported")
    (tmp_path / "in").mkdir()
    shutil.copy(media / "face0.png", tmp_path / "in")
    asked = ["batch", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--model", str(exported), "--workers", "1", "-q"]
    with serving(Talkative(exported / "backbone")) as url:
        assert cli.run([*asked, "--no-words", "--no-cache", "--server", url, "--served-model", "toy"]) == 0
    report = reports(tmp_path / "out")["face0.png"]
    assert report.model.path == "text" and report.model.revision.endswith(f"toy at {url}")
    assert report.verdict.probabilities is not None


def test_a_server_needs_a_model():
    with pytest.raises(ConfigError, match="'composer' needs no server"):
        Options(model="composer", server="http://127.0.0.1:9/v1")


# the flow, with outcomes that a test decides


class Scripted:
    """A pool that answers at once with what `function` says."""

    def __init__(self, size, function):
        self.size, self.function, self.given = size, function, []
        self.far, near = Pipe()
        self.far.send("something is there")
        self.pipes = [near]

    @property
    def busy(self):
        return [(task, 0.0) for task in self.given]

    @property
    def free(self):
        return self.size - len(self.given)

    def give(self, task):
        self.given.append(task)

    def next_outcomes(self, _):
        out, self.given = [(task, self.function(task)) for task in self.given], []
        return out


def flow(jobs, judge, segments=1, waiting=8, retries=1):
    """(outcomes by path, chunks as the judge was given them)"""
    source = Source("x", "ff", 1.0, None, None, None, True, False, "picture")
    chunks = []

    def judged(chunk):
        chunks.append([one.job.path for one in chunk])
        return judge(chunk)

    measuring = Scripted(2, lambda job: Measured(job, job.path, source, segments, 0.0, {}))
    jobs = [Job("/in", f"{number}", "/nowhere") for number in range(jobs)]
    made = _Flow(Options(model="toy", waiting=waiting, retries=retries), deque(jobs), measuring, Scripted(1, judged))
    outcomes, most = {}, 0
    for news in made.outcomes():
        most = max(most, made.waiting)
        if not isinstance(news, list):
            assert news[0].path not in outcomes, "exactly once"
            outcomes[news[0].path] = news[1]
            if getattr(news[1], "fatal", False):  # the runner ends there
                break
    assert most <= waiting
    return outcomes, chunks


def _done(chunk):
    return [Analysed(one.job.path, one.id, "ff", 1.0) for one in chunk]


def test_chunks_are_filled_and_no_clip_waits_for_ever():
    outcomes, chunks = flow(11, _done)
    assert len(outcomes) == 11 and chunks[0] == []
    assert [len(chunk) for chunk in chunks[1:]] == [4, 4, 3]


def test_long_clips_make_short_chunks():
    assert [len(chunk) for chunk in flow(5, _done, segments=40)[1][1:]] == [1] * 5


@pytest.mark.parametrize("waiting", [1, 2, 3])
def test_narrow_flows_end(waiting):
    assert len(flow(5, _done, waiting=waiting)[0]) == 5


def test_a_lost_chunk_is_tried_one_by_one():
    died = []

    def judge(chunk):
        if len(chunk) == 4 and not died:
            died.append(chunk)
            return Died(-9, False)
        return _done(chunk)

    outcomes, chunks = flow(6, judge)
    assert all(isinstance(outcome, Analysed) for outcome in outcomes.values()) and len(outcomes) == 6
    assert [len(chunk) for chunk in chunks[1:6]] == [4, 1, 1, 1, 1]


def test_a_judge_that_is_killed_while_the_model_loads_loads_it_again_as_often_as_files_are_tried():
    deaths = [Died(-9, False), Died(1, False)]
    outcomes, chunks = flow(3, lambda chunk: deaths.pop() if not chunk and deaths else _done(chunk), retries=2)
    assert chunks[:3] == [[], [], []] and all(isinstance(outcome, Analysed) for outcome in outcomes.values())
    outcomes, chunks = flow(3, lambda chunk: _done(chunk) if chunk else Died(-9, False), retries=2)
    assert chunks == [[], [], []] and [outcome.fatal for outcome in outcomes.values()] == [True]
