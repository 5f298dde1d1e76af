"""Validation of a data set against its recipe: counts, labels, media, leaks. Says what it found; decides with `ok`."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from emoreason.errors import ConfigError, EmoReasonError
from emoreason.instructions.leaks import Leak, apply_rule, find_leaks, hash_media, media_paths, shared_texts
from emoreason.instructions.readers import Failure, read
from emoreason.instructions.recipe import Recipe
from emoreason.instructions.record import Record
from emoreason.media import Clip

Progress = Callable[[str, float, float | None], None]
STOCK = 0.01  # of the passages of a split
_PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"}


@dataclass(frozen=True)
class ValidationReport:
    """`found` and `labels` count what was read, `kept` what remains after the leak rule; `errors` make the set unusable."""

    dataset: str
    found: dict[str, int]
    kept: dict[str, int]
    expected: dict[str, int]
    labels: dict[str, dict[str, int]]  # split -> label -> records
    leaks: list[Leak] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.errors

    def to_dict(self) -> dict:
        return asdict(self) | {"ok": self.ok}


@dataclass(frozen=True)
class Loaded:
    """A data set as training may use it: after the leak rule, without what cannot be read."""

    records: list[Record]
    report: ValidationReport


def validate(recipe: Recipe, root: Path, progress: Progress | None = None, open_media: bool = True) -> ValidationReport:
    """Read, count and compare everything; every medium is opened once unless `open_media` is False."""
    return load(recipe, root, progress, open_media).report


def load(recipe: Recipe, root: Path, progress: Progress | None = None, open_media: bool = True) -> Loaded:
    """The records that are left, and the report about all of them."""
    read_records: list[Record] = []
    failures: list[Failure] = []
    for item in read(recipe, root, progress):
        (failures if isinstance(item, Failure) else read_records).append(item)
    broken = _broken_media(read_records, root, progress, open_media)
    records, lost = [], []
    for record in read_records:
        reason = next((broken[path] for path in media_paths(record) if path in broken), None)
        records.append(record) if reason is None else lost.append(Failure(recipe.name, record.id, reason))
    hashes = hash_media(records, root, progress)
    kept, dropped = apply_rule(records, hashes, recipe.leaks)
    leaks = find_leaks(kept, hashes)
    found = _per_split(read_records)
    report = ValidationReport(
        dataset=recipe.name,
        found=found,
        kept=_per_split(kept),
        expected=recipe.expected,
        labels=_histogram(read_records),
        leaks=leaks,
        dropped=_per_split(dropped),
        failures=failures + lost,
        errors=_errors(recipe, read_records, leaks, found),
        warnings=_warnings(recipe, found, failures + lost, leaks),
    )
    return Loaded(kept, report)


def _per_split(records: list[Record]) -> dict[str, int]:
    return dict(sorted(Counter(record.split for record in records).items()))


def _histogram(records: list[Record]) -> dict[str, dict[str, int]]:
    """Labels of the records, and of the turns of records that are whole dialogues."""
    counts: dict[str, Counter] = {}
    for record in records:
        count = counts.setdefault(record.split, Counter())
        for label in record.labels:
            count[label.value or "(no single label)"] += 1
        if record.target_turn is None:
            count.update(turn.emotion for turn in record.turns if turn.emotion)
    return {split: dict(count.most_common()) for split, count in sorted(counts.items())}


def _broken_media(records: list[Record], root: Path, progress: Progress | None, open_media: bool) -> dict[str, str]:
    """Path -> what is wrong with it."""
    paths = sorted({path for record in records for path in media_paths(record)})
    broken = {}
    for count, path in enumerate(paths, 1):
        if progress and count % 100 == 0:
            progress("opening media", count, len(paths))
        if not (root / path).is_file():
            broken[path] = f"{path}: missing"
        elif open_media and (reason := _unreadable(root / path)):
            broken[path] = f"{path}: {reason}"
    return broken


def _unreadable(path: Path) -> str | None:
    """Pictures are decoded; of sound and video the streams are read, not every frame."""
    try:
        if path.suffix.lower() in _PICTURES:
            with Image.open(path) as picture:
                picture.load()
        else:
            Clip(path)  # raises where nothing in it can be played
    except (EmoReasonError, OSError, ValueError, UnidentifiedImageError) as error:
        return " ".join(str(error).split())
    return None


def _errors(recipe: Recipe, records: list[Record], leaks: list[Leak], found: dict[str, int]) -> list[str]:
    errors = [] if records else ["not a single record could be read"]
    errors += [f"split '{split}' is empty, {count} expected" for split, count in recipe.expected.items() if not found.get(split)]
    forbidden = [leak for leak in leaks if leak.kind == "media" or not (recipe.leaks and recipe.leaks.groups == "allowed")]
    for kind in ("group", "media"):
        some = [leak for leak in forbidden if leak.kind == kind]
        if some:
            example = ", ".join(some[0].ids[:3]) if kind == "media" else f"'{some[0].what}' in {' and '.join(some[0].splits)}"
            what = "groups are" if kind == "group" else "identical media are"
            errors.append(f"{len(some)} {what} in several splits ({example}); split otherwise, or state a rule under `leaks`")
    return errors


def _warnings(recipe: Recipe, found: dict[str, int], failures: list[Failure], leaks: list[Leak]) -> list[str]:
    warnings = [
        f"split '{split}' has {found[split]} records, {count} expected"
        for split, count in recipe.expected.items()
        if found.get(split) and found[split] != count
    ]
    warnings += [f"{len(failures)} samples left out, the first: {failures[0].place}: {failures[0].reason}"] if failures else []
    shared = sum(leak.kind == "group" for leak in leaks)
    if shared and recipe.leaks and recipe.leaks.groups == "allowed":
        warnings.append(f"{shared} groups are in several splits, allowed by the recipe: {recipe.leaks.why}")
    return warnings


def compare_texts(recipes: Sequence[Recipe], records: Iterable[Record]) -> tuple[list[str], list[str]]:
    """(errors, warnings) about what several data sets say in different splits; see `leaks.shared_texts`.

    Up to STOCK of a split may be stock phrases; more is an error, unless the recipe of one of the two allows it.
    """
    rules = {recipe.name: recipe.leaks for recipe in recipes if recipe.leaks and recipe.leaks.texts == "allowed"}
    errors, warnings = [], []
    for shared in shared_texts(records):
        rule = rules.get(shared.here[0]) or rules.get(shared.there[0])
        line = f"{'/'.join(shared.here)} and {'/'.join(shared.there)} share {shared.count} passages, such as '{shared.example}'"
        if rule or shared.share <= STOCK:
            warnings.append(f"{line}, allowed by a recipe: {rule.why}" if rule else line)
        else:
            errors.append(f"{line}; train on one of them only, or state a rule under `leaks`")
    return errors, warnings


def data_root(recipe: Recipe, roots: dict[str, Path], data: str | None) -> Path:
    """Where the set lies: what was given for its name, else its folder, below the data root unless it is a whole path."""
    if recipe.name in roots:
        return roots[recipe.name]
    if Path(recipe.folder).is_absolute():
        return Path(recipe.folder)
    if not data:
        hint = f"say --root {recipe.name}=DIR, or set EMOREASON_DATA to the folder that holds {recipe.folder}/"
        raise ConfigError(f"where is {recipe.name}? {hint}")
    return Path(data) / recipe.folder
