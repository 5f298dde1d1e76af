"""Recipe: what a data set is and how its files become records. Data, not code: one YAML per set, checked when loaded.

Every reader turns files into flat rows of named columns; `fields` says with templates what goes where. `{column}` is replaced
by the column's text and `{column|filter}` by a filtered one: `stem` (file name without suffix), `lower`, `int` (no leading
zeros), or a number of digits such as `05`.
"""

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from emoreason.config import resolve
from emoreason.errors import ConfigError
from emoreason.instructions.record import Strict
from emoreason.labels.emotions import EMOTIONS


def _compiles(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"'{value}' is no regular expression: {error}") from error
    return value


Pattern = Annotated[str, AfterValidator(_compiles)]
Text = Annotated[str, Field(coerce_numbers_to_str=True)]  # YAML reads 01 as a number and a data set means "01"
Paths = dict[Text, str | list[str]]  # split -> one file or several; the split is the column `split`
SPLITS = ("train", "valid", "test")


class Join(Strict):
    """Columns of a table are added to each file: `key` is made from the file's columns, `on` from the table's.

    `columns` names them where the table has no header. With `optional` a file that the table does not list has empty columns.
    """

    table: str
    key: str
    on: str
    columns: list[Text] | None = None
    delimiter: str | None = None
    optional: bool = False


class Files(Strict):
    """Each file below the root whose whole relative path (forward slashes) fits `pattern`; its named groups are columns.

    Covers a folder per class, and names that carry label and subject. `path` is a column too, and so is the content of
    `sidecars`: column -> template of a small txt or npy file beside each picture.
    """

    kind: Literal["files"]
    pattern: Pattern
    join: Join | None = None
    sidecars: dict[str, str] = {}


class Table(Strict):
    """Rows of csv/tsv/txt files, or of the first sheet of xlsx files. `columns` names them where the files have no header.

    `header` is a column of it, where other lines stand above. `delimiter` follows from the suffix when not given; `quoted: false`
    takes quotation marks as text.
    """

    kind: Literal["table"]
    tables: Paths
    columns: list[Text] | None = None
    header: str | None = None
    delimiter: str | None = None
    quoted: bool = True
    encoding: str = "utf-8-sig"  # reads files with and without a byte order mark


class Frames(Strict):
    """One text file per video, one line per frame: `pattern` finds the files (groups are columns), `columns` splits a line.

    Without `columns` the line after the header names them. `frame` counts from `first`; `header` lines are skipped; every
    `step`-th frame is kept. `line` is for files that hold other things, too: only lines that fit this regular expression are
    read, and its named groups are the columns. `beside`: column -> template of another list of the same frames, whose last
    value it is.
    """

    kind: Literal["frames"]
    pattern: Pattern
    columns: list[Text] | None = None
    line: Pattern | None = None
    beside: dict[Text, str] = {}
    delimiter: str = ","
    header: int = Field(0, ge=0)
    first: int = 1
    step: int = Field(1, ge=1)


class Dialogue(Strict):
    """Conversations: rows of a table grouped by `dialogue`, or the layout of ECF 1 (text), ECF 2 (json), RECCON, EmoryNLP.

    `each: turn` makes a record per utterance with the whole dialogue around it, `each: dialogue` one per conversation.
    Columns of a turn: dialogue, index, text, speaker, emotion, start, end, and whatever else the file has.
    """

    kind: Literal["dialogue"]
    layout: Literal["table", "ecf", "ecf_json", "reccon", "emory"]
    tables: Paths
    each: Literal["turn", "dialogue"] = "turn"
    columns: dict[Literal["dialogue", "index", "text", "speaker", "emotion", "start", "end"], str] = {}
    delimiter: str | None = None
    encoding: str = "utf-8-sig"


