"""The shipped suites on the real data sets, where these are at hand: what they come to, without asking anybody."""

import os
from pathlib import Path

import pytest

from emoreason.evaluation.samples import Folders, load_samples
from emoreason.evaluation.suite_file import load_suite

DATA = Path(os.environ.get("EMOREASON_DATA", Path(__file__).parents[3] / "shared" / "data"))

if not DATA.is_dir():
    pytest.skip("no shared data here (EMOREASON_DATA)", allow_module_level=True)

# name -> samples; as counted from the data sets' own tables. One suite for each way of reading and choosing: every file counts.
COUNTS = {
    "ckplus_emotion": 771, "ckplus_probes": 354, "ravdess_test": 240, "nemo_reasoning": 80, "ecf_test": 261, "reccon_test": 241,
    "clips_emotion": 7, "clips_open": 2,
}  # fmt: skip


def loaded(name):
    suite, path = load_suite(name)
    folder = DATA / {"ferplus": "fer2013_ferplus", "ravdess": "ravdess_speech", "nemo": "nemo_polish"}.get(
        suite.recipe, suite.recipe
    )
    if not folder.is_dir():
        pytest.skip(f"{folder.name} is not at hand")
    found = load_samples(suite, path, Folders({}, str(DATA)))
    assert not found.unread and (not found.mapping.unreachable or suite.kind == "causes")
    return found


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name):
    found = loaded(name)
    assert len(found.samples) == COUNTS[name]
    folds = {}
    for sample in found.samples:
        folds.setdefault(sample.group, set()).add(sample.fold)
    assert all(len(some) == 1 for some in folds.values()), "a subject is in two folds"


def test_pictures_of_other_splits_are_left_out():
    """The authors' protocol has 3,137 test pictures; 267 of them are in another split, too, as the data's README counts them."""
    found = loaded("ferplus_test_unique")
    assert len(found.samples) == 2870 and found.left_out["byte for byte in another split, too"] > 0
