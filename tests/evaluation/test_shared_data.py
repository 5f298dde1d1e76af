"""The shipped suites on the real data sets, where these are at hand."""

import os
from pathlib import Path

import pytest

from emoreason.evaluation.samples import Folders, load_samples
from emoreason.evaluation.suite import load_suite

DATA = Path(os.environ.get("EMOREASON_DATA", Path(__file__).parents[3] / "shared" / "data"))

if not DATA.is_dir():
    pytest.skip("no shared data here (EMOREASON_DATA)", allow_module_level=True)

# name -> samples; as counted from the data sets' own tables, FER+ as its authors' protocol and the data's README have it
COUNTS = {
    "ferplus_test": 3137, "ferplus_test_unique": 2870, "ckplus_emotion": 771, "ckplus_emotion_test": 177, "ckplus_probes": 354,
    "ravdess_test": 240, "nemo_test": 256, "nemo_speakers": 2865, "ecf_test": 261, "reccon_test": 241, "clips_emotion": 7,
    "clips_open": 2, "clips_reasoning": 10,
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name):
    suite, path = load_suite(name)
    folder = DATA / {"ferplus": "fer2013_ferplus"}.get(suite.recipe, suite.recipe)
    try:
        found = load_samples(suite, path, Folders({}, str(DATA)))
    except Exception as error:
        if not folder.exists() and "no such folder" in str(error):
            pytest.skip(f"{folder.name} is not at hand")
        raise
    assert len(found.samples) == COUNTS[name] and not found.unread
    assert not found.native.unreachable or suite.kind == "causes"
    if suite.folds:
        groups = {}
        for sample in found.samples:
            groups.setdefault(sample.group, set()).add(sample.fold)
        assert all(len(folds) == 1 for folds in groups.values()), "a subject is in two folds"
