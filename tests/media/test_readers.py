import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from builders import even_times, pattern, read_index, tone, write_media

from emoreason.media import Clip, MediaError, readers
from emoreason.media import clip as clip_module

VFR_S = list(np.cumsum([0, *np.random.default_rng(0).integers(20, 121, 149)]) / 1000)

needs_decord = pytest.mark.skipif(readers._decord() is None, reason="decord does not load here")

# what decord is given; every line is compared frame by frame with PyAV
FOR_DECORD = {
    "cfr.mp4": dict(times_s=even_times(150)),
    "vfr.mp4": dict(times_s=VFR_S),
    "vfr.mkv": dict(times_s=VFR_S),
    "vp9.webm": dict(times_s=VFR_S[:60], codec="libvpx-vp9"),
    "hevc.mp4": dict(times_s=VFR_S[:60], codec="libx265"),
    "mpeg4.mp4": dict(times_s=VFR_S, codec="mpeg4"),
    "late.mkv": dict(times_s=even_times(60, start_s=1.5)),
    "late.mp4": dict(times_s=even_times(60, start_s=1.5), sound=tone(2.0)),
    "long_groups.mp4": dict(times_s=even_times(150), gop=75, bframes=3),
    "key_frames_only.mp4": dict(times_s=even_times(150), gop=1, bframes=0),
    "one.mp4": dict(times_s=[0.0]),
}
# what decord is kept away from
FOR_PYAV = {
    "odd.mp4": dict(times_s=VFR_S[:30], size=(101, 77), pix_fmt="yuv444p"),
    "odd.webm": dict(times_s=VFR_S[:30], size=(101, 77), codec="libvpx-vp9"),
    "av1.mp4": dict(times_s=VFR_S[:30], codec="libsvtav1"),
    "vp8.webm": dict(times_s=VFR_S[:60], codec="libvpx"),
    "mpeg4.avi": dict(times_s=even_times(60), codec="mpeg4"),
    "broadcast.ts": dict(times_s=even_times(60, start_s=1.5), sound=tone(2.4), sound_start_s=1.5),
    "ten_bits.mp4": dict(times_s=VFR_S[:30], pix_fmt="yuv420p10le"),
    "stream.h264": dict(times_s=even_times(30)),
    "mjpeg.mov": dict(times_s=VFR_S[:30], codec="mjpeg", pix_fmt="yuvj420p"),
}


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readers")
    built = {}

    def build(name):
        if name not in built:
            built[name] = write_media(folder / name, **(FOR_DECORD | FOR_PYAV)[name])
        return built[name]

    return build


@needs_decord
@pytest.mark.parametrize("name", FOR_DECORD)
def test_both_readers_give_the_same_frames_at_the_same_seconds(media, name):
    one, other = Clip(media(name), reader="decord"), Clip(media(name), reader="pyav")
    assert Clip(media(name)).reader == "decord" and other.reader == "pyav"
    count = 0
    for left, right in zip(one.sample(1000.0), other.sample(1000.0), strict=True):
        assert (left.index, left.time_s) == (right.index, right.time_s) == (count, one.frame_times_s[count])
        assert read_index(left.image) == read_index(right.image) == count
        assert np.abs(left.image.astype(int) - right.image).max() <= 2
        count += 1
    assert count == len(FOR_DECORD[name]["times_s"])


@pytest.mark.parametrize("name", FOR_DECORD | FOR_PYAV)
@pytest.mark.parametrize("reader", ["auto", "pyav"])
def test_true_seconds_of_every_frame(media, name, reader):
    asked_s = np.array((FOR_DECORD | FOR_PYAV)[name]["times_s"])
    clip = Clip(media(name), reader=reader)
    steps_s = np.diff(clip.frame_times_s)
    assert len(clip.frame_times_s) == len(asked_s)
    assert np.allclose(steps_s, np.diff(asked_s), atol=1.1e-3)  # Matroska counts milliseconds
    assert [read_index(frame.image) for frame in clip.sample(1000.0)] == list(range(len(asked_s)))


@pytest.mark.parametrize("name", FOR_DECORD | FOR_PYAV)
@pytest.mark.parametrize("reader", ["auto", "pyav"])
def test_jumping_about_lands_on_the_frame_asked_for(media, name, reader):
    clip = Clip(media(name), reader=reader)
    wanted = np.random.default_rng(1).integers(0, len(clip.frame_times_s), 8)
    for subset in (wanted, wanted[:1], wanted[-1:]):
        frames = clip.frames(clip.frame_times_s[subset] + 0.001)
        assert [read_index(frame.image) for frame in frames] == [frame.index for frame in frames] == subset.tolist()


@pytest.mark.parametrize("name", FOR_PYAV)
def test_decord_is_kept_from_what_it_reads_wrongly(media, name):
    assert Clip(media(name)).reader == "pyav"
    with pytest.raises(MediaError, match="cannot be read with decord"):
        list(Clip(media(name), reader="decord").sample(5.0))


def test_every_file_is_read_where_decord_does_not_load(media, monkeypatch):
    monkeypatch.setattr(readers, "_decord", lambda: None)
    clip = Clip(media("vfr.mp4"))
    assert clip.reader == "pyav" and len(list(clip.sample(1000.0))) == len(VFR_S)


