"""A lock of the operating system, which ends with its holder whatever happens: that of journal, server and bootstrap.

flock and msvcrt are called directly: importing `filelock` takes a third of what a whole start of the server may cost
beyond the service's own boot (tests/bench), and bootstrap has only the standard library.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

LOCKED_BYTE = 1 << 30  # far behind the text: on Windows nobody else can read bytes that are locked
HELD_BY_ANOTHER = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK, 0}  # wine's _locking says 0
NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
AS_IT_IS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # no link, and no waiting for a pipe's end


class CannotLockError(OSError):
    """The file is there, and the system gives no lock on it."""

    def __str__(self) -> str:
        """Say why, as far as the system does."""
        what = "its file system has no locks" if self.errno in NO_LOCKS else "the system gives no lock"
        return f"{what} ({self.strerror})"


def take(path: Path) -> int | None:
    """Take the lock at `path`: a descriptor that holds it until its `release`, None while another run has it.

    Raises OSError where the file cannot be made, CannotLockError where it cannot be locked.
    """
    while True:
        descriptor = _opened(path)
        try:
            has = _locked(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        if has and _is_still_there(path, descriptor):
            return descriptor
        os.close(descriptor)
        if not has:
            return None


def sign(descriptor: int, **more: str) -> None:
    """Leave a note for those who find the lock taken: who holds it, and since when."""
    note = {"pid": os.getpid(), **more, "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    with contextlib.suppress(OSError):  # on a full disk it is held all the same
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(note).encode("utf-8"))


def note(path: Path) -> dict[str, Any]:
    """Read the note of the lock's holder; empty where it has not signed yet."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | AS_IT_IS)) as file:
            found = json.loads(file.read() or b"")  # None: of a pipe
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def release(path: Path, descriptor: int) -> None:
    """Remove the file while it is held, so that nobody is in between; Windows removes only what nobody has open."""
    if sys.platform == "win32":
        os.close(descriptor)
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    if sys.platform != "win32":
        os.close(descriptor)  # which also unlocks


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | AS_IT_IS, 0o644)
    except OSError:
        if sys.platform == "win32":
            raise
        with contextlib.suppress(OSError):  # another user's, or read-only: flock needs no write, only the note does
            return os.open(path, os.O_RDONLY | AS_IT_IS)
        raise


def _locked(descriptor: int) -> bool:
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
        raise CannotLockError(error.errno, error.strerror) from error
    return True


def _is_still_there(path: Path, descriptor: int) -> bool:
    """Whether what was locked is what others will find: its last holder may have removed it meanwhile."""
    if sys.platform == "win32":
        return True  # an open file is not removed there
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    return False
