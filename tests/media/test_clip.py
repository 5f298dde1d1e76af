import multiprocessing
import pickle

import numpy as np
import pytest
from builders import even_times, pattern, read_index, tone, write_media

from emoreason.media import Clip, Frame, MediaError, NoAudio, NoVideo


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """4 s at 25 frames/s with sound."""
    return write_media(tmp_path_factory.mktemp("clip") / "film.mp4", even_times(100), sound=tone(4.0))


def test_a_clip_tells_its_facts(film):
    clip = Clip(film)
    source = clip.source
    assert (source.kind, source.has_video, source.has_audio) == ("video", True, True)
    assert (source.width, source.height) == (64, 48)
    assert source.duration_s == pytest.approx(4.0, abs=0.05)
    assert source.fps == pytest.approx(25.0)
    assert len(source.sha256) == 64 and source.sha256 == Clip(film).source.sha256
    assert np.allclose(clip.frame_times_s, even_times(100), atol=1e-4)
    assert clip.problems == []


@pytest.mark.parametrize(("fps", "count"), [(25.0, 100), (1000.0, 100), (12.5, 50), (10.0, 40), (5.0, 20), (0.5, 2)])
def test_sampling_never_exceeds_the_rate_asked_for_nor_the_source(film, fps, count):
    frames = list(Clip(film).sample(fps))
    assert len(frames) == count
    assert [read_index(frame.image) for frame in frames] == [frame.index for frame in frames]
    assert all(frame.time_s == pytest.approx(frame.index / 25) for frame in frames)
    assert len({frame.index for frame in frames}) == count and frames == sorted(frames, key=lambda frame: frame.index)


def test_sampling_a_window_takes_the_frames_that_come_on_inside_it(film):
    frames = list(Clip(film).sample(25.0, start_s=1.01, end_s=1.2))
    assert [frame.index for frame in frames] == [26, 27, 28, 29]


def test_thirty_frames_a_second_in_milliseconds_lose_none(tmp_path):
    clip = Clip(write_media(tmp_path / "rounded.mkv", even_times(90, fps=30.0)))  # 0, 33, 67, 100 ms
    assert [frame.index for frame in clip.sample(30.0)] == list(range(90))


def test_variable_rate_is_thinned_where_it_is_dense_only(tmp_path):
    times_s = [0.0, 0.02, 0.04, 0.06, 0.5, 1.0, 1.02, 1.04]
    clip = Clip(write_media(tmp_path / "vfr.mp4", times_s))
    assert [frame.index for frame in clip.sample(10.0)] == [0, 4, 5]


def test_frames_are_those_on_screen_at_the_seconds_asked_for(film):
    frames = Clip(film).frames([3.0, -1.0, 0.05, 99.0, 0.05])
    assert [frame.index for frame in frames] == [75, 0, 1, 99, 1]
    assert [read_index(frame.image) for frame in frames] == [75, 0, 1, 99, 1]
    assert Clip(film).frames([]) == []


def test_every_true_frame_time_gives_back_its_own_frame(tmp_path):
    times_s = list(np.cumsum(np.random.default_rng(3).integers(20, 121, 40)) / 1000)
    clip = Clip(write_media(tmp_path / "vfr.mkv", times_s))
    assert [frame.index for frame in clip.frames(clip.frame_times_s)] == list(range(40))


def test_max_side_shrinks_and_never_enlarges(tmp_path):
    clip = Clip(write_media(tmp_path / "wide.mp4", even_times(3), size=(320, 240)))
    small = clip.frames([0.0], max_side=80)[0]
    assert small.image.shape == (60, 80, 3) and small.scale == pytest.approx(0.25)
    large = clip.frames([0.0], max_side=4000)[0]
    assert large.image.shape == (240, 320, 3) and large.scale == 1.0


