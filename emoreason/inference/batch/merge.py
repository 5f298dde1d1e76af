"""Result folders of several machines as one. Reports are copied, tables are made anew."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from emoreason.errors import ConfigError, EnvironmentProblem
from emoreason.inference.batch import manifest as states
from emoreason.inference.batch import results
from emoreason.inference.batch.lock import locked
from emoreason.inference.batch.manifest import Entry, Manifest
from emoreason.inference.batch.runner import finish
from emoreason.report.save import atomically


@dataclass
class Merged:
    """clips: in the merged folder. failed: files that failed in one folder and are done in none."""

    clips: int = 0
    failed: int = 0


def merge(parts: Sequence[Path], out: Path, progress: Callable[[int], None] | None = None) -> Merged:
    """Merge result folders into a new one. What is in several of them is taken once.

    Raises ConfigError, before anything is written, when a folder holds no run, the settings of the runs differ, or two hold
    different content under one path; EnvironmentProblem when `out` holds something already.
    """
    if len(set(map(Path.resolve, parts))) < len(parts):
        raise ConfigError("a folder is named twice")
    if out.exists() and any(out.iterdir()):
        raise EnvironmentProblem(f"{out}: is not empty; name a new folder")
    entries = _entries(parts)
    (out / results.REPORTS).mkdir(parents=True, exist_ok=True)
    with locked(out), Manifest(out) as manifest:
        for number, (part, entry) in enumerate(entries.values(), start=1):
            if entry.state == states.DONE:
                _copy(part, out, entry.id)
            if progress is not None:
                progress(number)
        manifest.add(entry for _, entry in entries.values())
        finish(out, manifest)
        counts = manifest.counts()
    return Merged(counts[states.DONE], counts[states.FAILED])


def _entries(parts: Sequence[Path]) -> dict[str, tuple[Path, Entry]]:
    """By path: where its result lies. A finished one goes before a failed one."""
    chosen: dict[str, tuple[Path, Entry]] = {}
    config: tuple[Path, str] | None = None
    for part in parts:
        with Manifest(part, readonly=True) as manifest:
            for entry in manifest.entries(states.DONE, states.FAILED, current=False):
                if entry.state == states.DONE:
                    config = config or (part, entry.config)
                    if entry.config != config[1]:
                        raise ConfigError(f"{part}: was made with other settings than {config[0]}; merge runs of equal settings")
                    if not results.is_written(part, entry.id):
                        raise ConfigError(f"{part}: the report of '{entry.path}' is missing; run its batch again")
                before = chosen.get(entry.path)
                if before and before[1].state == entry.state == states.DONE and before[1].id != entry.id:
                    raise ConfigError(f"{part} and {before[0]} hold different files under the path '{entry.path}'")
                if before is None or before[1].state != states.DONE:
                    chosen[entry.path] = (part, entry)
    return dict(sorted(chosen.items()))


def _copy(part: Path, out: Path, name: str) -> None:
    """The report last, as when it was first written."""
    if (part / results.CLIPS / name).is_dir():
        shutil.copytree(part / results.CLIPS / name, out / results.CLIPS / name)
    pairs = [(results.frames_file(part, name), results.frames_file(out, name))]
    for source, target in [*pairs, (results.report_file(part, name), results.report_file(out, name))]:
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            with atomically(target) as temporary:
                shutil.copyfile(source, temporary)
