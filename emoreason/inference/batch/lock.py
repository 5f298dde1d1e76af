"""One run at a time on an output folder. The lock is the system's own, so it cannot outlive its owner, however that one ended."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from emoreason.errors import EnvironmentProblem

FILE, OWNER = ".lock", ".owner.json"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder. Raises EnvironmentProblem naming the process that holds it."""
    lock = FileLock(folder / FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise EnvironmentProblem(f"{folder}: another batch is writing here ({_owner(folder)}); wait for it or stop it") from None
    except OSError as error:
        raise EnvironmentProblem(f"{folder}: cannot be written to ({error.strerror}); name another folder") from error
    try:
        owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}
        (folder / OWNER).write_text(json.dumps(owner), encoding="utf-8")
        yield
    finally:
        (folder / OWNER).unlink(missing_ok=True)
        lock.release()


def held(folder: Path) -> bool:
    """Whether a run holds the folder just now."""
    if not (folder / FILE).exists():
        return False
    try:
        with FileLock(folder / FILE, timeout=0):
            return False
    except (Timeout, OSError):
        return True


def _owner(folder: Path) -> str:
    try:
        owner = json.loads((folder / OWNER).read_text(encoding="utf-8"))
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(owner["since"]))
        return f"process {owner['pid']} on {owner['host']} since {since}"
    except (OSError, ValueError, KeyError):
        return "its process did not say which"
