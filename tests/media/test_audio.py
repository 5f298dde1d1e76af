import numpy as np
import pytest
from builders import click, even_times, tone, write_media

from emoreason.media import Clip
from emoreason.media.audio import RATE, blocks


def onset_s(sound: np.ndarray) -> float:
    return float(np.flatnonzero(np.abs(sound) > 0.2)[0] / RATE)


def test_sound_is_16_khz_mono_at_its_own_loudness(tmp_path):
    for rate in (44_100, 48_000, 8_000):
        path = write_media(tmp_path / f"{rate}.wav", sound=tone(2.0, rate), sound_codec="pcm_s16le", sound_rate=rate)
        sound = Clip(path).audio()
        assert sound.dtype == np.float32 and sound.ndim == 1 and abs(len(sound) - 2 * RATE) <= 2
        inner = slice(RATE // 4, -RATE // 4)
        assert np.abs(sound[inner] - tone(2.0, RATE)[: len(sound)][inner]).max() < 0.01


@pytest.mark.parametrize("layout", ["stereo", "5.1"])
def test_equal_channels_mix_to_what_each_of_them_is(tmp_path, layout):
    import av

    count = {"stereo": 2, "5.1": 6}[layout]
    path = tmp_path / "channels.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout=layout)
        samples = (np.repeat(tone(1.0, RATE)[:, None], count, 1) * 32767).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert np.abs(Clip(path).audio()).max() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", dict(sound_codec="pcm_s16le")),
        ("a.flac", dict(sound_codec="flac")),
        ("a.mp3", dict(sound_codec="libmp3lame")),
        ("a.opus", dict(sound_codec="libopus")),
        ("a.m4a", dict()),
        ("a.mp4", dict(times_s=even_times(100))),
        ("a.mkv", dict(times_s=even_times(100), sound_codec="libopus")),
        ("a.webm", dict(times_s=even_times(100), codec="libvpx-vp9", sound_codec="libopus")),
        ("a.ts", dict(times_s=even_times(100))),
    ],
)
def test_a_click_is_heard_when_it_sounds(tmp_path, name, options):
    clip = Clip(write_media(tmp_path / name, sound=click(4.0, at_s=2.5), **options))
    assert onset_s(clip.audio()) == pytest.approx(2.5, abs=0.03)
    window = clip.audio(2.0, 3.0)
    assert len(window) == RATE and onset_s(window) == pytest.approx(0.5, abs=0.03)
    assert abs(len(clip.audio()) - 4 * RATE) < 0.1 * RATE


def test_sound_that_starts_late_is_preceded_by_silence(tmp_path):
    clip = Clip(write_media(tmp_path / "late.mp4", even_times(50), sound=tone(1.5), sound_start_s=0.5))
    sound = clip.audio()
    assert clip.frame_times_s[0] == 0 and not sound[: int(0.45 * RATE)].any()
    assert onset_s(sound) == pytest.approx(0.5, abs=0.03) and len(sound) == pytest.approx(2 * RATE, abs=0.05 * RATE)


def test_pictures_that_start_late_leave_the_sound_where_it_is(tmp_path):
    clip = Clip(write_media(tmp_path / "late.mkv", even_times(50, start_s=1.0), sound=click(3.0, at_s=2.0)))
    assert clip.frame_times_s[0] == pytest.approx(1.0, abs=0.03)
    assert onset_s(clip.audio()) == pytest.approx(2.0, abs=0.03)


def test_a_gap_in_the_track_is_silence(tmp_path):
    path = write_media(tmp_path / "gap.mkv", sound=tone(1.0), sound_codec="pcm_s16le")
    gapped = _with_gap(path, after_s=0.5, gap_s=1.0)
    sound = Clip(gapped).audio()
    assert len(sound) == pytest.approx(2 * RATE, abs=400)
    assert not sound[int(0.55 * RATE) : int(1.45 * RATE)].any()
    assert np.abs(sound[int(1.6 * RATE) : int(1.9 * RATE)]).max() > 0.4


def _with_gap(path, after_s, gap_s):
    """The same packets, those from after_s on moved back by gap_s."""
    import av

    target = path.with_name("gapped.mkv")
    with av.open(str(path)) as source, av.open(str(target), "w") as container:
        stream = container.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux():
            if packet.dts is None:
                continue
            if packet.pts * packet.time_base >= after_s:
                packet.pts = packet.dts = packet.pts + round(gap_s / packet.time_base)
            packet.stream = stream
            container.mux(packet)
    return target


def test_blocks_join_to_the_whole_track(tmp_path):
    clip = Clip(write_media(tmp_path / "long.mp4", even_times(60), sound=tone(2.4), sound_start_s=0.3))
    starts_s, parts = zip(*clip.audio_blocks(0.5), strict=True)
    assert starts_s == tuple(0.5 * number for number in range(len(parts)))
    assert {len(part) for part in parts[:-1]} == {RATE // 2}
    assert np.array_equal(np.concatenate(parts), clip.audio())
    with pytest.raises(ValueError, match="block_s"):
        clip.audio_blocks(0.0)


@pytest.mark.parametrize("lengths", [[], [3], [10], [7, 7, 7], [25, 0, 1], [10, 10]])
def test_regrouping_keeps_every_sample(lengths):
    pieces = np.split(np.arange(sum(lengths), dtype=np.float32), np.cumsum(lengths)[:-1]) if lengths else []
    parts = list(blocks(iter(pieces), 10))
    assert all(len(part) == 10 for part in parts[:-1])
    assert np.array_equal(np.concatenate([*parts, []]), np.arange(sum(lengths)))


def test_windows_outside_the_track_are_empty(tmp_path):
    clip = Clip(write_media(tmp_path / "short.wav", sound=tone(1.0), sound_codec="pcm_s16le"))
    assert len(clip.audio(5.0, 6.0)) == 0
    assert len(clip.audio(0.9, 5.0)) == pytest.approx(0.1 * RATE, abs=2)


def test_silence_is_sound(tmp_path):
    clip = Clip(write_media(tmp_path / "silent.mp4", even_times(25), sound=np.zeros(48_000, np.float32)))
    assert clip.has_audio and not clip.audio().any() and len(clip.audio()) >= RATE


def test_a_damaged_packet_is_told_and_leaves_its_length_in_silence(tmp_path):
    path = write_media(tmp_path / "damaged.m4a", sound=tone(4.0))
    content = bytearray(path.read_bytes())
    middle = content.index(b"mdat") + 12_000
    content[middle : middle + 3000] = np.random.default_rng(2).bytes(3000)
    path.write_bytes(content)
    clip = Clip(path)
    assert len(clip.audio()) == pytest.approx(4 * RATE, rel=0.02)
    assert clip.problems and clip.problems[0].startswith("damaged sound at")
