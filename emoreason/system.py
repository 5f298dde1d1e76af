"""What the machine offers: the checks of `emoreason doctor`, and the shared libraries without which an import would die.

Runs on a bare Python (`python -m emoreason.system` before anything is installed): the standard library only, the rest on demand.
"""

import ctypes
import importlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from emoreason.errors import EmoReasonError, EnvironmentProblem

PYTHON = (3, 11)

# Shared libraries that the wheels load but do not bring, found by hiding each in turn and importing the wheel;
# with the Debian and Ubuntu package of each (Debian 13 and Ubuntu 24.04 call the last libglib2.0-0t64; apt takes both names).
LIBRARIES = {
    "libEGL.so.1": ("libegl1", "mediapipe"),
    "libGLESv2.so.2": ("libgles2", "mediapipe"),
    "libGL.so.1": ("libgl1", "opencv"),
    "libxcb.so.1": ("libxcb1", "opencv"),
    "libglib-2.0.so.0": ("libglib2.0-0", "opencv"),
    "libgthread-2.0.so.0": ("libglib2.0-0", "opencv"),
}

PACKAGES = (
    "numpy scipy pandas pyarrow pydantic torch mediapipe av faster-whisper ctranslate2 silero-vad safetensors pillow "
    "pympi-ling praatio pysubs2 jinja2"
).split()


@dataclass(frozen=True)
class Check:
    """One line of the doctor. `fix` says what to do when `ok` is False; only a failed `needed` check is a failure."""

    name: str
    ok: bool
    detail: str
    fix: str = ""
    needed: bool = True

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def missing_libraries() -> dict[str, tuple[str, str]]:
    """Shared libraries that cannot be loaded: {file name: (Debian package, wheel that needs it)}. Empty outside Linux."""
    return {name: needs for name, needs in LIBRARIES.items() if not _loads(name)} if sys.platform == "linux" else {}


def install_command(missing: dict[str, tuple[str, str]]) -> str:
    """What to type on Debian or Ubuntu."""
    return "apt-get install -y " + " ".join(_packages_of(missing))


def _packages_of(missing: dict[str, tuple[str, str]]) -> list[str]:
    return sorted({package for package, _ in missing.values()})


def require_libraries() -> None:
    """Call before the first import of mediapipe or cv2. Raises EnvironmentProblem naming library, wheel and package."""
    if missing := missing_libraries():
        named = ", ".join(f"{name} (for {wheel})" for name, (_, wheel) in missing.items())
        raise EnvironmentProblem(f"missing system libraries: {named}; on Debian or Ubuntu: {install_command(missing)}")


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def checks() -> Iterator[Check]:
    """All checks in the order in which they are best fixed. Each is independent: one failing does not hide the others."""
    yield _python()
    yield from _libraries()
    yield _packages()
    yield _cpu()
    yield _gpu()
    yield from _decoders()
    yield _mediapipe()
    yield from _assets()
    yield _cache()


def _python() -> Check:
    fix = f"install Python {PYTHON[0]}.{PYTHON[1]} or later"
    return Check("python", sys.version_info >= PYTHON, f"{platform.python_version()} on {platform.platform()}", fix)


def _libraries() -> Iterator[Check]:
    missing = missing_libraries()
    for name, (package, wheel) in LIBRARIES.items() if sys.platform == "linux" else ():
        yield Check(name, name not in missing, f"needed by {wheel}", f"apt-get install -y {package}")


def _packages() -> Check:
    found, absent = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            absent.append(name)
    detail = ", ".join(found) + (f"; absent: {', '.join(absent)}" if absent else "")
    return Check("packages", not absent, detail, "pip install --upgrade emoreason (or run scripts/quickstart in a checkout)")


def _cpu() -> Check:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        import psutil
    except ImportError as error:
        return Check("cpu", False, f"{usable} cores; {error}", "pip install psutil")
    memory = psutil.virtual_memory()
    detail = f"{usable} cores, {memory.total / 2**30:.1f} GiB memory, {memory.available / 2**30:.1f} GiB of it free"
    return Check("cpu", True, detail)


def _gpu() -> Check:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Check("gpu", False, f"torch does not load: {_line(error)}", "pip install torch")
    if torch.cuda.is_available():
        return Check("gpu", True, f"{torch.cuda.get_device_name(0)}, CUDA {torch.version.cuda}")
    return Check("gpu", True, "none: everything runs on the CPU", needed=False)


def _decoders() -> Iterator[Check]:
    fix = "pip install decord; without it PyAV reads the frames, which is slower"
    yield _imports("decoder decord", "decord", fix, needed=False)
    yield _imports("decoder PyAV", "av", "pip install av")


def _mediapipe() -> Check:
    if missing := missing_libraries():
        return Check("mediapipe", False, f"not tried: {', '.join(missing)} missing", install_command(missing))
    return _imports("mediapipe", "mediapipe.tasks.python.vision", "pip install 'mediapipe>=1.2'", distribution="mediapipe")


def _imports(name: str, module: str, fix: str, needed: bool = True, distribution: str | None = None) -> Check:
    try:
        importlib.import_module(module)
    except (ImportError, OSError) as error:
        return Check(name, False, f"does not load: {_line(error)}", fix, needed)
    return Check(name, True, importlib.metadata.version(distribution or module), needed=needed)


def _assets() -> Iterator[Check]:
    try:
        from emoreason import assets
    except ImportError as error:
        yield Check("assets", False, f"not tried: {_line(error)}", "install the packages above first")
        return
    for state in assets.verify():
        needed, fix = assets.ASSETS[state.name].role == "needed", f"emoreason assets pull {state.name}"
        yield Check(f"asset {state.name}", state.status == "ok", f"{state.status}: {state.detail}", fix, needed)


def _cache() -> Check:
    try:
        from emoreason import assets
    except ImportError as error:
        return Check("cache", False, f"not tried: {_line(error)}", "install the packages above first")
    import shutil
    import tempfile

    folder = assets.home()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check("cache", False, f"{folder}: {error.strerror}", "set EMOREASON_HOME to a folder that you may write to")
    return Check("cache", True, f"{folder}, writable, {free / 1e9:.1f} GB free")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":  # for scripts: names of missing Debian packages on stdout, the sentence on stderr
    try:
        require_libraries()
    except EmoReasonError as error:
        print(*_packages_of(missing_libraries()))
        sys.exit(str(error))
