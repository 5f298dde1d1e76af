import numpy as np
from face_pictures import scene

from emoreason.perception.shots import CutFinder, SceneChooser, difference, thumbnail


def picture(seed: int) -> np.ndarray:
    """A coloured composition of its own for each seed."""
    rng = np.random.default_rng(seed)
    places, colours = rng.integers((0, 0), (500, 250), (4, 2)).tolist(), rng.integers(256, size=(5, 3)).astype(np.uint8)
    blocks = [(x, y, np.full((150, 200, 3), colour)) for (x, y), colour in zip(places, colours, strict=False)]
    return scene(*blocks, colour=colours[4])


def cuts(images, fps: float = 12.0) -> list[int]:
    finder = CutFinder()
    return [i for i, image in enumerate(images) if finder(thumbnail(image), i / fps)]


def test_difference_is_zero_for_the_same_and_bounded():
    a, b = thumbnail(picture(0)), thumbnail(picture(1))
    assert difference(a, a) == 0 and 0.15 < difference(a, b) <= 1 and difference(a, b) == difference(b, a)


def test_cuts_are_found_where_they_are():
    assert cuts([picture(0)] * 10 + [picture(1)] * 10 + [picture(2)] * 5) == [10, 20]


def test_motion_noise_and_fades_are_no_cuts():
    rng = np.random.default_rng(0)
    block = np.full((120, 120, 3), (200, 60, 60), np.uint8)
    moving = [scene((20 * i, 100, block)) for i in range(20)]
    noisy = [np.clip(image + rng.normal(0, 12, image.shape), 0, 255).astype(np.uint8) for image in [picture(0)] * 10]
    fading = [(picture(0) * (1 - i / 24)).astype(np.uint8) for i in range(20)]
    assert (cuts(moving), cuts(noisy), cuts(fading)) == ([], [], [])


def test_a_strobe_does_not_cut_at_every_frame():
    assert len(cuts([picture(i % 2) for i in range(48)])) <= 2


def test_scenes_show_each_shot_and_keep_the_quota():
    chooser, thumbnails = SceneChooser(), [thumbnail(picture(i)) for i in range(4)]
    for i in range(12 * 60):
        chooser(thumbnails[i // 180], i / 12, cut=i > 0 and i % 180 == 0)
    times_s = chooser.times_s(60.0)
    assert len(times_s) == 4 and list(times_s) == sorted(times_s)
    assert sorted(int(time_s // 15) for time_s in times_s) == [0, 1, 2, 3]


def test_an_hour_keeps_sixteen_and_a_still_one():
    chooser, thumbnails = SceneChooser(), [thumbnail(picture(i)) for i in range(40)]
    for i in range(720):
        chooser(thumbnails[i % 40], i * 5.0, cut=False)
    assert len(chooser.times_s(3600.0)) == 16
    still = SceneChooser()
    still(thumbnail(picture(0)), 0.0, cut=False)
    assert still.times_s(0.0) == (0.0,) and SceneChooser().times_s(1.0) == ()
