"""The process table: who runs, since when, below whom.

On Linux it is read from /proc, where a start is counted in ticks since a named boot, which no clock change
moves. Elsewhere psutil's creation time serves.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Identity:
    """A process. `started` is "<boot id>/<ticks>" on Linux, else the creation time in seconds since 1970."""

    pid: int
    started: str


@dataclass(frozen=True)
class Row:
    """One process of the process table. `begun` orders starts on this machine.

    On Windows `session` is 0, and `parent` is 0 in a single look: to find it takes a walk of the whole table.
    """

    identity: Identity
    state: str
    parent: int
    session: int
    begun: float


def look(pid: int) -> Row | None:
    """Look a pid up in the process table; None where there is no such process or it may not be seen."""
    if pid <= 0:
        return None
    return _look_proc(pid) if sys.platform == "linux" else _look_psutil(pid)


def numbers() -> list[int]:
    """Return every pid that is in use."""
    if sys.platform == "linux":
        return [int(entry) for entry in os.listdir(PROC) if entry.isdecimal()]  # noqa: PTH208
    import psutil

    return psutil.pids()


def everyone(platform: str = sys.platform) -> list[Row]:
    """Return every process that may be seen."""
    if platform == "win32":
        parents = _parents()
        return _rows(parents, parents)
    return [row for row in map(look, numbers()) if row is not None]


def near(pids: Iterable[int], platform: str = sys.platform) -> list[Row]:
    """Return all that may descend from these processes or be in their sessions, themselves and strangers included.

    On Windows that is who descends from them by the numbers alone: when a process of another user was started takes
    a walk of the whole table, and there are a hundred of them.
    """
    if platform != "win32":
        return everyone(platform)
    parents, found = _parents(), set(pids)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return _rows(found, parents)


def ancestors(pid: int, platform: str = sys.platform) -> list[int]:
    """Return the pids of those that a process runs under, the nearest first.

    A parent is older than its child: on Windows the number of one that has ended may have passed to a stranger.
    """
    parents = _parents() if platform == "win32" else {}
    above, child = list[int](), look(pid)
    while child:
        number = parents.get(child.identity.pid, child.parent)
        parent = look(number)
        if number in {0, pid, *above} or (parent and parent.begun > child.begun):
            break
        above.append(number)
        child = parent
    return above


def _parents() -> dict[int, int]:
    """Return everybody's parent in one walk of the table, which `psutil.Process.ppid` takes for each process."""
    import psutil

    return dict(psutil._ppid_map())  # type: ignore[attr-defined]  # noqa: SLF001 - nothing public does it at once


def _rows(pids: Iterable[int], parents: Mapping[int, int]) -> list[Row]:
    return [replace(row, parent=parents.get(pid, 0)) for pid in pids if (row := look(pid))]


def command(pid: int) -> tuple[str, ...]:
    """Return the command line of a process; empty where it may not be seen."""
    if sys.platform == "linux":
        try:
            raw = (PROC / str(pid) / "cmdline").read_bytes()
        except OSError:
            return ()
        return tuple(os.fsdecode(part) for part in raw.removesuffix(b"\0").split(b"\0")) if raw else ()
    import psutil

    try:
        return tuple(psutil.Process(pid).cmdline())
    except (psutil.Error, OSError):
        return ()


def process_owner(pid: int) -> int:
    """Return the number of the user that a process runs as. Raises OSError where there is no such process."""
    if sys.platform == "linux":
        return (PROC / str(pid)).stat().st_uid
    import psutil

    try:
        return psutil.Process(pid).uids().effective  # type: ignore[no-any-return, attr-defined, unused-ignore]
    except psutil.Error as error:
        raise ProcessLookupError(pid) from error


def variable(pid: int, name: str) -> str | None:
    """Return a variable that a process was started with; None where it has none or may not be seen."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            for entry in (PROC / str(pid) / "environ").read_bytes().split(b"\0"):
                if entry.startswith(os.fsencode(name) + b"="):
                    return os.fsdecode(entry.partition(b"=")[2])
        return None
    import psutil

    try:
        return psutil.Process(pid).environ().get(name)
    except (psutil.Error, OSError):
        return None


def _look_proc(pid: int) -> Row | None:
    try:
        text = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()  # a program's name may hold blanks and brackets
    ticks = int(fields[19])
    identity = Identity(pid, f"{_boot()}/{ticks}")
    return Row(identity, fields[0].decode("ascii"), int(fields[1]), int(fields[3]), float(ticks))


def _boot() -> str:
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:  # hidden in some sandboxes
        return "unknown"


def _look_psutil(pid: int) -> Row | None:
    import psutil

    try:
        process = psutil.Process(pid)
        begun = process.create_time()
        identity = Identity(pid, f"{begun:.2f}")
        if sys.platform == "win32":  # no zombies, and psutil walks the table for each of the others
            return Row(identity, "R", 0, 0, begun)
        states = {psutil.STATUS_ZOMBIE: "Z", psutil.STATUS_DEAD: "X", psutil.STATUS_STOPPED: "T"}
        with process.oneshot():
            return Row(identity, states.get(process.status(), "R"), process.ppid(), os.getsid(pid), begun)
    except (psutil.Error, OSError):
        return None
