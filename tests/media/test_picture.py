import numpy as np
import pytest
from builders import pattern, read_index
from PIL import Image

from emoreason.media import Clip, NoAudio, TooLarge, TruncatedFile, UnsupportedCodec


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.bmp", "photo.mp4"])
def test_a_picture_is_one_frame_at_second_0(tmp_path, name):
    form = {"jpg": "JPEG", "webp": "WEBP", "bmp": "BMP"}.get(name[2:], "PNG")  # the content counts, not the name
    Image.fromarray(pattern(37, 101, 77)).save(tmp_path / name, form)
    clip = Clip(tmp_path / name)
    frames = list(clip.sample(12.0))
    assert [(frame.index, frame.time_s, frame.scale) for frame in frames] == [(0, 0.0, 1.0)]
    assert read_index(frames[0].image) == 37 and frames[0].image.shape == (77, 101, 3)
    assert (clip.kind, clip.duration_s, clip.has_video, clip.has_audio, clip.problems) == ("picture", 0.0, True, False, [])
    assert (clip.source.fps, clip.source.width, clip.source.height) == (None, 101, 77)
    assert [frame.index for frame in clip.frames([0.0, 3.0])] == [0, 0]
    with pytest.raises(NoAudio):
        clip.audio()


STORED = {  # EXIF orientation -> how the upright picture is stored
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: np.rot90(image, 2),
    6: lambda image: np.rot90(image, 1),
    8: lambda image: np.rot90(image, -1),
}


@pytest.mark.parametrize("orientation", STORED)
def test_exif_turns_pictures_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(STORED[orientation](pattern(9, 96, 64)))).save(tmp_path / "a.jpg", exif=exif)
    clip = Clip(tmp_path / "a.jpg")
    assert clip.size == (96, 64) and read_index(clip.frames([0.0])[0].image) == 9


def test_max_side(tmp_path):
    Image.fromarray(pattern(5, 300, 200)).save(tmp_path / "a.png")
    frame = Clip(tmp_path / "a.png").frames([0.0], max_side=150)[0]
    assert frame.image.shape == (100, 150, 3) and frame.scale == 0.5 and read_index(frame.image) == 5


def test_an_animated_picture_gives_its_first_frame_and_says_so(tmp_path):
    pictures = [Image.fromarray(pattern(index)) for index in (3, 4, 5)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:])
    clip = Clip(tmp_path / "a.gif")
    assert read_index(clip.frames([0.0])[0].image) == 3
    assert clip.kind == "picture" and "animated" in clip.problems[0]


def test_other_colour_models(tmp_path):
    grey16 = (pattern(6)[..., 1].astype(np.uint16) << 8) + 128
    Image.fromarray(grey16).save(tmp_path / "grey16.png")
    assert Clip(tmp_path / "grey16.png").frames([0.0])[0].image[20:].max() == 235
    clear = np.dstack([pattern(6), np.zeros((48, 64), np.uint8)])
    Image.fromarray(clear).save(tmp_path / "clear.png")
    assert Clip(tmp_path / "clear.png").frames([0.0])[0].image.min() == 255
    Image.fromarray(pattern(6)).convert("CMYK").save(tmp_path / "print.jpg")
    assert read_index(Clip(tmp_path / "print.jpg").frames([0.0])[0].image) == 6
    Image.fromarray(pattern(6)).quantize(16).save(tmp_path / "palette.png")
    assert read_index(Clip(tmp_path / "palette.png").frames([0.0])[0].image) == 6


def test_a_decompression_bomb_is_not_unpacked(tmp_path):
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png", compress_level=1)
    with pytest.raises(TooLarge, match="pixels"):
        Clip(tmp_path / "bomb.png")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_picture_just_above_the_limit(tmp_path):
    Image.new("1", (10_000, 9_000)).save(tmp_path / "large.png", compress_level=1)
    with pytest.raises(TooLarge, match="pixels"):
        Clip(tmp_path / "large.png")


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_a_picture_that_breaks_off(tmp_path, share):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8)).save(tmp_path / "a.jpg")
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(TruncatedFile, match="cut.jpg"):
        Clip(tmp_path / "cut.jpg").frames([0.0])


def test_heic_is_refused_by_name(tmp_path):
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    with pytest.raises(UnsupportedCodec, match="HEIC"):
        Clip(tmp_path / "phone.heic")
