"""Suite files: every shipped one is usable, and a mistake in one is named."""

import pytest
from evaluation.made import write_suite

from emoreason.config import names
from emoreason.errors import ConfigError
from emoreason.evaluation.suite_file import load_folds, load_suite
from emoreason.instructions.recipe import load_recipe


@pytest.mark.parametrize("name", names("suites"))
def test_shipped_suites_fit_their_recipes(name):
    suite, path = load_suite(name)
    recipe = load_recipe(suite.recipe)
    assert suite.name == name == path.stem
    scheme = recipe.scheme.labels if recipe.scheme else []
    assert {*suite.merge, *suite.merge.values(), *(suite.subset.labels or ())} <= set(scheme)
    if suite.folds:
        fold_of = load_folds(suite, path)
        assert set(fold_of.values()) == set(range(max(fold_of.values()) + 1))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"primry": "war"}, "did you mean 'primary'"),
        ({"subset": {"duplicate": "drop"}}, "no key 'subset.duplicate'; did you mean 'duplicates'"),
        ({"kind": "mood"}, "'kind': 'mood' is unknown"),
        ({"metrics": ["hits"]}, "'metrics': 'hits' is unknown; did you mean 'hit'"),
        ({"split": None}, "one of `split` and `folds`"),
        ({"folds": "folds.yaml"}, "one of `split` and `folds`"),
        ({"kind": "action_units"}, "which action units"),
        ({"kind": "action_units", "units": ["AU99"], "input": "media"}, "AU99"),
        ({"kind": "reasoning"}, "words alone"),
        ({"answer": "head"}, "of pictures or sound"),
        ({"answer": "free", "kind": "causes"}, "free as they are"),
        ({"metrics": ["hit"]}, "for kind 'open_vocabulary', not for 'emotion'"),
        ({"without": "hands"}, "'without'"),
    ],
)
def test_mistakes_are_named(tmp_path, changes, said):
    with pytest.raises(ConfigError, match=said) as caught:
        load_suite(write_suite(tmp_path, **changes))
    assert "suite.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("folds", "said"),
    [
        ("folds: [[a, b], [b]]", "'b' is listed twice"),
        ("folds: [[a], []]", "none of them empty"),
        ("fold: [[a]]", "must be a list"),
    ],
)
def test_fold_lists(tmp_path, folds, said):
    suite, path = load_suite(write_suite(tmp_path, split=None, folds="folds.yaml"))
    (tmp_path / "folds.yaml").write_text(folds)
    with pytest.raises(ConfigError, match=said):
        load_folds(suite, path)


def test_a_folder_is_no_suite(tmp_path):
    with pytest.raises(ConfigError, match="is a folder"):
        load_suite(tmp_path)