class Json(Strict):
    """A list in json or jsonl files (LLaVA, ms-swift, anything): nested values become columns such as `conversations.1.value`.

    `items` is the dotted place of the list; for a dictionary of items each one's name is the column `key`.
    """

    kind: Literal["json"]
    tables: Paths
    items: str | None = None


Reader = Annotated[Files | Table | Frames | Dialogue | Json, Field(discriminator="kind")]


class Votes(Strict):
    """Crowd votes: label -> column. Votes up to `floor` count as none; the label needs more than `majority` of the rest."""

    columns: dict[Text, str]
    floor: float = 0
    majority: float = 0


class ActionUnits(Strict):
    """`columns`, a regular expression whose group is the unit's number, or `text` such as "R12+14" or "4_7_17", or `pairs`.

    `pairs` is text of numbers, unit and intensity in turn, where intensity 0 is "present, not graded" (CK+). `scale` is the
    largest intensity (1: presence only), `present_from` the smallest value that counts as present. `at_rest`, column -> values,
    tells of which rows it is known that the face does nothing: every unit of `columns` is absent there.
    """

    columns: Pattern | None = None
    text: str | None = None
    pairs: str | None = None
    scale: float = Field(1, gt=0)
    present_from: float = 1
    at_rest: dict[str, list[Text]] = {}

    @model_validator(mode="after")
    def _one(self) -> "ActionUnits":
        if [self.columns, self.text, self.pairs].count(None) != 2:
            raise ValueError("give one of `columns`, `text` and `pairs`")
        return self


class Probed(Strict):
    """Templates of a yes/no question, its answer ("yes" or "no"), and what pairs it with its opposite."""

    question: str
    answer: str
    pair: str | None = None


class Fields(Strict):
    """Templates of what a record holds. Of a list of media paths the first that exists is taken; frames may be a glob.

    `notes`, name -> template, keeps what is no label of its own, such as a second annotator's opinion; empty ones are left out.
    """

    id: str
    group: str
    label: str | None = None
    label_separator: str | None = None  # several labels in one cell share equally, and are asked about together
    votes: Votes | None = None
    open_labels: str | None = None  # separated by , ; / or written as a list
    compound: str | None = None
    sentiment: str | None = None
    sentiment_score: str | None = None
    valence: str | None = None
    arousal: str | None = None
    action_units: ActionUnits | None = None
    transcript: str | None = None
    language: str | None = None
    person: str | None = None
    explanation: str | None = None
    explanation_source: Literal["human", "model"] = "human"
    probe: Probed | None = None
    notes: dict[str, str] = {}
    start_s: str | None = None
    end_s: str | None = None
    image: str | list[str] | None = None
    video: str | list[str] | None = None
    audio: str | list[str] | None = None
    frames: str | None = None
    frame_rate: float | None = Field(None, gt=0)  # pictures a second

    @model_validator(mode="after")
    def _timed(self) -> "Fields":
        if self.frames and self.frame_rate is None:
            raise ValueError("`frames` stand for a film: say with `frame_rate` how many there are a second")
        return self


class Splits(Strict):
    """Which split a row belongs to: the text of `of` is looked up in `members`; what is not listed goes to `rest`.

    With `folds` the text is first replaced by int(sha256(text)) % folds, so that a subject's fold never depends on the others.
    """

    of: str = "{split}"
    folds: int | None = Field(None, ge=2)
    members: dict[Text, list[Text]] = {}
    rest: Text | None = None


