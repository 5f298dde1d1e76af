"""Mixtures: the records of every part of a run, chosen once, written down with their hashes, and read again by each stage.

What is tested on is kept out here: only the splits train and valid are taken, and a record whose words occur in the test split
of any set of the run is dropped, whichever set it is from (MELD and ECF tell the same scenes).
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from emoreason.config import resolve
from emoreason.errors import ConfigError
from emoreason.instructions.answers import label_of
from emoreason.instructions.pairing import SCHEME, audio_visual, conflicts
from emoreason.instructions.recipe import Recipe, load_recipe
from emoreason.instructions.record import ClosedLabel, Record
from emoreason.instructions.store import read_index, write_records
from emoreason.instructions.tasks import Task, tasks_for, tasks_of
from emoreason.instructions.validate import data_root, load
from emoreason.labels.emotions import EMOTIONS
from emoreason.training.run import PartSpec, Run

FILE = "mixtures.json"
FORMAT = "emoreason/mixtures/1"
SPLITS = ("train", "valid")
LEAST_WORDS = 5  # shorter utterances occur everywhere
Progress = Callable[[str, float, float | None], None]


def build(
    run: Run, roots: Mapping[str, Path], data: str | None, folder: Path, progress: Progress | None = None
) -> dict[str, dict[str, object]]:
    """Write `folder/STAGE/PART/SPLIT` for every part of the run; the same data and run give the same hashes.

    Returns stage/part -> {train, valid: {records, sha256}}. What was built for the same run is kept.
    Raises ConfigError for data sets that are not there (all of them in one message) or do not pass validation.
    """
    places = locate(run, roots, data)
    index = read(folder)
    if index is not None and index["run"] == run.digest():
        return index["parts"]
    sets = {name: _load(recipe, place, progress) for name, (recipe, place) in places.items()}
    recipes = {name: recipe for name, (recipe, _) in places.items()}
    held = held_texts(record for records in sets.values() for record in records if record.split == "test")
    parts, dropped = {}, {}
    usable = {name: [record for record in records if record.split in SPLITS] for name, records in sets.items()}
    kept = {name: [record for record in records if not told(record, held)] for name, records in usable.items()}
    dropped = {name: len(usable[name]) - len(kept[name]) for name in sets if len(usable[name]) > len(kept[name])}
    for stage, spec in run.tuning().items():
        for name, part in spec.mixture.items():
            chosen = _choose(part, kept, recipes, [run.seed, *f"{stage}/{name}".encode()], spec.validation)
            if not chosen["train"]:
                raise ConfigError(
                    f"stages.{stage}.mixture.{name}: not a single training record is left; check its data and tasks"
                )
            hashes = {split: write_records(some, folder / stage / name / split) for split, some in chosen.items()}
            parts[f"{stage}/{name}"] = {s: {"records": len(chosen[s]), "sha256": hashes[s]} for s in SPLITS}
    content = {"format": FORMAT, "run": run.digest(), "parts": parts, "dropped_as_tested": dropped}
    (folder / FILE).write_text(json.dumps(content, indent=1), encoding="utf-8")
    return parts


def read(folder: Path) -> dict | None:
    """mixtures.json of a folder that `build` wrote, if it is whole and its records are there."""
    if not (folder / FILE).is_file():
        return None
    index = json.loads((folder / FILE).read_text(encoding="utf-8"))
    if index.get("format") != FORMAT:
        return None
    for name, splits in index["parts"].items():
        for split, known in splits.items():
            if read_index(folder / name / split)["sha256"] != known["sha256"]:
                return None
    return index


def locate(run: Run, roots: Mapping[str, Path], data: str | None) -> dict[str, tuple[Recipe, Path]]:
    """Recipe and root of each data set of the run. Raises ConfigError naming every one that is not there, and its recipe."""
    found, missing = {}, []
    for name in run.data_sets():
        recipe = load_recipe(name)
        try:
            place = data_root(recipe, dict(roots), data)
        except ConfigError as error:
            missing.append(str(error))
            continue
        if not place.is_dir():
            file = resolve("recipes", name)
            missing.append(f"{recipe.name} (recipe {file}) is not at {place}: say --root {recipe.name}=DIR")
        found[name] = (recipe, place)
    if missing:
        raise ConfigError(f"run {run.name}: {'; '.join(missing)}")
    return found


def tasks_of_part(part: PartSpec, recipes: Mapping[str, Recipe], dataset: str) -> dict[str, Task]:
    """The tasks that a part asks, in the words that its records are labelled with."""
    native = part.kind == "records" and part.labels == "native"
    known = tasks_of(recipes[dataset]) if native else tasks_for(SCHEME, EMOTIONS)
    return {name: known[name] for name in part.tasks}


def held_texts(records) -> set[str]:
    """Utterances of test records that are text: acted speech says the same sentences to everyone."""
    return {text for record in records for text in _texts(record)}


def told(record: Record, held: set[str]) -> bool:
    return any(text in held for text in _texts(record))


def _texts(record: Record) -> set[str]:
    if record.media is not None:
        return set()
    said = [turn.text for turn in record.turns] or [record.transcript or ""]
    plain = (" ".join(re.findall(r"\w+", text.lower())) for text in said)
    return {text for text in plain if text.count(" ") + 1 >= LEAST_WORDS}


def focused(record: Record, before: int) -> Record:
    """The dialogue from `before` turns before the one that is asked about up to it. What is said later is not known yet."""
    at = record.target_turn
    if at is None or not record.turns:
        return record
    first = max(at - before, 0)
    return record.model_copy(update={"turns": record.turns[first : at + 1], "target_turn": at - first, "causes": []})


def _load(recipe: Recipe, place: Path, progress: Progress | None) -> list[Record]:
    """All splits: the test split says what must not be trained on."""
    loaded = load(recipe, place, progress, open_media=False)
    if not loaded.report.ok:
        raise ConfigError(f"{recipe.name} at {place}: {'; '.join(loaded.report.errors)}")
    return loaded.records


def _choose(
    part: PartSpec, sets: Mapping[str, Sequence[Record]], recipes: Mapping[str, Recipe], seed: Sequence[int], validation: int
) -> dict[str, list[Record]]:
    """Records of a part by split."""
    out = {}
    for split in SPLITS:
        rng = np.random.default_rng([*seed, SPLITS.index(split)])
        own = [(record, name) for name in part.data for record in sets[name] if record.split == split]
        limit = part.limit if split == "train" else min(validation, part.limit or validation)
        if part.kind == "records":
            ready = [_prepared(record, part, recipes[name]) for record, name in own if _asked(record, part, recipes[name])]
            out[split] = limited(ready, limit, part.balance, rng)
            continue
        emotion = _emotion(recipes)
        faces = limited([record for record, _ in own], limit and 2 * limit, part.balance, rng, emotion)
        voices = [record for name in part.voices for record in sets[name] if record.split == split]
        made = (audio_visual if part.kind == "pairs" else conflicts)(faces, voices, emotion, rng)
        out[split] = limited(list(made), limit, False, rng)
    return out


def _emotion(recipes: Mapping[str, Recipe]) -> Callable[[Record], str | None]:
    schemes = {recipe.name: recipe.scheme for recipe in recipes.values()}

    def canonical(record: Record) -> str | None:
        scheme = schemes[record.dataset]
        label = scheme and label_of(record, scheme.name)
        return scheme.crosswalk.get(label) if label else None

    return canonical


def _asked(record: Record, part: PartSpec, recipe: Recipe) -> bool:
    """Whether any task of the part applies; what only a measurement can tell is taken to be there for records with media."""
    if part.labels == "canonical" and _emotion({recipe.name: recipe})(record) is None:
        return False
    if record.media is not None:
        label = recipe.scheme and label_of(record, recipe.scheme.name)
        return recipe.scheme is None or label in recipe.scheme.offered or bool(record.action_units)
    tasks = tasks_of(recipe)
    return any(tasks[name].applies(record, None) for name in part.tasks)


def _prepared(record: Record, part: PartSpec, recipe: Recipe) -> Record:
    if part.labels == "canonical":
        label = ClosedLabel(scheme=SCHEME, value=_emotion({recipe.name: recipe})(record))
        record = record.model_copy(update={"labels": [label]})
    return record if part.context is None else focused(record, part.context)


def limited(
    records: Sequence[Record],
    limit: int | None,
    balance: bool,
    rng: np.random.Generator,
    key: Callable[[Record], str | None] = lambda record: class_of(record),
) -> list[Record]:
    """At most `limit` in random order; with `balance` the classes take turns until they run out."""
    shuffled = [records[i] for i in rng.permutation(len(records))]
    if limit is None or len(shuffled) <= limit:
        return shuffled
    if balance:
        seen: dict[str | None, int] = {}
        ranks = []
        for record in shuffled:
            seen[key(record)] = seen.get(key(record), 0) + 1
            ranks.append(seen[key(record)])
        shuffled = [shuffled[i] for i in np.argsort(ranks, kind="stable")]
    return shuffled[:limit]


def class_of(record: Record) -> str | None:
    """The record's class, for balance: its first label."""
    label = record.labels[0] if record.labels else None
    return label and label_of(record, label.scheme)
