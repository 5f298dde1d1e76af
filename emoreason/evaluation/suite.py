"""Suite: what is measured, on which samples, by which protocol. Data, not code: one YAML per suite (see `suite_file`).

A suite names a recipe, so a data set is described once; labels stay native, and what a judge says in canonical emotions reaches
them through the recipe's crosswalk only (see `label_mapping`).
"""

from typing import Literal

from pydantic import Field, model_validator

from emoreason.instructions.record import Strict
from emoreason.labels.action_units import AUS
from emoreason.perception.degraded import Damage


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
    """One measurement. `kind` names its evaluation task, which checks what depends on it.

    `folds`: a file of lists of ids beside the suite; they replace the split and the figures are given per fold, too.
    `words: false`: speech is not transcribed, even where the recipe has no transcript. `input: words` shows the judge text
    alone: `text` says which. `merge`: native labels that are counted as another one (RAVDESS's calm as neutral). `units`: the
    action units scored. `wheels`: folder, below the data root, with the emotion wheels of MER-UniBench. `answer`: whose answer
    counts: the product's `verdict`, what the model writes when nothing is constrained (`free`), or the trained `head` of the face
    or voice encoder alone; a judge without it gives its verdict. `without`: a part that a model's prompt is never given.
    `degrade`: every picture is spoilt in this way and its face measured anew (perception.degraded).
    `metrics`: those of certain benchmarks beside those of the kind, see the task's `benchmarks`.
    """

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    kind: str
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
    metrics: list[str] = []
    primary: str
    protocol: str

    @model_validator(mode="after")
    def _whole(self) -> "Suite":
        if (self.split is None) == (self.folds is None):
            raise ValueError("give one of `split` and `folds`")
        if unknown := [unit for unit in self.units if unit not in AUS]:
            raise ValueError(f"'{unknown[0]}' is not a measured action unit; write e.g. AU04")
        if self.degrade is not None and self.input == "words":
            raise ValueError("`degrade` spoils pictures, and words alone have none")
        return self
