"""Work that goes on while other things are looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def begun(work: Callable[[], T]) -> Callable[[], T]:
    """Begin; what is returned waits for the result, and raises what the work raised.

    A daemon thread, unlike those of an executor: Ctrl+C need not wait for a python that does not answer.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again by the one who waits
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future.result
