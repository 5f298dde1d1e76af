"""Work in a thread beside the caller's, with its result or its error to be asked for later."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def in_background(work: Callable[[], T]) -> Future[T]:
    """Starts at once, in a thread that does not keep the process alive (those of an executor do)."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # raised again by whoever asks for the result
            done.set_exception(error)

    threading.Thread(target=run, name="emoreason-background", daemon=True).start()
    return done
