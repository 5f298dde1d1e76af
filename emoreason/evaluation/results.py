"""The result folder of a suite: run.json (what was asked of whom), samples.jsonl (one line per sample), scores.json.

Lines are written as they come, so an interrupted run goes on; what does not belong together is never mixed: another suite, judge,
set of samples or labels in the same folder is an error that names it.
"""

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from emoreason import __version__
from emoreason.errors import ConfigError
from emoreason.scoring.metrics.score import Failures, Protocol

FORMAT = "emoreason/result/1"
Status = Literal["answered", "silent", "unparsable", "failed"]
RUN, ROWS, SCORES, PAGE = "run.json", "samples.jsonl", "scores.json", "report.html"
PACKAGES = "numpy scipy torch transformers mediapipe faster-whisper av opencv-python-headless".split()


class SampleResult(BaseModel):
    """One sample: its truth and the prediction, None unless answered. `media` is relative to the data set."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    id: str
    group: str
    fold: int | None = None
    media: str | None = None
    status: Status
    truth: dict[str, Any]
    prediction: dict[str, Any] | None = None
    reason: str | None = None
    notes: list[str] = []
    text: str = ""

    def get(self, key: str) -> Any:
        """A value of the prediction; None without an answer."""
        return self.prediction.get(key) if self.prediction else None


@dataclass(frozen=True)
class Result:
    """A folder as read back: what was run, its rows in order, and its scores (empty before they were made)."""

    folder: Path
    run: Mapping[str, Any]
    rows: tuple[SampleResult, ...]
    scores: Mapping[str, Any]


def drawn_groups(rows: Sequence[SampleResult]) -> list[str] | None:
    """What intervals draw: whole groups where a group has more than one sample, and there are several groups; else None."""
    groups = [row.group for row in rows]
    return groups if 1 < len(set(groups)) < len(groups) else None


def of_rows(protocol: Protocol, rows: Sequence[SampleResult]) -> Protocol:
    """The same protocol on part of the rows."""
    return protocol if protocol.groups is None else replace(protocol, groups=[row.group for row in rows])


def failures(rows: Sequence[SampleResult]) -> Failures:
    """no_face and no_speech are counted where they left the judge without an answer."""
    lost = [row for row in rows if row.status != "answered"]
    return Failures(
        unparsable=sum(row.status == "unparsable" for row in lost),
        no_face=sum("no_face" in row.notes for row in lost),
        no_speech=sum("no_speech" in row.notes for row in lost),
    )


def environment() -> dict[str, Any]:
    """Versions and machine, without names of machines or people."""
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {"emoreason": __version__, "python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(), "packages": packages}  # fmt: skip


def digest(value: Any) -> str:
    """Equal content, equal text: 16 hexadecimal digits."""
    return sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def begin(
    folder: Path, run: Mapping[str, Any], wanted: Mapping[str, Mapping[str, Any]], restart: bool
) -> dict[str, SampleResult]:
    """Prepare a folder and return the rows that need not be made again: of `wanted` (id -> truth), and not failed.

    `run["key"]` tells runs apart. Raises ConfigError when the folder holds another run, unless `restart` drops that.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if restart:
        for name in (RUN, ROWS, SCORES, PAGE):
            (folder / name).unlink(missing_ok=True)
    known: dict[str, SampleResult] = {}
    if (folder / RUN).is_file():
        before = _object(folder / RUN)
        if before.get("key") != run["key"]:
            raise ConfigError(f"{folder} holds another run ({_difference(before, run)}); name another --out, or say --restart")
        known = {row.id: row for row in read_rows(folder / ROWS, cut=True)} if (folder / ROWS).is_file() else {}
        belongs(known, wanted, folder / ROWS)
    write_json(folder / RUN, run)
    kept = {name: row for name, row in known.items() if row.status != "failed"}
    write_rows(folder / ROWS, kept.values())
    return kept


def belongs(rows: Mapping[str, SampleResult], wanted: Mapping[str, Mapping[str, Any]], file: Path) -> None:
    """Raises ConfigError for a row of another sample, and for one whose truth is not what the data say."""
    for name, row in rows.items():
        if name not in wanted:
            raise ConfigError(f"{file}: sample '{name}' is not in this suite; it belongs to other data")
        if row.truth != wanted[name]:
            raise ConfigError(f"{file}: the labels of sample '{name}' have changed since; start again with --restart")


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    for name in ("judge", "suite", "limit", "samples_sha256"):
        if before.get(name) != now.get(name):
            return f"its {name} is another: {_brief(before.get(name))}, not {_brief(now.get(name))}"
    return "made with another version"


def _brief(value: Any) -> str:
    return str(value.get("name", value)) if isinstance(value, Mapping) else str(value)


def read_rows(file: Path, cut: bool = False) -> list[SampleResult]:
    """`cut`: a last line that an interruption left unfinished is dropped. Raises ConfigError naming line and problem."""
    lines = file.read_bytes().split(b"\n")
    ended, last = lines[:-1], lines[-1]
    rows, seen = [], set()
    for number, line in enumerate([*ended, *([] if cut or not last else [last])], 1):
        try:
            row = SampleResult.model_validate_json(line)
            json.loads(line, parse_constant=_no_number)
        except (ValidationError, ValueError) as error:
            problem = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
            raise ConfigError(f"{file}:{number}: {problem}; fix or delete the line") from error
        if row.id in seen:
            raise ConfigError(f"{file}:{number}: sample '{row.id}' occurs twice; keep one of its lines")
        seen.add(row.id)
        rows.append(row)
    return rows


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not a valid score")


def line(row: SampleResult) -> str:
    """One row as JSON; NaN is refused, since other readers know none."""
    return json.dumps(row.model_dump(exclude_defaults=True), ensure_ascii=False, allow_nan=False) + "\n"


def write_rows(file: Path, rows: Iterable[SampleResult]) -> None:
    """All of them, whole or not at all."""
    write_text(file, "".join(line(row) for row in rows))


def write_json(file: Path, value: Any) -> None:
    """Indented, whole or not at all."""
    write_text(file, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(file: Path, text: str) -> None:
    """Whole or not at all."""
    partial = file.with_suffix(file.suffix + ".part")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, file)


def read_result(folder: Path) -> Result:
    """A folder that `emoreason evaluate` wrote. Raises ConfigError where it is not one, or not finished."""
    if not (folder / RUN).is_file():
        raise ConfigError(f"{folder} is not a result folder: {RUN} is missing; name a folder that `emoreason evaluate` wrote")
    run = _object(folder / RUN)
    if run.get("format") != FORMAT:
        raise ConfigError(f"{folder / RUN}: not of format {FORMAT}; evaluate again")
    if not (folder / ROWS).is_file():
        raise ConfigError(f"{folder}: {ROWS} is missing; evaluate again")
    scores = _object(folder / SCORES) if (folder / SCORES).is_file() else {}
    return Result(folder, run, tuple(read_rows(folder / ROWS)), scores)


def _object(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read ({error})") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{file}: must hold one JSON object")
    return value
