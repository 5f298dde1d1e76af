import os

import av
import numpy as np
import pytest
from builders import even_times, pattern, read_index, tone, write_media

from emoreason.errors import EmoReasonError
from emoreason.media import Clip, MediaError, MissingFile, NotAFile, NotMedia, TruncatedFile, UnsupportedCodec
from emoreason.media.container import packets_of


def cut(path, share):
    """The first `share` of the file's bytes."""
    content = path.read_bytes()
    target = path.with_name(f"cut_{path.name}")
    target.write_bytes(content[: int(len(content) * share)])
    return target


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(MissingFile, match="no such file"):
        Clip(tmp_path / "nowhere.mp4")
    with pytest.raises(NotAFile, match="directory"):
        Clip(tmp_path)
    assert issubclass(MissingFile, MediaError) and issubclass(MediaError, EmoReasonError)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello world\n" * 200, np.random.default_rng(0).bytes(20_000), b"#EXTM3U\n#EXTINF:5,\nhttp://127.0.0.1:9/x.ts\n"],
    ids=["empty", "text", "noise", "playlist"],
)
@pytest.mark.parametrize("name", ["a.mp4", "a.txt", "a.m3u8"])
def test_what_is_not_media(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(NotMedia) as caught:
        Clip(path)
    assert "\n" not in str(caught.value) and name in str(caught.value)


def test_subtitles_are_not_media(tmp_path):
    path = tmp_path / "words.srt"
    path.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    with pytest.raises(NotMedia):
        Clip(path)


def test_an_index_behind_the_pictures_is_lost_with_the_end(tmp_path):
    path = write_media(tmp_path / "behind.mp4", even_times(50), size=(320, 240))
    with pytest.raises(TruncatedFile, match="index"):
        Clip(cut(path, 0.6))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("front.mp4", dict(container_options={"movflags": "faststart"})),
        ("fragments.mp4", dict(container_options={"movflags": "frag_keyframe+empty_moov"})),
        ("cut.mkv", dict()),
    ],
)
def test_a_cut_file_gives_what_is_left_and_says_so(tmp_path, name, options):
    path = cut(write_media(tmp_path / name, even_times(100), sound=tone(4.0), size=(320, 240), **options), 0.6)
    clip = Clip(path)
    frames = list(clip.sample(25.0))
    assert 40 < len(frames) < 80
    assert [read_index(frame.image) for frame in frames] == [frame.index for frame in frames] == list(range(len(frames)))
    assert len(clip.problems) == 1 and "cut off after 2." in clip.problems[0]
    assert 1.5 < clip.duration_s < 3.2 and len(clip.audio()) > 16_000


def test_a_whole_file_is_not_called_cut(tmp_path):
    webm = dict(codec="libvpx-vp9", sound_codec="libopus")
    for name, options in {"a.mp4": {}, "a.mkv": {}, "a.ts": {}, "a.webm": webm}.items():
        assert Clip(write_media(tmp_path / name, even_times(50), sound=tone(3.0), **options)).problems == []


@pytest.mark.parametrize(
    ("name", "mark", "other"), [("a.mp4", b"avc1", b"zzz9"), ("a.mkv", b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/ZZZ")]
)
def test_a_codec_nobody_knows(tmp_path, name, mark, other):
    path = write_media(tmp_path / name, even_times(10))
    path.write_bytes(path.read_bytes().replace(mark, other))
    with pytest.raises(UnsupportedCodec, match="video codec"):
        Clip(path)


def test_an_unknown_picture_codec_leaves_the_sound(tmp_path):
    path = write_media(tmp_path / "half.mp4", even_times(25), sound=tone(1.0))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz9"))
    clip = Clip(path)
    assert clip.kind == "audio" and len(clip.audio()) >= 15_000
    assert any("pictures" in problem and "codec" in problem for problem in clip.problems)


def test_cover_art_is_not_film(tmp_path):
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w") as container:
        audio = container.add_stream("libmp3lame", rate=44_100, layout="mono")
        cover = container.add_stream("mjpeg")
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(pattern(1), format="rgb24")
        container.mux(cover.encode(picture) + cover.encode(None))
        sound = av.AudioFrame.from_ndarray(tone(1.0, 44_100)[None], format="fltp", layout="mono")
        sound.sample_rate = 44_100
        container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 1  # the cover is really there
    clip = Clip(path)
    assert (clip.kind, clip.has_video, clip.problems) == ("audio", False, [])


def test_a_header_without_a_frame(tmp_path):
    path = write_media(tmp_path / "header.mp4", even_times(20), container_options={"movflags": "faststart"})
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"mdat") + 8])
    with pytest.raises(MediaError, match="header.mp4"):
        Clip(path)


@pytest.mark.parametrize("seed", range(36))
def test_no_damage_brings_it_down(tmp_path, seed):
    """Bits flipped, stretches overwritten or the end cut: something is read, or a MediaError says why not."""
    rng = np.random.default_rng(seed)
    name, options = DAMAGED[seed % len(DAMAGED)]
    content = bytearray(write_media(tmp_path / name, sound=tone(1.2), **options).read_bytes())
    if seed % 3 == 0:
        content = content[: rng.integers(len(content))]
    elif seed % 3 == 1:
        for _ in range(12):
            content[rng.integers(len(content))] = rng.integers(256)
    else:
        start = rng.integers(len(content))
        content[start : start + 1000] = rng.bytes(800)
    path = tmp_path / f"damaged_{name}"
    path.write_bytes(content)
    try:
        clip = Clip(path)
        indices = [frame.index for frame in clip.sample(12.0)] if clip.has_video else []
        assert indices == sorted(set(indices))
        samples = np.concatenate([np.zeros(0), *(block for _, block in clip.audio_blocks())]) if clip.has_audio else np.zeros(0)
        assert np.isfinite(samples).all() and len(indices) + len(samples) > 0
    except MediaError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)


DAMAGED = [
    ("a.mp4", dict(times_s=even_times(30))),
    ("front.mp4", dict(times_s=even_times(30), container_options={"movflags": "faststart"})),
    ("a.mkv", dict(times_s=even_times(30), sound_codec="libopus")),
    ("a.ts", dict(times_s=even_times(30))),
    ("a.avi", dict(times_s=even_times(30), codec="mpeg4", sound_codec="libmp3lame")),
    ("a.mp3", dict(sound_codec="libmp3lame")),
    ("a.wav", dict(sound_codec="pcm_s16le")),
]


def test_a_packet_of_a_stream_unknown_at_opening_does_not_end_the_reading():
    """Damaged MPEG-TS brings up new streams midway, at which PyAV's demux raises IndexError and ends."""

    class Container:
        packets = iter([1, 2, None, 3, None, 4])

        def demux(self, stream):
            for packet in self.packets:
                if packet is None:
                    raise IndexError("list index out of range")
                yield packet

    assert list(packets_of(Container(), "video")) == [1, 2, 3, 4]


def test_of_two_films_in_one_file_one_is_read_with_its_own_times(tmp_path):
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=25) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(20):
            for number, stream in enumerate(streams):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pattern(index + 100 * number), format="rgb24")))
        for stream in streams:
            container.mux(stream.encode(None))
    shown = [read_index(frame.image) for frame in Clip(path).sample(1000.0)]
    assert shown in (list(range(20)), list(range(100, 120)))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_a_file_one_may_not_read(tmp_path):
    path = write_media(tmp_path / "secret.mp4", even_times(3))
    path.chmod(0)
    with pytest.raises(MissingFile, match="cannot be opened"):
        Clip(path)