def test_pictures_before_and_after_the_sound_share_one_axis(tmp_path):
    late_pictures = Clip(write_media(tmp_path / "late.mp4", even_times(30, start_s=1.5), sound=tone(2.7)))
    assert late_pictures.frame_times_s[0] == pytest.approx(1.5, abs=1e-3)
    assert late_pictures.frames([0.0])[0].index == 0
    late_both = Clip(write_media(tmp_path / "both.mkv", even_times(30, start_s=1.5), sound=tone(1.2), sound_start_s=1.5))
    assert late_both.frame_times_s[0] == pytest.approx(0.0, abs=0.03)
    assert late_both.duration_s == pytest.approx(1.2, abs=0.1)


def test_what_a_file_lacks_is_an_error_of_its_own(tmp_path):
    sound = Clip(write_media(tmp_path / "sound.wav", sound=tone(1.0), sound_codec="pcm_s16le"))
    assert (sound.kind, sound.has_video, sound.size, len(sound.frame_times_s)) == ("audio", False, None, 0)
    with pytest.raises(NoVideo, match="sound.wav"):
        sound.sample(10.0)
    with pytest.raises(NoVideo):
        sound.frames([0.0])
    mute = Clip(write_media(tmp_path / "mute.mp4", even_times(5)))
    with pytest.raises(NoAudio, match="mute.mp4"):
        mute.audio()
    with pytest.raises(NoAudio):
        mute.audio_blocks()


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused_at_once(film, fps):
    with pytest.raises(ValueError, match="fps"):
        Clip(film).sample(fps)


def test_paths_with_spaces_and_other_scripts(tmp_path):
    folder = tmp_path / "Łódź 情感 data"
    folder.mkdir()
    clip = Clip(write_media(folder / "видео — 1%03d.mp4", even_times(10), sound=tone(0.4)))
    assert [read_index(frame.image) for frame in clip.sample(25.0)] == list(range(10))
    assert len(clip.audio()) > 6000


def test_relative_paths_that_look_like_protocols(tmp_path, monkeypatch):
    write_media(tmp_path / "plain.mp4", even_times(3)).rename(tmp_path / "concat:a.mp4")
    monkeypatch.chdir(tmp_path)
    clip = Clip("concat:a.mp4")
    assert clip.path == "concat:a.mp4" and [frame.index for frame in clip.sample(25.0)] == [0, 1, 2]


def test_one_frame_is_a_film_too(tmp_path):
    clip = Clip(write_media(tmp_path / "one.mp4", [0.0]))
    assert [read_index(frame.image) for frame in clip.sample(12.0)] == [0]
    assert clip.source.fps is None and clip.kind == "video"


def test_4k(tmp_path):
    clip = Clip(write_media(tmp_path / "4k.mp4", even_times(2), [pattern(i, 3840, 2160) for i in range(2)]))
    frame = clip.frames([0.04], max_side=640)[0]
    assert frame.image.shape == (360, 640, 3) and read_index(frame.image) == 1
    assert clip.frames([0.04])[0].image.shape == (2160, 3840, 3)


def _indices(clip: Clip) -> list[int]:
    return [read_index(frame.image) for frame in clip.sample(5.0)] + [len(clip.audio())]


@pytest.mark.parametrize("reader", ["auto", "pyav"])
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_clip_read_here_reads_the_same_in_a_child(film, reader, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot {method}")
    clip = Clip(film, reader=reader)
    here = _indices(clip)
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply_async(_indices, (clip,)).get(timeout=60) == here


def test_an_iteration_does_not_survive_a_fork(film, monkeypatch):
    frames = Clip(film).sample(25.0)
    assert isinstance(next(frames), Frame)
    monkeypatch.setattr("os.getpid", lambda: -1)
    with pytest.raises(MediaError, match="another process"):
        next(frames)


def test_a_clip_pickles_with_its_findings(film):
    clip = Clip(film)
    copy = pickle.loads(pickle.dumps(clip))
    assert copy.source == clip.source and np.array_equal(copy.frame_times_s, clip.frame_times_s)


def test_an_unknown_reader_is_refused(film):
    with pytest.raises(ValueError, match="reader"):
        Clip(film, reader="opencv")
