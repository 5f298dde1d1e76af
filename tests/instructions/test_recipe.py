"""Recipes: what loads, and what a mistake is told."""

import pytest
import yaml

from emoreason.config import names
from emoreason.errors import ConfigError
from emoreason.instructions.recipe import load_recipe

MINE = ("ferplus", "ckplus48", "ravdess", "nemo", "meld", "ecf", "reccon", "goemotions_ekman", "emer", "emer_short", "clips")
SMALL = {
    "name": "small",
    "title": "t",
    "source": "s",
    "licence": "l",
    "terms": "t",
    "layout": "a folder per class",
    "folder": "small",
    "faces": "cropped",
    "reader": {"kind": "files", "pattern": r"(?P<label>\w+)/(?P<name>\w+)\.png"},
    "fields": {"id": "{name}", "group": "{name}", "label": "{label}", "image": "{path}"},
    "splits": {"rest": "train"},
    "scheme": {"name": "small", "labels": ["joy", "grief"], "crosswalk": {"joy": "happiness", "grief": None}},
    "metric": "accuracy",
}


def changed(tmp_path, place: str, value):
    """A recipe file with the value at the dotted place replaced, or taken away where it is None."""
    recipe = yaml.safe_load(yaml.safe_dump(SMALL))
    *way, last = place.split(".")
    part = recipe
    for key in way:
        part = part[key]
    part[last] = value
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


@pytest.mark.parametrize("name", names("recipes"))
def test_every_shipped_recipe_loads_and_is_called_like_its_file(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.layout.strip() and recipe.metric


@pytest.mark.parametrize("name", MINE)
def test_the_sets_at_hand_have_recipes(name):
    assert name in names("recipes")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("metrik", "x", "no key 'metrik'; did you mean 'metric'"),
        ("fields.lable", "x", "no key 'fields.lable'; did you mean 'label'"),
        ("reader.patern", "x", "no key 'reader.files.patern'; did you mean 'pattern'"),
        ("splits.member", {}, "no key 'splits.member'; did you mean 'members'"),
        ("fields.votes", {"colums": {}}, "no key 'fields.votes.colums'; did you mean 'columns'"),
        ("fields.frames", "*.png", "say with `frame_rate`"),
        ("reader.kind", "folder", "Input tag 'folder'"),
        ("reader.pattern", "(", "no regular expression"),
        ("scheme.crosswalk", {"joi": "happiness"}, "'joi'"),
        ("scheme.crosswalk", {"joy": "happy"}, "canonical emotions are"),
        ("scheme.labels", ["joy", "grief", "joy"], "twice"),
        ("scheme.not_offered", ["unknown"], "'unknown'"),
        ("scheme", None, "say their scheme"),
        ("name", "Small set", "'name'"),
    ],
)
def test_a_mistake_names_file_and_key(tmp_path, place, value, message):
    path = changed(tmp_path, place, value)
    with pytest.raises(ConfigError) as caught:
        load_recipe(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_numbers_in_yaml_are_text(tmp_path):
    recipe = load_recipe(changed(tmp_path, "splits.members", {"train": [1, 2]}))
    assert recipe.splits.members == {"train": ["1", "2"]}


@pytest.mark.parametrize("content", ["a: [", "- a list", b"\xff\xfe"])
def test_what_is_no_yaml_mapping_is_refused(tmp_path, content):
    path = tmp_path / "x.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match="x.yaml"):
        load_recipe(path)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ConfigError, match="ferplus"):
        load_recipe("fer_plus")
