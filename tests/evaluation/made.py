"""A tiny labelled set of sentences, with its recipe and suite, samples of media made of numbers, and rows of results."""

from pathlib import Path

import yaml
from observations import make_observation

from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.label_mapping import LabelMapping, label_mapping
from emoreason.evaluation.results import SampleResult
from emoreason.evaluation.sample import EvalSample
from emoreason.evaluation.samples import Folders, load_samples
from emoreason.evaluation.suite import Suite
from emoreason.evaluation.suite_file import load_suite
from emoreason.evaluation.tasks import EvalContext, EvaluationTask, make_task
from emoreason.inference.judges.composer import ComposerJudge
from emoreason.instructions.label_tasks import Scheme
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

LABELS = ("joy", "anger", "fear")
SMILE = ({"au": {"AU12": [(1.0, 3.0, 9.0, 0.9, "both")], "AU06": [(1.0, 3.0, 9.0, 0.8, "both")]}},)
FROWN = ({"au": {"AU04": [(1.0, 3.0, 9.0, 0.9, "both")], "AU07": [(1.0, 3.0, 9.0, 0.8, "both")]}},)


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


def sample_input(identity: str, truth: dict, label: str = "joy", units=(), people=({},), **observation) -> SampleInput:
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
    sample = EvalSample(identity, identity[0], None, record, truth)
    return SampleInput(sample, record, make_observation(people=people, **observation), None)


def task_of(kind: str = "emotion", labels=None, **changes) -> EvaluationTask:
    """Of the labels of the set, with calm as neutral, or of `labels` alone."""
    suite, recipe = face_suite(kind, **({"merge": {"calm": "neutral"}} | changes))
    return make_task(suite, label_mapping(recipe, suite.merge) if labels is None else LabelMapping(tuple(labels), {}, {}))


def context_of(kind: str = "emotion", judge=None, others=(), **changes) -> EvalContext:
    task, (_, recipe) = task_of(kind, **changes), face_suite()
    scheme = Scheme("talk", tuple(recipe.scheme.labels), tuple(recipe.scheme.crosswalk.items()))
    return EvalContext(task, scheme, judge or ComposerJudge(), lambda _: [one.observation for one in others])


def row(identity: str, truth: dict, prediction: dict | None = None, status: str | None = None, **more) -> SampleResult:
    status = status or ("answered" if prediction else "silent")
    return SampleResult(id=identity, group=more.pop("group", identity), truth=truth, prediction=prediction, status=status, **more)


def named(label: str, confidence: float = 1.0, abstained: bool = False) -> dict:
    """A prediction of kind emotion over three labels."""
    shares = {word: confidence if word == label else (1 - confidence) / 2 for word in LABELS}
    return {"label": label, "confidence": confidence, "abstained": abstained, "probabilities": shares}


def values(kind: str, rows, labels=None, **changes):
    """metric -> score."""
    return {score.metric: score for score in task_of(kind, labels or LABELS, **changes).scores(rows)}


class Writing(ComposerJudge):
    """Writes what it is told to."""

    name, writes = "writing", True

    def __init__(self, *texts):
        self.texts = texts

    def prepare(self, observation, segment, clip, question):
        return question

    def reply(self, inputs, most_tokens):
        return list(self.texts)
