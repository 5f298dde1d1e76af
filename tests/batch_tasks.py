"""What test workers do: functions that spawned processes can import."""

import os
import signal
import time


def start() -> None:
    """Nothing to prepare."""


def act(task):
    """("say", x) -> x; ("die", code), ("kill",) and ("sleep", seconds) do what they say;
    ("threads",) tells how many are set, and how many heaps."""
    what, *rest = task
    if what == "die":
        os._exit(rest[0])
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "threads":
        return [os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "MALLOC_ARENA_MAX")]
    if what == "sleep":
        time.sleep(rest[0])
    return rest[0] if rest else None


def dying_judge(chunk):
    """Judges, but ends in the middle of the first chunk of several clips (once per results folder), and at any clip named
    `deadly.png` that it has for itself."""
    from emoreason.inference.batch import judging

    if chunk:
        died = os.path.join(chunk[0].job.out, "died")
        if (len(chunk) > 1 and not os.path.exists(died)) or [one.job.path for one in chunk] == ["deadly.png"]:
            open(died, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
    return judging.judge(chunk)
