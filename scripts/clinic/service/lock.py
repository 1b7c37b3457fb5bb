"""One start or stop at a time: an operating system's lock, which ends with its holder whatever happens.

flock and msvcrt are called directly: `filelock` is as good, but importing it takes 48 ms (measured), a third
of what a whole start may cost beyond the service's own boot.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

from clinic.errors import BusyError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOOK_AGAIN = 0.05  # seconds; only while another run holds the lock


@contextlib.contextmanager
def held(path: Path, doing: str, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock at `path` while `doing` (words for others); wait for it at most `patience` seconds.

    Raises BusyError that names the holder and since when, RefusedError where no lock can be made.
    """
    descriptor = _open(path)
    deadline = time.monotonic() + patience
    try:
        while not _take(descriptor):
            if time.monotonic() >= deadline:
                raise _busy(path)
            time.sleep(_LOOK_AGAIN)  # flock knows no time limit, and an alarm is for the main thread only
        holder = path.with_suffix(".holder")  # beside it: Windows lets nobody read a locked file
        with contextlib.suppress(OSError):
            holder.write_text(f"{os.getpid()} {doing} {time.strftime('%Y-%m-%d %H:%M:%S')}", "utf-8")
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                holder.unlink(missing_ok=True)
    finally:
        os.close(descriptor)  # which also unlocks; the file stays: deleting it would let two hold "the" lock


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise RefusedError(
            "records-not-writable",
            f"The lock {path} cannot be made: {error.strerror}.",
            f"make {path.parent} writable, or set clinic.records in invoke.yaml",
        ) from error


def _take(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _busy(path: Path) -> BusyError:
    try:
        pid, doing, since = path.with_suffix(".holder").read_text("utf-8").split(" ", 2)
        told = f"Process {pid} is busy with it ({doing}) since {since}."
    except (OSError, ValueError):
        told = "Another process is busy with it."
    return BusyError("service-busy", told, "wait until it is done, then try again")
