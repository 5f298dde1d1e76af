"""Each recipe of a set that cannot be had freely reads a tiny tree in that set's layout: records, splits, groups, labels."""

import pytest
from gated_faces import FACES
from gated_talk import TALK
from gated_trees import line

from emoreason.config import names
from emoreason.instructions.readers import Failure, read
from emoreason.instructions.recipe import load_recipe

TREES = FACES | TALK
# Sets whose real data the other tests read.
AT_HAND = set("ferplus ckplus48 ravdess nemo meld ecf reccon goemotions_ekman emer emer_short clips".split())


@pytest.mark.parametrize("name", sorted(TREES))
def test_reads_its_official_layout(name, tmp_path):
    recipe, tree = load_recipe(name), TREES[name]
    found = list(read(recipe, tree.write(tmp_path)))
    assert [item.reason for item in found if isinstance(item, Failure)] == tree.failures
    records = [item for item in found if not isinstance(item, Failure)]
    assert sorted(map(line, records)) == sorted(tree.lines)
    assert all(record.dataset == name == recipe.name for record in records)


def test_no_recipe_without_a_tree():
    assert set(names("recipes")) - AT_HAND == set(TREES)


@pytest.mark.parametrize("name", names("recipes"))
def test_a_crosswalk_leaves_no_label_open(name):
    """A label that stands for none of the canonical emotions says so (null) instead of being forgotten."""
    scheme = load_recipe(name).scheme
    if scheme and scheme.crosswalk:
        assert set(scheme.crosswalk) == set(scheme.labels)


@pytest.mark.parametrize("name", sorted(TREES))
def test_every_unsure_fact_is_said_in_words(name):
    recipe = load_recipe(name)
    assert recipe.unsure and all(len(fact.split()) >= 3 for fact in recipe.unsure)
    assert recipe.layout.strip() and recipe.terms.strip() and recipe.metric.strip()
