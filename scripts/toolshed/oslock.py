"""One run at a time: a lock of the operating system, gone with the process that holds it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import time
from typing import TYPE_CHECKING

from toolshed.trouble import AGAIN, BUSY, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Far behind the text: on Windows nobody else can read bytes that are locked.
LOCKED_BYTE = 1 << 30
HELD_BY_ANOTHER = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK, 0}  # wine's _locking says 0


def grab(descriptor: int) -> bool:
    """Take the lock if nobody holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in HELD_BY_ANOTHER:
            return False
        raise Trouble(
            "no-lock",
            f"the file system of the tools gives no lock: {error.strerror}",
            "mount it with locks (NFS: without nolock, with a lock daemon)",
        ) from error
    return True


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock, or say who does. The file stays: deleting it would let two runs in."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not grab(descriptor):
            raise Trouble(
                "busy",
                f"another run is making the tools: {holder(path)}",
                f"wait for it, then: {AGAIN}",
                exit_code=BUSY,
            )
        sign(descriptor)
        yield
    finally:
        os.close(descriptor)


def sign(descriptor: int) -> None:
    """Leave our name for those who find the lock taken."""
    note = {"pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S"), "program": sys.executable}
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.truncate(descriptor, 0)
    os.write(descriptor, json.dumps(note).encode("utf-8"))


def holder(path: Path) -> str:
    """Say who holds the lock, as far as it can be read."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        return f"process {note['pid']} ({note['program']}), since {note['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that has not yet signed the lock"