def test_a_large_file_is_not_given_to_decord(media, monkeypatch):
    assert readers._decord() is None or Clip(media("vfr.mp4")).reader == "decord"
    monkeypatch.setattr(readers, "DECORD_BYTES", 1000)
    assert Clip(media("vfr.mp4")).reader == "pyav"


def test_a_failure_of_decord_midway_is_taken_over_without_a_seam(media, monkeypatch):
    def broken(path, video, indices, size):
        yield from (shown for shown in readers.read_pyav(path, video, indices[:40], size, print))
        raise readers.ReaderFailed("stopped")

    monkeypatch.setattr(clip_module, "read_decord", broken)
    monkeypatch.setattr(clip_module, "choose_reader", lambda *_: "decord")
    clip = Clip(media("vfr.mp4"))
    assert [read_index(frame.image) for frame in clip.sample(1000.0)] == list(range(len(VFR_S)))
    assert clip.reader == "pyav"


def test_a_quarter_turn_goes_clockwise_as_phones_write_it():
    image = pattern(3, 96, 64)
    assert np.array_equal(readers.turn_upright(image, (0, 1, -1, 0)), np.rot90(image, -1))  # x' = -y, y' = x


# stored picture, and how a player must treat it, such that the shown one is upright
TURNS = {
    "quarter left": (dict(rotation=90), lambda image: np.rot90(image, -1)),
    "half": (dict(rotation=180), lambda image: np.rot90(image, 2)),
    "quarter right": (dict(rotation=270), lambda image: np.rot90(image, 1)),
    "mirrored": (dict(mirrored=True), lambda image: image[:, ::-1]),
}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_frames_come_upright(tmp_path, turn, suffix):
    options, stored = TURNS[turn]
    images = [np.ascontiguousarray(stored(pattern(index, 96, 64))) for index in range(12)]
    clip = Clip(write_media(tmp_path / f"turned.{suffix}", even_times(12), images, **options))
    assert clip.size == (96, 64) and clip.source.width == 96
    for max_side, shape in ((None, (64, 96, 3)), (48, (32, 48, 3))):
        frames = list(clip.sample(25.0, max_side=max_side))
        assert [read_index(frame.image) for frame in frames] == list(range(12))
        assert all(frame.image.shape == shape and frame.image.flags["C_CONTIGUOUS"] for frame in frames)


@pytest.mark.parametrize("reader", ["auto", "pyav"])
def test_wide_pixels_are_made_square(tmp_path, reader):
    path = write_media(tmp_path / "anamorphic.mp4", even_times(4), size=(96, 64), sample_aspect=Fraction(4, 3))
    clip = Clip(path, reader=reader)
    frame = clip.frames([0.12])[0]
    assert clip.size == (128, 64) and frame.image.shape == (64, 128, 3)
    assert read_index(frame.image) == 3 and frame.scale == 1.0


@needs_decord
def test_both_readers_scale_alike(tmp_path):
    path = write_media(tmp_path / "large.mp4", even_times(3), size=(320, 240))
    left, right = (Clip(path, reader=reader).frames([0.04], max_side=100)[0] for reader in ("decord", "pyav"))
    assert left.image.shape == right.image.shape == (75, 100, 3) and left.scale == right.scale
    assert np.abs(left.image.astype(int) - right.image).mean() < 0.5


@pytest.mark.parametrize("reader", ["auto", "pyav"])
def test_damaged_stretches_are_skipped_and_told(tmp_path, reader):
    path = write_media(tmp_path / "damaged.mp4", even_times(100), size=(320, 240))
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 5000
    content[start : start + 1500] = np.random.default_rng(5).bytes(1500)
    path.write_bytes(content)
    clip = Clip(path, reader=reader)
    frames = list(clip.sample(25.0))
    indices = [frame.index for frame in frames]
    assert 50 < len(indices) < 100 and indices == sorted(set(indices))
    assert [read_index(frame.image) for frame in (frames[0], frames[-1])] == [0, 99]
    assert len(clip.problems) == 1 and clip.problems[0].startswith("damaged pictures at")
    hole = next(index for index in range(100) if index not in indices)
    assert clip.frames([clip.frame_times_s[hole]])[0].index < hole


def test_frames_before_an_edit_are_not_shown(tmp_path):
    path = write_media(tmp_path / "edited.mp4", even_times(60, start_s=-0.4))  # the muxer writes an edit list
    for reader in ("auto", "pyav"):
        clip = Clip(path, reader=reader)
        assert clip.frame_times_s[0] == 0 and len(clip.frame_times_s) == 50
        assert [read_index(frame.image) for frame in clip.sample(25.0)] == list(range(10, 60))


def _real_clips() -> list[Path]:
    root = Path(os.environ.get("EMOREASON_DATA") or Path(__file__).parents[3] / "shared" / "data")
    return sorted((root / "clips").rglob("*.mp4"))


@needs_decord
@pytest.mark.skipif(not _real_clips(), reason="no real clips: set EMOREASON_DATA to a folder that holds clips/*.mp4")
def test_both_readers_agree_on_real_clips():
    compared = 0
    for path in _real_clips():
        clip = Clip(path)
        if clip.reader != "decord":
            continue
        for left, right in zip(clip.sample(1000.0, end_s=2.0), Clip(path, reader="pyav").sample(1000.0, end_s=2.0), strict=True):
            assert (left.index, left.time_s) == (right.index, right.time_s)
            assert np.abs(left.image.astype(int) - right.image).mean() < 0.5
            compared += 1
    assert compared > 0
