"""What outlives the server: whether it is wanted, how often it was restarted, why it last ended.

One small JSON file per pid file, replaced whole under a lock of its own, so that no writer undoes what another one
wrote. It may be deleted at any time; a torn one counts as none. It also keeps a copy of the pid file, so that a server
whose pid file was deleted is not lost.

A disk that is full or read-only keeps no server from being started or stopped. What can't be written to the records
folder is written beside the log, else to the user's run folder, else kept by this process; the newest copy counts.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from clinic import fs, lock, ownership
from clinic.errors import BusyError, RefusedError

if TYPE_CHECKING:
    from clinic.settings import Settings

Wanted = Literal["up", "down"]
_MOST = 1 << 20  # bytes of such a file that are read
_PATIENCE = 5.0  # seconds that a write waits for another one; it takes milliseconds unless the writer is halted
_STATE = ".json"


@dataclass(frozen=True)
class Memory:
    """`wanted` is None before the first start. `record` is the pid file's text.

    `launch`, `stopgap` and `ends_with_job` (`jobs`) are the last start's. `ended` is the launch id of the server that a
    command ended last: no death that a monitor has to count.
    """

    wanted: Wanted | None = None
    mode: str = "debug"
    restarts: int = 0
    last_reason: str = ""
    launch: str = ""
    record: str = ""
    stopgap: str = ""
    ends_with_job: bool = False
    ended: str = ""
    place: str = field(default="", compare=False)
    """The path that `record` and `launch` were written for: a copied project has a copy of them."""
    serial: int = field(default=0, compare=False)
    """Counts the changes: the highest is the newest."""
    owner: int = field(default=-1, compare=False)
    """The user who wrote `record` and `launch`: whom to believe about processes."""


_UNWRITTEN: dict[Path, Memory] = {}
"""What could be written nowhere: a monitor still has to know what it wants."""


def folder(settings: Settings) -> Path:
    """Return the folder where the services' files are kept."""
    return settings.records / "service"


def place(settings: Settings, suffix: str) -> Path:
    """Return the path of a file kept for this service; its pid file tells it from a shadow server's."""
    pid_file = os.path.normcase(os.path.abspath(settings.service.pid_file))  # noqa: PTH100 - keep links
    try:
        told = os.path.relpath(pid_file, os.path.normcase(settings.root.absolute()))
    except ValueError:  # another drive
        told = pid_file
    digest = zlib.crc32(os.fsencode(told))  # tells names apart, keeps no secret; hashlib would cost 14 ms
    return folder(settings) / f"{settings.service.pid_file.stem[:60]}-{digest:08x}{suffix}"


def places(settings: Settings, suffix: str) -> tuple[Path, ...]:
    """Return where such a file may lie, the first that can be written being the one that is written."""
    first, log = place(settings, suffix), settings.service.log_file
    project = zlib.crc32(os.fsencode(os.path.normcase(os.path.realpath(settings.root))))
    beside = (log.parent / f".{first.name}",) if log.is_file() else ()  # a device has no folder of ours
    return (first, *beside, *(each / f"{project:08x}-{first.name}" for each in lock.run_folders()))


def read(settings: Settings, suffix: str) -> Iterator[tuple[bytes, int]]:
    """Read such a file in each place where it is, with its owner's number; a link there is not followed."""
    for path in places(settings, suffix):
        with contextlib.suppress(OSError):
            if path.parent in lock.run_folders():
                ownership.refuse_foreign(path.parent)
            data, info = fs.read_plain(path, _MOST)
            if _may_lie(settings, path, info.st_uid):
                yield data, info.st_uid


def _may_lie(settings: Settings, path: Path, owner: int) -> bool:
    """Whether a file of this owner counts in this place: a log may lie in /tmp, and anybody's file beside it."""
    log = settings.service.log_file
    return path.parent != log.parent or owner in {_me(), 0, log.lstat().st_uid}


def write(settings: Settings, suffix: str, data: bytes) -> str:
    """Write such a file to the first place that takes it; returns what is to be said of that, if anything is.

    Raises OSError where no place takes it.
    """
    first, refusal = place(settings, suffix), None
    there = places(settings, suffix)
    for number, path in enumerate(there):
        try:
            _make_folder(settings, path.parent)
            # Stays ours, whoever owned the one before: the owner of such a file says whom to believe.
            fs.write_atomically(path, data, mode=0o644, durable=False, given=False)
        except OSError as error:
            refusal = refusal or error
            continue
        _remove(there[number + 1 :])
        why = refusal.strerror if refusal else ""
        return f"{first} could not be written ({why}); {path} was written instead." if refusal else ""
    raise refusal or OSError(str(first))


