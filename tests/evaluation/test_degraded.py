"""Suites whose pictures are spoilt: measured anew, the clean measurement kept as it is, and told apart in run.json."""

import cv2
import numpy as np
import pytest
from face_pictures import face

from emoreason.errors import ConfigError
from emoreason.evaluation.run import described
from emoreason.evaluation.samples import Folders, load_samples
from emoreason.evaluation.suite_file import load_suite
from emoreason.inference.judges.composer import ComposerJudge


@pytest.fixture
def samples(tmp_path):
    """Of a suite of two pictures with one vote each."""
    for split, size in (("Train", 84), ("Valid", 100), ("Test", 92)):
        folder = tmp_path / "data" / f"FER2013{split}"
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / f"fer{size}.png"), cv2.cvtColor(face(size), cv2.COLOR_RGB2GRAY))
        (folder / "label.csv").write_text(f'fer{size}.png,"(0, 0, 48, 48)",0,10,0,0,0,0,0,0,0,0\n')

    def of(name):
        suite, path = load_suite(name)
        return load_samples(suite, path, Folders({"ferplus": tmp_path}, None))

    return of


def test_a_degraded_picture_is_measured_anew(samples, tmp_path):
    judge, store = ComposerJudge(), tmp_path / "store"
    clean, spoilt = samples("ferplus_valid_unique"), samples("ferplus_valid_covered")
    shown = [some.input_of(some.samples[0], store, judge) for some in (clean, spoilt, clean)]
    meshes = [one.observation.people[0].landmarks(np.array([0]))[0] for one in shown]
    assert np.array_equal(meshes[0], meshes[2]) and not np.array_equal(meshes[0], meshes[1])
    pictures = [next(iter(one.clip.frames([0.0]))).image for one in shown]
    assert np.array_equal(pictures[0], pictures[2]) and not np.array_equal(pictures[0], pictures[1])
    keys = {described(some, judge, None)["key"] for some in (clean, spoilt)}
    assert len(keys) == 2


def test_words_cannot_be_degraded(tmp_path):
    suite = tmp_path / "words.yaml"
    asked = "name: words, title: t, kind: emotion, recipe: meld, split: test, primary: war, protocol: p"
    suite.write_text(f"{{{asked}, input: words, degrade: blur}}")
    with pytest.raises(ConfigError, match="spoils pictures"):
        load_suite(suite)
