"""Where the graph of a checkpoint lies, whether it is whole, and how it is built: once, by one process, all or nothing."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from emoreason import assets
from emoreason.model.checkpoint_files import BACKBONE, CONFIG, PARTS, checkpoint_folder, weight_files
from emoreason.model.engines.hashes import sha256_of
from emoreason.model.engines.layout import GraphProblem

FORMAT = 2  # of the folder: another one is built anew
MANIFEST = "manifest.json"
INSIDE = "onnx"  # the folder in an export
_NOT_IN_IT = ("labels", "scheme", "crosswalk", "verdict", "trained", "transformers_version")  # settings that no graph depends on


def graph_for(checkpoint: str | Path, build: bool = False) -> Path:
    """The folder with the graph of a checkpoint or an export, checked. One that is damaged is built again; where there is none,
    it is built when `build` says so.

    Raises GraphProblem, whose message says why there is none: the caller may run the model in torch. ConfigError for something
    that is not a checkpoint.
    """
    folder = Path(checkpoint)
    folder = folder if (folder / PARTS).is_dir() else checkpoint_folder(folder)
    key = _key(folder)
    inside, cached = folder / INSIDE, assets.home() / "graphs" / key
    for place in (inside, cached):
        if (place / MANIFEST).is_file():
            return place if _is_whole(place, key) else build_graph(folder, cached)
    if not build:
        raise GraphProblem(f"no graph of {folder.name} was built")
    return build_graph(folder, cached)


def build_graph(checkpoint: Path, target: Path) -> Path:
    """Build into `target`, unless it is there and whole; returns it. Several processes may ask: one builds, the others wait."""
    key = _key(checkpoint)
    with _as_graph_problem(target):
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(target.parent / f".{target.name}.lock"):
            if _is_whole(target, key):
                return target
            for stale in target.parent.glob(f".{target.name}-*"):  # of a process that was killed; the lock says nobody uses it
                shutil.rmtree(stale, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
                new = Path(scratch) / "new"
                new.mkdir(mode=0o700)
                _fill(checkpoint, new, key)
                if target.exists():  # damaged: moved aside, so that the name is never half of one and half of the other
                    target.rename(Path(scratch) / "old")
                new.rename(target)
    return target


def _fill(checkpoint: Path, new: Path, key: str) -> None:
    from emoreason.model.config import EmoReasonConfig  # torch is needed here only, to make what runs without it
    from emoreason.model.engines import build
    from emoreason.model.modeling import EmoReasonForConditionalGeneration
    from emoreason.model.processing import EmoReasonProcessor
    from emoreason.model.untrained import quiet_libraries

    exported = (checkpoint / PARTS).is_dir()
    parts = checkpoint / PARTS if exported else checkpoint
    config = EmoReasonConfig.from_pretrained(parts)
    if reason := build.unsupported(config):
        raise GraphProblem(reason)
    if exported:
        config.backbone = {"path": str(checkpoint / BACKBONE)}
    with quiet_libraries():
        model = EmoReasonForConditionalGeneration.from_pretrained(parts, config)
        expected = build.write_weights(model, EmoReasonProcessor.from_pretrained(parts, config), new)
        del model  # the other half works in a process of its own
        build.write_graph(new, expected)
    files = {str(file.relative_to(new)): _synced(file) for file in sorted(new.rglob("*")) if file.is_file()}
    (new / MANIFEST).write_text(json.dumps({"format": FORMAT, "key": key, "files": files}, indent=1), encoding="utf-8")


def _key(checkpoint: Path) -> str:
    """Of everything that the graph is made from: the weights, their sources and the settings that they are read by."""
    exported = (checkpoint / PARTS).is_dir()
    parts = checkpoint / PARTS if exported else checkpoint
    settings = json.loads((parts / CONFIG).read_text(encoding="utf-8"))
    files = [*weight_files(parts), *(sorted((checkpoint / BACKBONE).glob("*.safetensors")) if exported else ())]
    said = {
        "format": FORMAT,
        "files": [sha256_of(file) for file in files],
        "sources": [_source(settings[name]) for name in ("backbone", "voice", "face") if settings.get(name) and not exported],
        **{name: value for name, value in settings.items() if name not in _NOT_IN_IT},
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def _source(source: dict[str, str]) -> list[str]:
    """What a part that a checkpoint only names is: pinned hashes, those of a folder's files, or a hub id."""
    if "asset" in source:
        return [file.sha256 for file in assets.ASSETS[source["asset"]].files]
    files = sorted(Path(source["path"]).glob("*.safetensors"))
    return [sha256_of(file) for file in files] or [source["path"]]


def _is_whole(folder: Path, key: str) -> bool:
    """Every file as it was written, for these weights."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if (manifest["format"], manifest["key"]) != (FORMAT, key):
            return False
        return all(sha256_of(folder / name) == sha256 for name, sha256 in manifest["files"].items())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):  # absent, cut short, or not a manifest
        return False


def _synced(file: Path) -> str:
    """The hash of a file that is on the disk for good."""
    with file.open("rb") as content:
        os.fsync(content.fileno())
        return hashlib.file_digest(content, "sha256").hexdigest()


@contextmanager
def _as_graph_problem(target: Path) -> Iterator[None]:
    """File system trouble on the way becomes one line that says where."""
    try:
        yield
    except OSError as error:
        full = error.errno == errno.ENOSPC
        why = "the disk is full: free some space" if full else f"{error.strerror or error}: make the folder writable"
        raise GraphProblem(f"no graph can be placed in {target.parent} ({why}, or set EMOREASON_HOME)") from error
