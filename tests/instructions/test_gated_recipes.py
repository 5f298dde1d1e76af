"""Each recipe of a set that cannot be had freely reads a tiny tree in that set's layout: records, splits, groups, labels."""

import pytest
import yaml
from gated_faces import FACES
from gated_talk import TALK
from gated_trees import line

from emoreason.config import names, resolve
from emoreason.errors import ConfigError
from emoreason.instructions.readers import Failure, read
from emoreason.instructions.recipe import load_recipe
from emoreason.instructions.validate import validate

TREES = FACES | TALK
# Sets whose real data the other tests read.
AT_HAND = set(
    "ferplus ckplus48 ckplus_neutral_peak lfw_emotion ravdess nemo meld ecf reccon goemotions_ekman emer emer_short clips".split()
)


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


def test_an_empty_list_of_frames_is_counted(tmp_path):
    root = TREES["bp4d"].write(tmp_path)
    (root / "AUCoding/AU_OCC/F002_T1.csv").write_text("")
    failures = [item for item in read(load_recipe("bp4d"), root) if isinstance(item, Failure)]
    assert [(failure.place, failure.reason) for failure in failures] == [("AUCoding/AU_OCC/F002_T1.csv", "the list is empty")]


@pytest.mark.parametrize("name, key", [("bp4d", "pattern"), ("iemocap", "line"), ("disfa", "columns")])
def test_a_broken_expression_is_found_on_load(name, key, tmp_path):
    values = yaml.safe_load(resolve("recipes", name).read_text())
    place = values["fields"]["action_units"] if key == "columns" else values["reader"]
    place[key] = "AU(\\d+"
    (tmp_path / "broken.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError, match=f"broken.yaml: .*{key}.*is no regular expression"):
        load_recipe(tmp_path / "broken.yaml")


@pytest.mark.parametrize("name", sorted(TREES))
def test_its_tiny_tree_passes_validation(name, tmp_path):
    """No group on both sides of a split, and every count that differs from the official one is a warning with both numbers."""
    recipe = load_recipe(name)
    present = {text.split(" | ")[0] for text in TREES[name].lines}
    recipe = recipe.model_copy(update={"expected": {s: n for s, n in recipe.expected.items() if s in present}})
    report = validate(recipe, TREES[name].write(tmp_path), open_media=False)
    assert report.errors == [] and sum(report.found.values()) == len(TREES[name].lines)
    for split, count in recipe.expected.items():
        assert f"split '{split}' has {report.found[split]} records, {count} expected" in report.warnings
