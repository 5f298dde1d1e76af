"""Records on disk: shards of JSON lines and an index with a content hash. Same records, same bytes, same hash."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from pydantic import ValidationError

from emoreason.errors import ConfigError
from emoreason.instructions.record import Record

INDEX = "index.json"
FORMAT = "emoreason/records/1"
SHARD = 5000  # records: some megabytes, so that a shard is read at once


def write_records(records: Iterable[Record], path: Path) -> str:
    """Write the folder `path` and return the hash over all records in their order. The index comes last: no index, no records."""
    path.mkdir(parents=True, exist_ok=True)
    (path / INDEX).unlink(missing_ok=True)
    for old in path.glob("records-*.jsonl"):
        old.unlink()
    total, shards, splits, lines = sha256(), [], Counter(), []
    for record in records:
        line = to_line(record).encode()
        total.update(line)
        splits[record.split] += 1
        lines.append(line)
        if len(lines) == SHARD:
            shards.append(_write_shard(path, len(shards), lines))
            lines = []
    if lines:
        shards.append(_write_shard(path, len(shards), lines))
    index = {"format": FORMAT, "sha256": total.hexdigest(), "splits": dict(sorted(splits.items())), "shards": shards}
    _replace(path / INDEX, json.dumps(index, indent=1).encode())
    return total.hexdigest()


def to_line(record: Record) -> str:
    """One line of JSON; what is unknown or empty is not written."""
    return record.model_dump_json(exclude_defaults=True) + "\n"


def _write_shard(path: Path, number: int, lines: list[bytes]) -> dict:
    name, content = f"records-{number:05d}.jsonl", b"".join(lines)
    _replace(path / name, content)
    return {"name": name, "records": len(lines), "sha256": sha256(content).hexdigest()}


def _replace(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    partial = path.with_suffix(".part")
    partial.write_bytes(content)
    os.replace(partial, path)


def read_index(path: Path) -> dict:
    """The index of a folder of records; ConfigError where there is none of this format."""
    try:
        index = json.loads((path / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: no records here ({error}); make them with `emoreason data build`") from error
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise ConfigError(f"{path / INDEX}: not of format {FORMAT}; build the records again")
    return index


def read_records(path: Path) -> Iterator[Record]:
    """The records in the order they were written; a shard that was changed or cut off is a ConfigError."""
    for shard in read_index(path)["shards"]:
        file = path / shard["name"]
        try:
            content = file.read_bytes()
        except OSError as error:
            raise ConfigError(f"{file}: {error.strerror}; build the records again") from error
        if sha256(content).hexdigest() != shard["sha256"]:
            raise ConfigError(f"{file}: its content is not what the index says; build the records again")
        for number, line in enumerate(content.split(b"\n")[:-1], 1):
            try:
                yield Record.model_validate_json(line)
            except ValidationError as error:
                raise ConfigError(f"{file}:{number}: {error.errors()[0]['msg']}; build the records again") from error
