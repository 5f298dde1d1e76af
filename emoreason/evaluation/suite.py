"""Suite: what is measured, on which samples, by which protocol. Data, not code: one YAML per suite, checked when loaded.

A suite names a recipe, so a data set is described once; labels stay native, and what a judge says in canonical emotions reaches
them through the recipe's crosswalk only (see `native`).
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from emoreason.config import resolve
from emoreason.errors import ConfigError
from emoreason.instructions.record import Strict
from emoreason.labels.action_units import AUS
from emoreason.perception.degraded import Damage

Kind = Literal[
    "emotion", "action_units", "sentiment", "valence_arousal", "open_vocabulary", "reasoning", "causes", "hallucination"
]

Family = Literal["mosi", "polarity", "micro_expressions", "intensity", "hit", "rege"]
KIND_OF: dict[Family, Kind] = {
    "mosi": "sentiment", "polarity": "sentiment", "micro_expressions": "emotion", "intensity": "action_units",
    "hit": "open_vocabulary", "rege": "reasoning",
}  # fmt: skip


class Subset(Strict):
    """Which records of the split count.

    `labels`: only records whose one label is among them. `majority`: of crowd votes only what reached the recipe's majority,
    not merely the most votes. `duplicates: drop` leaves out what is byte for byte in another split, too. `least_words` leaves
    out shorter texts. `most`: so many records, evenly spread, where all of them would only take hours more.
    """

    labels: list[str] | None = None
    majority: bool = False
    duplicates: Literal["keep", "drop"] = "keep"
    least_words: int = Field(0, ge=0)
    most: int | None = Field(None, ge=1)


class Joined(Strict):
    """Labels of another table: the rows whose `key` is a record's id give its open labels. `folder`: below the data root."""

    folder: str
    table: str
    key: str
    open_labels: str


class Suite(Strict):
    """One measurement.

    `folds`: a file of lists of ids beside the suite; they replace the split and the figures are given per fold, too.
    `words: false`: speech is not transcribed, even where the recipe has no transcript. `input: words` shows the judge text
    alone: `text` says which. `merge`: native labels that are counted as another one (RAVDESS's calm as neutral). `units`: the
    action units scored. `wheels`: folder, below the data root, with the emotion wheels of MER-UniBench. `answer`: whose answer
    counts: the product's `verdict`, what the model writes when nothing is constrained (`free`), or the trained `head` of the face
    or voice encoder alone; a judge without it gives its verdict. `without`: a part that a model's prompt is never given.
    `degrade`: every picture is spoilt in this way and its face measured anew (perception.degraded).
    `metrics`: those of certain benchmarks beside those of the kind, see `families`.
    """

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    kind: Kind
    recipe: str
    split: str | None = None
    folds: str | None = None
    subset: Subset = Subset()
    join: Joined | None = None
    input: Literal["media", "words"] = "media"
    text: Literal["transcript", "explanation"] = "transcript"
    words: bool = True
    merge: dict[str, str] = {}
    units: list[str] = []
    wheels: str | None = None
    answer: Literal["verdict", "free", "head"] = "verdict"
    without: Literal["face", "voice", "evidence"] | None = None
    degrade: Damage | None = None
    metrics: list[Family] = []
    primary: str
    protocol: str

    @model_validator(mode="after")
    def _whole(self) -> "Suite":
        if (self.split is None) == (self.folds is None):
            raise ValueError("give one of `split` and `folds`")
        if self.kind == "action_units" and not self.units:
            raise ValueError("say under `units` which action units are scored")
        if unknown := [unit for unit in self.units if unit not in AUS]:
            raise ValueError(f"'{unknown[0]}' is no action unit that is measured; write e.g. AU04")
        if self.input == "words" and self.kind in ("action_units", "reasoning"):
            raise ValueError(f"kind '{self.kind}' needs pictures or sound, not words alone")
        if foreign := [family for family in self.metrics if KIND_OF[family] != self.kind]:
            raise ValueError(f"metrics '{foreign[0]}' are for kind '{KIND_OF[foreign[0]]}', not for '{self.kind}'")
        if self.answer == "head" and (self.kind not in ("emotion", "action_units") or self.input == "words"):
            raise ValueError("`answer: head` is for emotions and action units of pictures or sound")
        if self.degrade is not None and self.input == "words":
            raise ValueError("`degrade` spoils pictures, and words alone have none")
        if self.answer == "free" and self.kind != "emotion":
            raise ValueError("`answer: free` is for kind 'emotion'; the other written answers are free as they are")
        return self


def load_suite(name_or_path: str | Path) -> tuple[Suite, Path]:
    """A suite file, or the shipped one of that name, and where it lies. ConfigError names file, key and the nearest key."""
    path = resolve("suites", name_or_path)
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; name a suite file (.yaml) or a shipped suite")
    values = _yaml(path)
    try:
        return Suite.model_validate(values), path
    except ValidationError as error:
        raise ConfigError(f"{path}: {_explain(error)}") from error


def load_folds(suite: Suite, path: Path) -> dict[str, int]:
    """id -> fold, counted from 0. Raises ConfigError for an empty list and for an id that is listed twice."""
    file = path.parent / suite.folds
    folds = _yaml(file).get("folds")
    if not isinstance(folds, list) or len(folds) < 2 or not all(isinstance(ids, list) and ids for ids in folds):
        raise ConfigError(f"{file}: `folds` must be a list of two or more lists of ids, none of them empty")
    fold_of: dict[str, int] = {}
    for fold, ids in enumerate(folds):
        for one in ids:
            if one in fold_of:
                raise ConfigError(f"{file}: id '{one}' is listed twice (folds {fold_of[one] + 1} and {fold + 1})")
            fold_of[str(one)] = fold
    return fold_of


def _yaml(path: Path) -> dict:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must be a mapping of keys, not {type(values).__name__}")
    return values


def _explain(error: ValidationError) -> str:
    """The first problem in one line; a key nobody knows comes with its nearest neighbour."""
    first = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")[0]  # a typo also makes its key "missing"
    place = [str(part) for part in first["loc"]]
    where = ".".join(place) or "suite"
    if first["type"] != "extra_forbidden":
        return f"'{where}': {first['msg']}"
    part = {"subset": Subset, "join": Joined}.get(place[0], Suite) if len(place) > 1 else Suite
    near = get_close_matches(place[-1], part.model_fields, 1, cutoff=0.4)
    return f"no key '{where}'; " + (f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(part.model_fields)}")
