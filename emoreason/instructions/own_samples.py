"""One's own clips: samples from a folder per class or from a table, and how a recipe reads them.

    CLASS/FILE, CLASS/GROUP/.../FILE, or either below train/, valid/ and test/
    csv, tsv or xlsx with the columns path,label[,group,text,transcript,aus,start_s,end_s,split], several labels in a cell
    separated by ;

Whatever cannot be meant as it is written raises ConfigError saying what to change.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any

from emoreason.errors import ConfigError
from emoreason.instructions.readers.row import seconds
from emoreason.instructions.readers.tables import delimited, lines_of, separator_of

COLUMNS = ("path", "label", "group", "text", "transcript", "aus", "start_s", "end_s", "split")
KINDS = {
    suffix: kind
    for kind, suffixes in {
        "video": "3gp avi flv m4v mkv mov mp4 mpeg mpg ogv webm wmv",
        "audio": "aac aif aiff flac m4a mp3 oga ogg opus wav wma",
        "image": "bmp gif jfif jpeg jpg png tif tiff webp",
    }.items()
    for suffix in suffixes.split()
}
SPLITS = {"train": ["train", "training"], "valid": ["valid", "validation", "val", "dev"], "test": ["test"]}
_WORDS = {word: split for split, words in SPLITS.items() for word in words}
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Sample:
    """What decides about a recipe. `place` is where it was found; `split` train, valid, test or None."""

    place: str
    path: str
    labels: tuple[str, ...]
    group: str
    split: str | None = None
    span: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Own:
    """What was found at `source`, and how a recipe reads it: `reader` and `fields` without the media's kind. `notes`: what was
    left aside."""

    source: Path
    samples: list[Sample]
    reader: dict[str, Any]
    fields: dict[str, Any]
    notes: list[str]

    @property
    def has_splits(self) -> bool:
        return self.samples[0].split is not None

    @property
    def labels(self) -> list[str]:
        return sorted({label for sample in self.samples for label in sample.labels})

    @property
    def kind(self) -> str:
        """video, audio or image. Raises ConfigError where it is none, or several."""
        first: dict[str | None, str] = {}
        for sample in self.samples:
            first.setdefault(KINDS.get(_suffix(PurePosixPath(sample.path))), sample.path)
        if None in first:
            raise ConfigError(f"{self.source}: '{first[None]}' is no picture, video or sound by its name")
        if len(first) > 1:
            some = ", ".join(sorted(first.values()))
            raise ConfigError(f"{self.source}: files of several kinds ({some}): make a data set of each kind")
        return next(iter(first))


def find_own(source: Path) -> Own:
    """Of a folder, or of a table whose paths are relative to its own folder."""
    if source.is_dir():
        return _of_folder(source)
    if source.is_file():
        return _of_table(source)
    raise ConfigError(f"{source} is not there: name a folder with a folder per class, or a table with path and label")


def listed(what: str, lines: Sequence[str], most: int = 3) -> str:
    """One line that shows the first of many."""
    more = f"; and {len(lines) - most} more" if len(lines) > most else ""
    return f"{what}: {'; '.join(lines[:most])}{more}"


# a folder per class


def _of_folder(root: Path) -> Own:
    files = [path.relative_to(root) for path in sorted(root.rglob("*")) if path.is_file()]
    files = [path for path in files if not any(part.startswith(".") for part in path.parts)]
    media = [path for path in files if _suffix(path) in KINDS]
    if not media:
        raise ConfigError(f"{root}: no picture, video or sound in it; make a folder per class, with its files inside")
    has_splits = all(path.parts[0] in _WORDS for path in media)
    inside = [path.parts[has_splits:] for path in media]  # of the split, if any
    if flat := [path for path, parts in zip(media, inside, strict=True) if len(parts) < 2]:
        raise ConfigError(f"{root}: {flat[0].as_posix()} lies in no folder of a class: sort the files into a folder per class")
    if len({len(parts) > 2 for parts in inside}) > 1:
        raise ConfigError(f"{root}: some files lie in their class, some in a folder below it: use CLASS/FILE or CLASS/GROUP/FILE")
    grouped = len(inside[0]) > 2
    samples = [
        Sample(str(path), path.as_posix(), (parts[0],), parts[1] if grouped else path.as_posix(),
               _WORDS[path.parts[0]] if has_splits else None)
        for path, parts in zip(media, inside, strict=True)
    ]  # fmt: skip
    endings = "|".join(sorted({_suffix(path) for path in media}))
    split = f"(?P<split>{'|'.join(_WORDS)})/" if has_splits else ""
    group = "(?P<group>[^/.][^/]*)/" if grouped else ""
    pattern = rf"{split}(?P<label>[^/.][^/]*)/{group}(?:[^/.][^/]*/)*[^/.][^/]*\.(?i:{endings})"
    fields = {"id": "{path}", "group": "{group}" if grouped else "{path}", "label": "{label}"}
    others = Counter(path.suffix.lower() or "no suffix" for path in files if _suffix(path) not in KINDS)
    notes = [f"files of other kinds left aside: {', '.join(f'{n} {suffix}' for suffix, n in others.items())}"] if others else []
    return Own(root, samples, {"kind": "files", "pattern": pattern}, fields, notes)


def _suffix(path: PurePosixPath | Path) -> str:
    return path.suffix.lower().removeprefix(".")


# a table


def _of_table(table: Path) -> Own:
    has = _columns(table)
    rows = list(delimited(table))
    if bad := [f"line {line}: {cells}" for line, cells in rows if isinstance(cells, str)]:
        raise ConfigError(listed(f"{table}: lines that do not fit the header (is a comma inside a cell quoted?)", bad))
    if not rows:
        raise ConfigError(f"{table}: no line below the header")
    problems: list[str] = []
    samples = [_sample(line, {name: cell.strip() for name, cell in cells.items()}, problems) for line, cells in rows]
    times = Counter((one.path, one.span) for one in samples)
    problems += [f"{one.place}: {one.path} is listed more than once" for one in samples if times[one.path, one.span] > 1]
    if problems:
        raise ConfigError(listed(f"{table}: {len(problems)} lines cannot be used", problems))
    unused = [name for name in has if name not in COLUMNS]
    notes = [f"columns without a meaning here: {', '.join(unused)}"] if unused else []
    notes += ["text is taught word for word: as the reasons of its label, else as a description"] if "text" in has else []
    return Own(table, samples, {"kind": "table", "tables": {"all": table.name}}, _fields(has, samples), notes)


def _fields(has: Sequence[str], samples: Sequence[Sample]) -> dict[str, Any]:
    fields = {"id": "{path}@{start_s}-{end_s}" if "start_s" in has else "{path}"}
    fields["group"] = "{group}" if "group" in has else "{path}"
    if any(sample.labels for sample in samples):
        fields["label"] = "{label}"
    if any(len(sample.labels) > 1 for sample in samples):
        fields["label_separator"] = ";"
    same = {"text": "explanation", "transcript": "transcript", "start_s": "start_s", "end_s": "end_s"}
    fields |= {field: f"{{{column}}}" for column, field in same.items() if column in has}
    return fields | ({"action_units": {"text": "{aus}"}} if "aus" in has else {})


def _columns(table: Path) -> list[str]:
    """Names in the header. Raises ConfigError for a header with other separators, without path and label, or with a typo."""
    separator = separator_of(table)
    _, cells = next(lines_of(table), (1, []))
    names, header = [cell.strip() for cell in cells], separator.join(cells)
    other = next((words for mark, words in _SEPARATORS.items() if mark != separator and mark in header), None)
    if "path" not in names and other is not None:
        raise ConfigError(f"{table}: columns are separated by {other}: save the table with commas (or as .tsv, with tabs)")
    for name in names:
        near = get_close_matches(name.lower(), COLUMNS, 1, cutoff=0.75)
        if name not in COLUMNS and near and near[0] not in names:
            raise ConfigError(f"{table}: column '{name}': if '{near[0]}' is meant, write it so, else call it something else")
    if absent := [wanted for wanted in ("path", "label") if wanted not in names]:
        raise ConfigError(f"{table}: no column '{absent[0]}'; the first line names the columns, and it says: {header[:80]}")
    if len(set(names)) < len(names):
        raise ConfigError(f"{table}: the header names a column twice: {header[:80]}")
    if ("start_s" in names) != ("end_s" in names):
        raise ConfigError(f"{table}: start_s and end_s come together; one of the columns is missing")
    return names


def _sample(line: int, cells: dict[str, str], problems: list[str]) -> Sample:
    place, path = f"line {line}", cells["path"]
    labels = tuple(word.strip() for word in cells["label"].split(";")) if cells["label"] else ()
    split = _WORDS.get(cells.get("split", ""))
    span = (cells.get("start_s", ""), cells.get("end_s", ""))
    problems += [f"{place}: {problem}" for problem in _problems(cells, path, labels, split, span)]
    return Sample(place, path, labels, cells.get("group") or path, split, span)


def _problems(cells: dict[str, str], path: str, labels: Sequence[str], split: str | None, span: tuple[str, str]) -> Iterator[str]:
    if not path:
        yield "path is empty"
    elif "\\" in path or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or ":" in path[:3]:
        yield f"path '{path}': write it relative to the table's folder, with forward slashes, and without .."
    if not labels and not cells.get("text"):
        yield "neither a label nor a text"
    if "" in labels or len(set(labels)) < len(labels):
        yield f"label '{cells['label']}': an empty or repeated label between ;"
    if "group" in cells and not cells["group"]:
        yield "group is empty"
    if "split" in cells and split is None:
        yield f"split '{cells['split']}' is none of train, valid, test"
    try:
        if any(span) and not 0 <= seconds(span[0]) < seconds(span[1]):
            yield f"start_s {span[0]} and end_s {span[1]} are no span of time"
    except ValueError:
        yield f"start_s '{span[0]}' and end_s '{span[1]}' must both be seconds, or both be empty"
