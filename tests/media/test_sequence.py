"""Pictures read as a film: times, order, sizes, damage, identity."""

import pickle

import pytest
from PIL import Image

from emoreason.media import FrameSequence, MissingFile, NoAudio, NoFrames


@pytest.fixture
def pictures(tmp_path):
    """Ten pictures of 12 x 8, each in a grey of its own."""
    paths = [tmp_path / f"{n:03d}.png" for n in range(10)]
    for n, path in enumerate(paths):
        Image.new("L", (12, 8), 20 * n).save(path)
    return paths


def greys(frames) -> list[int]:
    return [int(frame.image[0, 0, 0]) // 20 for frame in frames]


def test_pictures_are_a_film_at_their_rate(pictures):
    clip = FrameSequence(pictures, fps=5)
    assert (clip.kind, clip.size, clip.duration_s, clip.has_video, clip.has_audio) == ("video", (12, 8), 2.0, True, False)
    assert clip.reader == "pillow" and clip.frame_times_s.tolist() == pytest.approx([n / 5 for n in range(10)])
    assert greys(clip.sample(fps=2.5)) == [0, 2, 4, 6, 8] and greys(clip.sample(fps=30, start_s=1.0, end_s=1.5)) == [5, 6, 7]
    assert greys(clip.frames([1.05, 0.0, 9.0])) == [5, 0, 9]
    assert next(clip.sample(fps=5, max_side=6)).image.shape == (4, 6, 3)
    with pytest.raises(NoAudio):
        clip.audio()


def test_the_order_given_is_the_order_shown(pictures):
    assert greys(FrameSequence(pictures[::-1], fps=5).sample(fps=5)) == list(range(9, -1, -1))


def test_content_order_and_rate_make_the_identity(pictures):
    hashes = {FrameSequence(some, fps=fps).source.sha256 for some, fps in ((pictures, 5), (pictures, 6), (pictures[::-1], 5))}
    assert len(hashes) == 3
    clip = FrameSequence(pictures, fps=5)
    assert clip.source == pickle.loads(pickle.dumps(clip)).source and clip.source.fps == 5 and clip.source.width == 12


@pytest.mark.parametrize("damage", ["cut", "size"])
def test_a_picture_that_does_not_fit_leaves_the_one_before_it(pictures, damage):
    if damage == "cut":
        pictures[3].write_bytes(pictures[3].read_bytes()[:40])
    else:
        Image.new("L", (20, 8)).save(pictures[3])
    clip = FrameSequence(pictures, fps=5)
    assert greys(clip.sample(fps=5)) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert greys(clip.frames([0.4, 0.6])) == [2, 2]
    assert clip.problems == ["damaged pictures at 0.6 s"]


def test_what_is_no_film_is_refused(pictures, tmp_path):
    with pytest.raises(NoFrames):
        FrameSequence([], fps=5)
    with pytest.raises(ValueError, match="fps is 0"):
        FrameSequence(pictures, fps=0)
    with pytest.raises(MissingFile):
        FrameSequence([*pictures, tmp_path / "gone.png"], fps=5)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(NoFrames, match="none of 1 pictures"):
        FrameSequence([tmp_path / "broken.png"], fps=5)


def test_the_first_readable_picture_gives_the_size(pictures):
    pictures[0].write_bytes(b"no picture")
    clip = FrameSequence(pictures, fps=5)
    assert clip.size == (12, 8) and greys(clip.sample(fps=5))[0] == 1
    assert greys(clip.frames([0.0, 0.2])) == [1, 1]
