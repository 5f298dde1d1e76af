"""Mixtures: the records of every part of a run, chosen once, written down with their hashes, and read again by each stage.

What is tested on is kept out here: only the splits train and valid are taken, and a record whose words occur in the test split
of any set of the run is dropped, whichever set it is from (MELD and ECF tell the same scenes).
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emoreason.config import resolve
from emoreason.errors import ConfigError
from emoreason.instructions.answers import label_of
from emoreason.instructions.blending import write_blends, write_morphs
from emoreason.instructions.collator import Source
from emoreason.instructions.leaks import passages, without_texts_of
from emoreason.instructions.pairing import SCHEME, Emotion, audio_visual, blends, conflicts, neutral_to_peak, prefixed
from emoreason.instructions.recipe import Recipe, load_recipe
from emoreason.instructions.record import ClosedLabel, Record
from emoreason.instructions.store import read_index, read_records, write_records
from emoreason.instructions.tasks import Task, tasks_for, tasks_of
from emoreason.instructions.validate import data_root
from emoreason.labels.emotions import EMOTIONS
from emoreason.training.data_sets import load_set
from emoreason.training.run import Run
from emoreason.training.settings.sft import PartSpec

FILE = "mixtures.json"
FORMAT = "emoreason/mixtures/1"
SPLITS = ("train", "valid")
MADE = "made"  # below the folder of the mixtures: pictures and films that no data set has
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
    sets = {name: load_set(recipe, place, progress) for name, (recipe, place) in places.items()}
    recipes = {name: recipe for name, (recipe, _) in places.items()}
    held = tested_passages(sets)
    parts, kept, dropped = {}, {}, {}
    for name, records in sets.items():
        kept[name], told = without_texts_of([record for record in records if record.split in SPLITS], held)
        dropped |= {name: len(told)} if told else {}
    for stage, spec in run.tuning().items():
        for name, part in spec.mixture.items():
            made_in = Making(roots_of(places, folder), folder / MADE / f"{stage}-{name}")
            chosen = _choose(part, kept, recipes, [run.seed, *f"{stage}/{name}".encode()], spec.validation, made_in)
            if not chosen["train"]:
                raise ConfigError(f"stages.{stage}.mixture.{name}: not a single training record is left{_why(part, sets)}")
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


def roots_of(places: Mapping[str, tuple[Recipe, Path]], folder: Path) -> dict[str, Path]:
    """For records that are put together or made: the folders of the data sets by their names, and the one of what was made."""
    return {recipe.name: place for recipe, place in places.values()} | {MADE: folder / MADE}


def part_sources(
    run: Run, stage: str, places: Mapping[str, tuple[Recipe, Path]], folder: Path, split: str = "train"
) -> dict[str, Source]:
    """The parts of a stage as `build` wrote them into `folder`: their records, where their files lie, what is asked of them."""
    out, recipes = {}, {name: recipe for name, (recipe, _) in places.items()}
    for name, spec in run.tuning()[stage].mixture.items():
        records = list(read_records(folder / stage / name / split))
        tasks = tasks_of_part(spec, recipes, spec.data[0])
        if spec.kind != "records":
            out[name] = Source(records, roots_of(places, folder), {"": tasks}, spec.questions)
        elif len(spec.data) > 1:
            raise ConfigError(f"stage '{stage}': a part of records takes one data set; make a part for each")
        else:
            recipe, place = places[spec.data[0]]
            out[name] = Source(records, place, {recipe.name: tasks}, spec.questions)
    return out


def tasks_of_part(part: PartSpec, recipes: Mapping[str, Recipe], dataset: str) -> dict[str, Task]:
    """The tasks that a part asks, in the words that its records are labelled with."""
    native = part.kind == "records" and part.labels == "native"
    known = tasks_of(recipes[dataset]) if native else tasks_for(SCHEME, EMOTIONS)
    return {name: known[name] for name in part.tasks}


def focused(record: Record, before: int) -> Record:
    """The dialogue from `before` turns before the one that is asked about up to it. What is said later is not known yet."""
    at = record.target_turn
    if at is None or not record.turns:
        return record
    first = max(at - before, 0)
    return record.model_copy(update={"turns": record.turns[first : at + 1], "target_turn": at - first, "causes": []})


def tested_passages(sets: Mapping[str, Sequence[Record]]) -> set[str]:
    """What is said in the test split of any of the sets (`leaks.passages`)."""
    return {plain for records in sets.values() for record in records if record.split == "test" for plain in passages(record)}


def _why(part: PartSpec, sets: Mapping[str, Sequence[Record]]) -> str:
    """What may be wrong with it. A set that is only for testing (EMER) never gives a training record."""
    splits = {record.split for name in part.data for record in sets[name]}
    return "; check its data and tasks" if "train" in splits else f": its data are only for {' and '.join(sorted(splits))}"


def _choose(
    part: PartSpec,
    sets: Mapping[str, Sequence[Record]],
    recipes: Mapping[str, Recipe],
    seed: Sequence[int],
    validation: int,
    making: "Making",
) -> dict[str, list[Record]]:
    """Records of a part by split."""
    out, emotion = {}, _emotion(recipes)
    for split in SPLITS:
        rng = np.random.default_rng([*seed, SPLITS.index(split)])
        own = [(record, name) for name in part.data for record in sets[name] if record.split == split]
        limit = part.limit if split == "train" else min(validation, part.limit or validation)
        if part.kind == "records":
            ready = [_prepared(record, part, recipes[name]) for record, name in own if _asked(record, part, recipes[name])]
            out[split] = limited(ready, limit, part.balance, rng)
        elif part.voices:
            faces = limited([record for record, _ in own], limit and 2 * limit, part.balance, rng, emotion)
            voices = [record for name in part.voices for record in sets[name] if record.split == split]
            made = (audio_visual if part.kind == "pairs" else conflicts)(faces, voices, emotion, rng)
            out[split] = limited(list(made), limit, False, rng)
        else:
            out[split] = making.records(part, [record for record, _ in own], emotion, limit, split, rng)
    return out


@dataclass(frozen=True)
class Making:
    """Where the pictures of a part are put that no data set has. roots: of the data sets they are made from, by name."""

    roots: Mapping[str, Path]
    folder: Path

    def records(
        self, part: PartSpec, faces: Sequence[Record], emotion: Emotion, limit: int | None, split: str, rng: np.random.Generator
    ) -> list[Record]:
        """Blends of two faces, with both labels, or films from neutral to peak; pictures of an earlier build go first."""
        place = self.folder.with_name(f"{self.folder.name}-{split}")
        if place.exists():
            shutil.rmtree(place)
        if part.kind == "sequences":
            some = limited(list(neutral_to_peak(faces, emotion)), limit, part.balance, rng, emotion)
            written = [_canonical(record, emotion) for record in write_morphs(some, self.roots, place, rng)]
        else:
            pairs = list(blends(faces, emotion, rng, part.kind))
            some = [pairs[i] for i in rng.permutation(len(pairs))[:limit]]
            written = write_blends(some, self.roots, place, rng)
        at = f"{MADE}/{place.name}"
        return [record.model_copy(update={"media": prefixed(record.media, at)}) for record in written]


def _canonical(record: Record, emotion: Emotion) -> Record:
    return record.model_copy(update={"labels": [ClosedLabel(scheme=SCHEME, value=emotion(record))]})


def _emotion(recipes: Mapping[str, Recipe]) -> Emotion:
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
    tasks = tasks_of(recipe)
    if any(tasks[name].applies(record, None) for name in part.tasks):
        return True
    label = recipe.scheme and label_of(record, recipe.scheme.name)
    known = recipe.scheme is None or label in recipe.scheme.offered or bool(record.action_units)
    return record.media is not None and known


def _prepared(record: Record, part: PartSpec, recipe: Recipe) -> Record:
    if part.labels == "canonical":
        record = _canonical(record, _emotion({recipe.name: recipe}))
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
