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
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from emoreason import assets
from emoreason.model.base import checkpoint_folder, weight_files
from emoreason.model.config import EmoReasonConfig
from emoreason.model.engines.build import GraphProblem, unsupported, write_graph, write_weights
from emoreason.model.engines.hashes import sha256_of
from emoreason.model.export import BACKBONE, PARTS, merged
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor

FORMAT = 1  # of the folder: another one is built anew
MANIFEST = "manifest.json"
INSIDE = "onnx"  # the folder in an export
_MERGED_FROM = ("lora", "special_token_ids", "base")  # settings on which the merged weights depend


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
    config = _config(checkpoint)
    if reason := unsupported(config):
        raise GraphProblem(reason)
    expected = write_weights(*_whole(checkpoint, config), new, _layers(config))
    write_graph(new, expected)
    files = {str(file.relative_to(new)): _synced(file) for file in sorted(new.rglob("*")) if file.is_file()}
    (new / MANIFEST).write_text(json.dumps({"format": FORMAT, "key": key, "files": files}, indent=1), encoding="utf-8")


def _whole(checkpoint: Path, config: EmoReasonConfig) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The merged backbone in float32, and its tokenizer."""
    if (checkpoint / PARTS).is_dir():
        backbone = AutoModelForCausalLM.from_pretrained(checkpoint / BACKBONE, dtype="float32", use_safetensors=True)
        return backbone, EmoReasonProcessor.from_pretrained(checkpoint / PARTS, config).tokenizer
    processor = EmoReasonProcessor.from_pretrained(checkpoint, config)
    return merged(EmoReasonForConditionalGeneration.from_pretrained(checkpoint, config).backbone), processor.tokenizer


def _config(checkpoint: Path) -> EmoReasonConfig:
    parts = checkpoint / PARTS
    return EmoReasonConfig.from_pretrained(parts if parts.is_dir() else checkpoint)


def _key(checkpoint: Path) -> str:
    """Of everything that the graph is made from: the weights, their source and the settings that merge them."""
    config = _config(checkpoint)
    settings = config.to_dict()
    if (checkpoint / PARTS).is_dir():
        files = sorted((checkpoint / BACKBONE).glob("*.safetensors"))
        source = None
    else:
        files, source = weight_files(checkpoint), config.backbone
    said = {
        "format": FORMAT,
        "files": [sha256_of(file) for file in files],
        "source": source and _source(source),
        "layers": _layers(config),
        **{name: settings.get(name) for name in _MERGED_FROM},
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def _layers(config: EmoReasonConfig) -> int:
    """Of the language model, that the head on utterances reads."""
    return (config.words or {}).get("layer", 0)


def _source(source: dict[str, str]) -> list[str]:
    """What the language model under a checkpoint's adapter is: pinned hashes, those of a folder's files, or a hub id."""
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
