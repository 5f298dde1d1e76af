"""Each recipe of a set that cannot be had freely reads a tiny tree in that set's layout: records, splits, groups, labels."""

import pytest
from gated_trees import TREES, line

from emoreason.instructions.readers import Failure, read
from emoreason.instructions.recipe import load_recipe


@pytest.mark.parametrize("name", sorted(TREES))
def test_reads_its_official_layout(name, tmp_path):
    recipe, tree = load_recipe(name), TREES[name]
    found = list(read(recipe, tree.write(tmp_path)))
    assert [item.reason for item in found if isinstance(item, Failure)] == tree.failures
    records = [item for item in found if not isinstance(item, Failure)]
    assert sorted(map(line, records)) == sorted(tree.lines)
    assert all(record.dataset == name == recipe.name for record in records)
