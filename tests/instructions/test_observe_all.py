"""Every file once, nothing twice, failures by name; the real networks where their assets were pulled."""

import json
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from face_pictures import face
from observations import make_observation
from voices import speech, write_wav

from emoreason.cli import INPUT_FAILED, run
from emoreason.errors import ConfigError
from emoreason.instructions import observe_all as module
from emoreason.instructions.observe_all import (
    Job,
    data_store,
    files_of,
    find,
    jobs_of,
    joined,
    observe_all,
    settings_of,
    sound_of,
    told,
)
from emoreason.instructions.record import Media, Record, Span
from emoreason.media import Clip
from emoreason.perception.observe import observe
from emoreason.report.claims import check


def record(name: str, media: Media, **more) -> Record:
    return Record(id=name, dataset="set", split="train", group="g", licence="none", media=media, **more)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A face crop, a voice and a file that is neither."""
    folder = tmp_path / "data"
    folder.mkdir()
    cv2.imwrite(str(folder / "face.png"), face(96)[..., ::-1])
    write_wav(folder / "voice.wav", speech(2.0))
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


RECORDS = [
    record("1", Media(image="face.png"), cropped_face=True),
    record("2", Media(audio="voice.wav")),
    record("3", Media(image="broken.png"), cropped_face=True),
    record("4", Media(image="missing.png"), cropped_face=True),
    record("5", Media(image="face.png", audio="voice.wav"), cropped_face=True),
]


def test_settings_follow_the_record():
    assert settings_of(RECORDS[0]).cropped_faces is True
    assert settings_of(RECORDS[1]).cropped_faces is None and settings_of(RECORDS[1]).words
    assert not settings_of(RECORDS[1], words=False).words
    given = record("6", Media(audio="a.wav"), transcript="Good morning.", language="en")
    assert not settings_of(given).words and settings_of(given).language == "en"


def test_what_does_not_concern_a_file_does_not_part_it(root):
    """A voice that is joined to a face, and a face to a voice with words in Polish, are found where they were measured alone."""
    alone = jobs_of([RECORDS[0], record("2", Media(audio="voice.wav"), transcript="Dobrze.", language="pl")], root)
    pair = record("7", Media(image="face.png", audio="voice.wav"), cropped_face=True, transcript="Dobrze.", language="pl")
    assert jobs_of([pair], root) == alone
    quiet = record("8", Media(audio="voice.wav"), transcribe=False)
    assert jobs_of([quiet], root) == jobs_of([quiet], root, words=False) != jobs_of([RECORDS[1]], root)


def test_the_sound_of_a_record():
    names = [
        sound_of(record("1", media), Path("/r"))
        for media in (Media(image="a.png", audio="b.wav"), Media(video="c.mp4"), Media(image="a.png"))
    ]
    assert names == [Path("/r/b.wav"), Path("/r/c.mp4"), None]


def frames_record(root, count: int) -> Record:
    """A face that moves through `count` pictures, four a second."""
    names = [f"{n:02d}.png" for n in range(count)]
    for n, name in enumerate(names):
        cv2.imwrite(str(root / name), np.roll(face(160), 2 * n, axis=1)[..., ::-1])
    return record("film", Media(frames=names, frame_rate=4.0), cropped_face=True)


def test_frames_are_one_clip(root, tmp_path):
    one = frames_record(root, 6)
    [job] = jobs_of([one, one], root)
    assert len(job.frames) == 6 and job.clip().duration_s == 1.5 and not job.settings.words
    tally = observe_all([job], tmp_path / "store", workers=1)
    assert (tally.files, tally.failed, tally.faces) == (1, 0, 6)
    seen = find(one, root, data_store(tmp_path / "store"))
    assert [person.person for person in seen.people] == ["p1"] and seen.source.kind == "video"
    assert seen.people[0].times_s.tolist() == [n / 4 for n in range(6)]
    single = one.model_copy(update={"media": Media(frames=["00.png"])})
    assert jobs_of([single], root) == [Job(str(root / "00.png"), settings_of(single, kind="picture"))]
    (root / "03.png").unlink()
    assert find(one, root, data_store(tmp_path / "store")) is None


def test_each_file_is_measured_once(root):
    jobs = jobs_of([*RECORDS, *RECORDS], root, words=False)
    names = [(Path(job.path).name, job.settings.cropped_faces) for job in jobs]
    assert names == [("face.png", True), ("voice.wav", None), ("broken.png", True), ("missing.png", True)]


def test_files_of_several_sets_need_their_roots():
    both = record("1", Media(image="a/x.png", audio="b/y.wav"))
    assert files_of(both, {"a": Path("/A"), "b": Path("/B")}) == [Path("/A/x.png"), Path("/B/y.wav")]
    with pytest.raises(ConfigError, match="no root is known for data set 'b'"):
        files_of(both, {"a": Path("/A")})


def test_run_failures_and_second_run(root, tmp_path):
    face(8)  # skips without the assets
    jobs, store, failures = jobs_of(RECORDS, root, words=False), tmp_path / "store", tmp_path / "failures.jsonl"
    heard = []
    tally = observe_all(jobs, store, workers=1, failures=failures, progress=lambda done, total: heard.append((done, total)))
    assert (tally.files, tally.cached, tally.failed, tally.faces) == (4, 0, 2, 1)
    assert tally.sound_s == pytest.approx(2.0, abs=0.1)
    assert heard == [(n, 4) for n in range(1, 5)]
    lines = [json.loads(line) for line in failures.read_text().splitlines()]
    assert [(Path(line["path"]).name, line["stage"], line["error"]) for line in lines] == [
        ("broken.png", "observe", "NotMedia"),
        ("missing.png", "observe", "MissingFile"),
    ]
    assert all(line["message"] for line in lines)
    again = observe_all(jobs, store, workers=1, failures=failures)
    assert (again.files, again.cached, again.failed, again.faces) == (4, 2, 2, 0)

    kept = data_store(store)
    assert len(find(RECORDS[0], root, kept, words=False).people) == 1
    assert find(RECORDS[1], root, kept, words=False).voice is not None
    assert find(RECORDS[0], root, data_store(tmp_path / "empty"), words=False) is None
    assert find(RECORDS[3], root, kept, words=False) is None
    together = find(RECORDS[4], root, kept, words=False)
    assert len(together.people) == 1 and together.voice is not None and together.source.duration_s == pytest.approx(2.0, abs=0.1)


class Deadly:
    """Ends the process that receives it, as a crash in a decoder would."""

    def __reduce__(self):
        return os._exit, (1,)


def test_several_processes_and_one_that_dies(root, tmp_path, monkeypatch):
    face(8)
    monkeypatch.setattr(module, "_CHUNK", 2)
    jobs = jobs_of(RECORDS[:3], root, words=False)
    deadly = Job("deadly.mp4", Deadly())
    failures = tmp_path / "failures.jsonl"
    tally = observe_all([jobs[0], deadly, *jobs[1:]], tmp_path / "store", workers=2, failures=failures)
    assert (tally.files, tally.failed) == (4, 2)
    lines = [json.loads(line) for line in failures.read_text().splitlines()]
    assert {(Path(line["path"]).name, line["error"]) for line in lines} == {
        ("deadly.mp4", "BrokenProcessPool"),
        ("broken.png", "NotMedia"),
    }
    kept = data_store(tmp_path / "store")
    there = find(RECORDS[0], root, kept, words=False)
    here = observe(Clip(root / "face.png"), jobs[0].settings)
    # What a network gives may differ in the last bits in a process with another number of threads.
    np.testing.assert_allclose(there.faces.column("blendshapes"), here.faces.column("blendshapes"), atol=1e-5)
    assert find(RECORDS[1], root, kept, words=False) is not None


def test_pictures_and_sound_are_joined():
    face = make_observation(people=[{"au": {"AU12": [(1, 2, 3, 0.8, "both")]}}], duration_s=4)
    voice = make_observation(has_video=False, voice={"pitch": (220.0, "high")}, words=[(0, 5, "well")], duration_s=6)
    both = joined(face, voice)
    assert both.source.duration_s == 6 and both.source.has_audio and both.source.has_video
    assert both.voice is voice.voice and both.words is voice.words and len(both.people) == 1
    assert replace(both, voice=None).faces is face.faces


def test_a_given_transcript_counts_as_words():
    heard = make_observation(has_video=False, voice={"pitch": (220.0, "high")}, speech=[(0.5, 1.5), (2.0, 4.0)], duration_s=6)
    one = record("1", Media(audio="a.wav"), transcript="Good morning.", language="en")
    (segment,) = told(heard, one).words.segments
    assert (segment.start_s, segment.end_s, segment.text) == (0.5, 4.0, "Good morning.")
    assert told(heard, one).words.language == "en"
    (segment,) = told(heard, one.model_copy(update={"span": Span(start_s=1.0, end_s=2.5)})).words.segments
    assert (segment.start_s, segment.end_s) == (1.0, 2.5)
    assert told(make_observation(people=[{}]), one).words is None
    deaf = replace(heard, settings=heard.settings | {"words": False})
    [claim] = check('The speaker says "Good morning." (0.5-4.0 s).', told(deaf, one))
    assert claim.verdict == "supported"


def test_workers_are_counted_from_one(tmp_path):
    with pytest.raises(ConfigError, match="workers is 0"):
        observe_all([], tmp_path, workers=0)


def test_command_observes_a_set(tmp_path, capsys):
    face(8)
    actor = tmp_path / "Actor_01"
    actor.mkdir()
    write_wav(actor / "03-01-03-01-01-01-01.wav", speech(1.5))
    (actor / "03-01-04-01-01-01-01.wav").write_bytes(b"no sound")
    command = ["data", "observe", "ravdess", "--root", f"ravdess={tmp_path}", "--no-words", "--workers", "1"]
    command += ["--store", str(tmp_path / "store")]
    assert run(command) == INPUT_FAILED
    assert capsys.readouterr().out.startswith("ravdess: 1 measured, 0 known, 1 failed")
    assert "03-01-04" in (tmp_path / "store" / "ravdess.failures.jsonl").read_text()
    assert run([*command, "--limit", "1"]) == 0
    assert capsys.readouterr().out.startswith("ravdess: 0 measured, 1 known, 0 failed")
