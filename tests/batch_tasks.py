"""What test workers do: functions that spawned processes can import."""

import os
import signal
import time


def start() -> None:
    """Nothing to prepare."""


def act(task):
    """("say", x) -> x; ("die", code), ("kill",) and ("sleep", seconds) do what they say;
    ("threads",) tells how many are set."""
    what, *rest = task
    if what == "die":
        os._exit(rest[0])
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "threads":
        return [os.environ.get(f"{library}_NUM_THREADS") for library in ("OMP", "MKL")]
    if what == "sleep":
        time.sleep(rest[0])
    return rest[0] if rest else None
