"""One run at a time: whose turn it is with an environment or a server (`toolshed.oslock` has the lock itself)."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from clinic import ownership
from clinic.errors import BusyError, RefusedError
from toolshed import oslock

_LOOK_AGAIN = 0.05  # seconds; only while another run holds the lock


def of_environment(venv: Path) -> Path:
    """Where the lock of an environment lies: beside it, so that every project finds the same one.

    Of a link to an environment that is the environment's; one that leads nowhere is itself what is replaced.
    """
    venv = Path(os.path.realpath(venv) if venv.is_dir() else venv)
    folder = Path(os.path.realpath(venv.parent))
    there = next(each for each in (folder, *folder.parents) if each.exists())  # the others are made with the lock
    if os.access(there, os.W_OK | os.X_OK):
        return folder / f".{venv.name}.lock"
    place = zlib.crc32(os.fsencode(os.path.normcase(folder)))
    return run_folder() / f"{venv.name}-{place:08x}.lock"


def run_folder() -> Path:
    """The user's own folder for what lasts no longer than a session."""
    return next((each for each in run_folders() if os.access(each.parent, os.W_OK)), run_folders()[-1])


def run_folders() -> tuple[Path, ...]:
    """Where that may be: a command that cron runs has no XDG_RUNTIME_DIR.

    Not `tempfile.gettempdir`: it tries to write, so on a full disk it names another folder, and importing it is slow.
    """
    if sys.platform == "win32":  # which has a temporary folder for each user
        return (Path(os.environ.get("TEMP") or Path.home()) / "bridge-clinic",)
    given, user = os.environ.get("XDG_RUNTIME_DIR"), f"bridge-clinic-{os.getuid()}"
    temporary = dict.fromkeys((os.environ.get("TMPDIR") or "/tmp", "/tmp"))  # noqa: S108 - made and checked as ours
    return (*([Path(given) / "bridge-clinic"] if given else []), *(Path(each) / user for each in temporary))


@contextlib.contextmanager
def held(path: Path, doing: str, patience: float = 0.0, *, code: str = "busy") -> Iterator[None]:
    """Hold the lock at `path` while `doing` (a command's name); wait for it at most `patience` seconds.

    Raises BusyError (with this code) that names the holder and since when, RefusedError if no lock can be made.
    Folders that are made for it and stay empty (the path of an environment was mistyped) are removed with it.
    """
    deadline = time.monotonic() + patience
    new = [folder for folder in path.parents if not folder.exists()] if path.parent not in run_folders() else []
    while (descriptor := _taken(path)) is None:
        if time.monotonic() >= deadline:
            raise BusyError(code, f"{_holder(path)} Nothing was touched.", "wait until it is done, then try again")
        time.sleep(_LOOK_AGAIN)  # flock knows no time limit, and an alarm is for the main thread only
    try:
        oslock.sign(descriptor, doing=doing)
        yield
    finally:
        oslock.release(path, descriptor)
        for folder in new:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _taken(path: Path) -> int | None:
    """A descriptor that holds the lock; None while another run has it."""
    try:
        _make_folder(path.parent)
        return oslock.take(path)
    except FileNotFoundError:
        return None  # the one who has just released it had made the folder
    except oslock.CannotLockError as error:
        raise RefusedError(
            "no-lock",
            f"{path} cannot be locked: {error}. Nothing was touched.",
            f"mount the file system of {path.parent} with locks (NFS: without nolock, with a lock daemon)",
        ) from error
    except OSError as error:
        raise RefusedError(
            "records-not-writable",
            f"The lock {path} cannot be made: {error.strerror}. Nothing was touched.",
            f"free some space, or make {path.parent} writable",
        ) from error


def _make_folder(folder: Path) -> None:
    """The run folder is private; one for an environment is not: a service of another user may run from it."""
    if folder not in run_folders():
        ownership.make_folder(folder)
        return
    ownership.make_folder(folder, ownership.PRIVATE)
    ownership.refuse_foreign(folder)


def _holder(path: Path) -> str:
    told = oslock.note(path)
    if not {"pid", "doing", "since"} <= told.keys():
        return f"Another run, which has only just begun, holds the lock {path}."
    return f"'invoke {told['doing']}' (process {told['pid']}) holds the lock {path} since {told['since']}."