class Scheme(Strict):
    """The data set's own labels, and the canonical emotion each stands for (null: none).

    `words` turns what the files write into a label. `not_offered` are labels that people could vote for, but that are no answer
    to a question ("unknown", "not a face"): they keep their share of the votes, and a record they win has no label.
    """

    name: str
    labels: list[Text]
    not_offered: list[Text] = []
    words: dict[Text, Text] = {}
    crosswalk: dict[Text, str | None] = {}

    @model_validator(mode="after")
    def _known(self) -> "Scheme":
        strange = [label for label in (*self.crosswalk, *self.words.values(), *self.not_offered) if label not in self.labels]
        if strange:
            raise ValueError(f"the scheme names {strange[0]!r}, which is none of the labels {', '.join(self.labels)}")
        wrong = [word for word in self.crosswalk.values() if word is not None and word not in EMOTIONS]
        if wrong:
            raise ValueError(f"crosswalk leads to {wrong[0]!r}; canonical emotions are {', '.join(EMOTIONS)}")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("a label is listed twice")
        return self

    @property
    def offered(self) -> tuple[str, ...]:
        """The labels a question offers as candidates."""
        return tuple(label for label in self.labels if label not in self.not_offered)


class Leaks(Strict):
    """What is allowed across splits, and why. Of identical media only the copy in the split named first stays.

    `texts: allowed`: what is said here may occur in other splits of other sets. Mixtures drop it from training in any case.
    """

    identical_media: list[Text] | None = None
    groups: Literal["allowed"] | None = None
    texts: Literal["allowed"] | None = None
    why: str


class Recipe(Strict):
    """One data set. `folder` is its place below the data root, or a whole path; `values` rewrites columns.

    `only` keeps rows with those values, `skip` leaves such rows out; both see the text before it is rewritten.
    """

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    source: str
    licence: str
    terms: str
    layout: str
    folder: str
    faces: Literal["cropped", "full", "none"]
    reader: Reader
    values: dict[str, dict[Text, Text]] = {}
    only: dict[str, list[Text]] = {}
    skip: dict[str, list[Text]] = {}
    missing: list[Text] = [""]  # what the files write for "not known"
    ranges: dict[Literal["valence", "arousal", "sentiment_score"], tuple[float, float]] = {}
    fields: Fields
    splits: Splits = Splits()
    scheme: Scheme | None = None
    metric: str
    expected: dict[Text, int] = {}
    leaks: Leaks | None = None
    media_optional: bool = False  # the labels are of use without the media, too (dialogue text)
    transcribe: bool = True  # false: what is said tells nothing (the same few sentences in every emotion)
    unsure: list[str] = []

    @model_validator(mode="after")
    def _whole(self) -> "Recipe":
        if (self.fields.label or self.fields.votes) and self.scheme is None:
            raise ValueError("`fields` has labels: say their scheme (name, labels, crosswalk)")
        strange = [label for label in (self.fields.votes.columns if self.fields.votes else ()) if label not in self.scheme.labels]
        if strange:
            raise ValueError(f"votes for {strange[0]!r}, which is none of the scheme's labels")
        return self


def load_recipe(name_or_path: str | Path) -> Recipe:
    """A recipe file, or the shipped one of that name. ConfigError names file, key and the nearest key there is."""
    path = resolve("recipes", name_or_path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: a recipe is a mapping of keys, not {type(values).__name__}")
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_explain(error)}") from error


def _explain(error: ValidationError) -> str:
    """The first problem in one line; a key nobody knows comes with its nearest neighbour."""
    first = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")[0]  # a typo also makes its key "missing"
    place = [str(part) for part in first["loc"]]
    where = ".".join(place) or "recipe"
    if first["type"] == "extra_forbidden":
        known = _keys(place[:-1])
        near = get_close_matches(place[-1], known, 1, cutoff=0.4)
        return f"no key '{where}'; " + (f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}")
    return f"'{where}': {first['msg']}"


def _keys(place: list[str]) -> list[str]:
    """Keys of the model at `place`; the parts are named after the classes."""
    nested = {
        "fields": Fields, "votes": Votes, "probe": Probed, "action_units": ActionUnits, "splits": Splits, "scheme": Scheme,
        "leaks": Leaks, "join": Join, "files": Files, "table": Table, "frames": Frames, "dialogue": Dialogue, "json": Json,
    }  # fmt: skip
    return list((nested[place[-1]] if place else Recipe).model_fields)