def remove(settings: Settings, suffix: str) -> None:
    """Remove such a file wherever it can be."""
    _remove(places(settings, suffix))


def touched(settings: Settings) -> tuple[int, ...]:
    """Return what changes with each change of what is remembered; cheap enough to be asked a hundred times a second."""
    return tuple(map(_time, places(settings, _STATE)))


@contextlib.contextmanager
def locked(settings: Settings, suffix: str, doing: str, patience: float = 0.0, *, code: str = "busy") -> Iterator[None]:
    """Hold a lock of this service as `lock.held` does, in the first place where it can be made.

    Another run may have found the disk full and have taken the lock in a later place: where one lies, it is taken too.
    Where none can be made anywhere, there is none: a server can be started and stopped all the same.
    """
    with contextlib.ExitStack() as stack:
        held = False
        for path in places(settings, suffix):
            if held and not fs.exists(path):
                continue
            with contextlib.suppress(RefusedError, OSError):
                if fs.exists(path) and not _may_lie(settings, path, path.lstat().st_uid):
                    continue
                _make_folder(settings, path.parent)
                stack.enter_context(lock.held(path, doing, patience, code=code))
                held = True
        yield


def recall(settings: Settings) -> Memory:
    """Read what is remembered; nothing where there is no file or a torn one."""
    known = [each for data, owner in read(settings, _STATE) if (each := _parsed(data, owner))]
    kept = _UNWRITTEN.get(place(settings, _STATE))
    return max([*known, *([kept] if kept else [])], key=lambda each: each.serial, default=Memory())


def keep(settings: Settings, **changes: Any) -> str:
    """Change what is remembered and write it down; returns what is to be said where that did not go as usual."""
    first = place(settings, _STATE)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(BusyError):  # a writer that is halted must not keep a server from being stopped
            stack.enter_context(locked(settings, "-state.lock", "a write", _PATIENCE))
        known = recall(settings)
        changed = replace(known, **changes, serial=known.serial + 1)
        if {"record", "launch"} & changes.keys() or known.owner < 0:  # else it stays another one's word
            changed = replace(changed, place=os.path.abspath(first), owner=_me())  # noqa: PTH100 - keep links
        try:
            note = write(settings, _STATE, json.dumps(asdict(changed), indent=1).encode("utf-8", "surrogatepass"))
        except OSError as error:
            _UNWRITTEN[first] = changed
            return f"{first} could not be written ({error.strerror}): other commands may not know of the server."
        _UNWRITTEN.pop(first, None)
    return note


def is_copied(settings: Settings, known: Memory) -> bool:
    """Whether what is remembered came along with a copied project: the original still remembers the same launch.

    A project that was moved with its server running has left nothing at the old place.
    """
    there, here = Path(known.place), place(settings, _STATE)
    if not known.place or os.path.realpath(there) == os.path.realpath(here):
        return False
    with contextlib.suppress(OSError, ValueError):
        data, info = fs.read_plain(there, _MOST)
        other = _parsed(data, info.st_uid)
        return other is not None and bool(other.launch) and other.launch == known.launch
    return False


def _parsed(data: bytes, owner: int) -> Memory | None:
    """Read a state file of this owner. Only what we or root wrote can say that it passes on another user's word."""
    try:
        told: Any = json.loads(data)
        known = _checked(Memory(**{each.name: told[each.name] for each in fields(Memory) if each.name in told}))
    except (ValueError, TypeError, RecursionError):
        return None
    return known if owner in {_me(), 0} and known.owner >= 0 else replace(known, owner=owner)


def _checked(told: Memory) -> Memory:
    texts = (told.mode, told.stopgap, told.last_reason, told.launch, told.record, told.ended, told.place)
    numbers = (told.restarts, told.serial, told.owner)
    right = {type(text) for text in texts} == {str} and {type(number) for number in numbers} == {int}
    if not right or told.wanted not in {"up", "down", None}:
        raise TypeError("not a memory")
    return told


def _me() -> int:
    return os.geteuid() if sys.platform != "win32" else 0


def _make_folder(settings: Settings, path: Path) -> None:
    """Make one of the folders that such files lie in; nothing of ours is written into one that was planted."""
    if path == folder(settings) and not path.is_dir():
        from clinic.records import Records  # the first time only: it costs more than all of this

        Records(settings.records, settings.root).ready()
    ownership.make_folder(path, ownership.PRIVATE)
    if path in lock.run_folders():
        ownership.refuse_foreign(path)
    elif path.is_symlink() and path.lstat().st_uid not in {0, _me()}:
        raise PermissionError(errno.EPERM, "it is another user's link", str(path))


def _remove(paths: tuple[Path, ...]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            fs.remove(path)


def _time(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
