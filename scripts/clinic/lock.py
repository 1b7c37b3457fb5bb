"""One run at a time: a lock of the operating system, which ends with its holder whatever happens.

flock and msvcrt are called directly: importing `filelock` takes a third of what a whole start of the server may cost
beyond the service's own boot (tests/bench).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from clinic.errors import BusyError, RefusedError

_LOOK_AGAIN = 0.05  # seconds; only while another run holds the lock
_LOCKED_BYTE = 1 << 30  # far behind the text: on Windows nobody else can read bytes that are locked
_HELD_BY_ANOTHER = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK, 0}  # wine's _locking says 0
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


def of_environment(venv: Path) -> Path:
    """Where the lock of an environment lies: beside it, so that every project finds the same one."""
    folder = Path(os.path.realpath(venv.parent))
    there = next(each for each in (folder, *folder.parents) if each.exists())  # the others are made with the lock
    if os.access(there, os.W_OK | os.X_OK):
        return folder / f".{venv.name}.lock"
    place = zlib.crc32(os.fsencode(os.path.normcase(folder)))
    return run_folder() / f"{venv.name}-{place:08x}.lock"


def run_folder() -> Path:
    """The user's own folder for what lasts no longer than a session."""
    given = os.environ.get("XDG_RUNTIME_DIR")
    if given and os.access(given, os.W_OK):
        return Path(given) / "bridge-clinic"
    import tempfile

    user = f"-{os.getuid()}" if sys.platform != "win32" else ""  # Windows has a temp folder for each user
    return Path(tempfile.gettempdir()) / f"bridge-clinic{user}"


@contextlib.contextmanager
def held(path: Path, doing: str, patience: float = 0.0, *, code: str = "busy") -> Iterator[None]:
    """Hold the lock at `path` while `doing` (a command's name); wait for it at most `patience` seconds.

    Raises BusyError (with this code) that names the holder and since when, RefusedError if no lock can be made.
    """
    deadline = time.monotonic() + patience
    while (descriptor := _taken(path)) is None:
        if time.monotonic() >= deadline:
            raise BusyError(code, f"{_holder(path)} Nothing was touched.", "wait until it is done, then try again")
        time.sleep(_LOOK_AGAIN)  # flock knows no time limit, and an alarm is for the main thread only
    try:
        _sign(descriptor, doing)
        yield
    finally:
        _release(path, descriptor)


def _taken(path: Path) -> int | None:
    """A descriptor that holds the lock; None while another run has it."""
    while True:
        descriptor = _opened(path)
        try:
            has = _locked(descriptor, path)
        except BaseException:
            os.close(descriptor)
            raise
        if has and _is_still_there(path, descriptor):
            return descriptor
        os.close(descriptor)
        if not has:
            return None


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o644)
    except OSError as error:
        if isinstance(error, PermissionError) and sys.platform != "win32":
            with contextlib.suppress(OSError):  # another user's: flock needs no write, only the note is left out
                return os.open(path, os.O_RDONLY | _NO_LINK)
        raise RefusedError(
            "records-not-writable",
            f"The lock {path} cannot be made: {error.strerror}. Nothing was touched.",
            f"free some space, or make {path.parent} writable",
        ) from error


def _locked(descriptor: int, path: Path) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD_BY_ANOTHER:
            return False
        what = "its file system has no locks" if error.errno in _NO_LOCKS else "the system gives no lock"
        raise RefusedError(
            "no-lock",
            f"{path} cannot be locked: {what} ({error.strerror}). Nothing was touched.",
            f"mount the file system of {path.parent} with locks (NFS: without nolock, with a lock daemon)",
        ) from error
    return True


def _is_still_there(path: Path, descriptor: int) -> bool:
    """Whether what was locked is what others will find: its last holder may have removed it meanwhile."""
    if sys.platform == "win32":
        return True  # an open file is not removed there
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    return False


def _sign(descriptor: int, doing: str) -> None:
    note = {"pid": os.getpid(), "doing": doing, "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    with contextlib.suppress(OSError):  # on a full disk it is held all the same
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(note).encode("utf-8"))


def _release(path: Path, descriptor: int) -> None:
    """Remove the file while it is held, so that nobody is in between; Windows removes only what nobody has open."""
    if sys.platform == "win32":
        os.close(descriptor)
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    if sys.platform != "win32":
        os.close(descriptor)  # which also unlocks


def _holder(path: Path) -> str:
    try:
        note = json.loads(path.read_text("utf-8"))
        return f"'invoke {note['doing']}' (process {note['pid']}) holds the lock {path} since {note['since']}."
    except (OSError, ValueError, KeyError, TypeError):
        return f"Another run, which has only just begun, holds the lock {path}."
