"""A tiny labelled set of sentences, with its recipe and suite, and samples of media made of numbers."""

from pathlib import Path

import yaml
from observations import make_observation

from emoreason.evaluation.native import native
from emoreason.evaluation.samples import Folders, Sample, load_samples
from emoreason.evaluation.shown import Shown
from emoreason.evaluation.suite import Suite, load_suite
from emoreason.instructions.recipe import Recipe
from emoreason.instructions.record import AuLabel, ClosedLabel, Record

SENTENCES = (  # id, group, split, label, text
    ("a1", "ann", "test", "joy", "what a wonderful day"),
    ("a2", "ann", "test", "anger", "I hate this"),
    ("b1", "bob", "test", "fear", "I am so scared"),
    ("b2", "bob", "test", "neutral", "the door is over there"),
    ("c1", "cat", "test", "calm", "tea at four"),
    ("d1", "dan", "train", "joy", "I love it"),
)
CROSSWALK = {"joy": "happiness", "anger": "anger", "fear": "fear", "neutral": "neutral", "calm": "neutral"}
RECIPE = {
    "name": "talk",
    "title": "Sentences",
    "source": "made",
    "licence": "none",
    "terms": "none",
    "layout": "talk.csv",
    "folder": "talk",
    "faces": "none",
    "metric": "accuracy",
    "reader": {"kind": "table", "tables": {"all": "talk.csv"}},
    "fields": {"id": "{id}", "group": "{group}", "label": "{label}", "transcript": "{text}", "language": "en"},
    "splits": {"of": "{part}"},
    "scheme": {"name": "talk", "labels": list(CROSSWALK), "crosswalk": CROSSWALK},
}
SUITE = {
    "name": "talk_test",
    "title": "Sentences",
    "kind": "emotion",
    "split": "test",
    "merge": {"calm": "neutral"},
    "input": "words",
    "primary": "war",
    "protocol": "Made sentences.",
}


def write_suite(folder: Path, rows=SENTENCES, recipe=None, **changes) -> Path:
    """The set below `folder`/talk, recipe.yaml and suite.yaml beside it; returns the suite's path."""
    (folder / "talk").mkdir(parents=True, exist_ok=True)
    lines = ["id,group,part,label,text", *(",".join(row) for row in rows)]
    (folder / "talk" / "talk.csv").write_text("\n".join(lines) + "\n")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE | (recipe or {})))
    content = {
        key: value for key, value in (SUITE | {"recipe": str(folder / "recipe.yaml")} | changes).items() if value is not None
    }
    (folder / "suite.yaml").write_text(yaml.safe_dump(content))
    return folder / "suite.yaml"


def samples_of(path: Path, limit: int | None = None):
    suite, where = load_suite(path)
    return load_samples(suite, where, Folders({}, str(path.parent)), limit)


def face_suite(kind: str = "emotion", **changes) -> tuple[Suite, Recipe]:
    content = SUITE | {"recipe": "talk", "kind": kind, "input": "media", "merge": {}} | changes
    return Suite.model_validate(content), Recipe.model_validate(RECIPE)


def shown(identity: str, truth: dict, label: str = "joy", units=(), people=({},), **observation) -> Shown:
    """A clip of ten seconds that was measured as `observations.make_observation` is told."""
    record = Record(
        id=identity,
        dataset="talk",
        split="test",
        group=identity[0],
        licence="none",
        transcript="said",
        labels=[ClosedLabel(scheme="talk", value=label)],
        action_units=[AuLabel(au=au) for au in units],
    )
    sample = Sample(identity, identity[0], None, record, truth)
    return Shown(sample, record, make_observation(people=people, **observation), None)


def labels_of(suite: Suite, recipe: Recipe):
    return native(recipe, suite.merge, suite.subset.labels)
