"""The process table: who runs, since when, below whom.

On Linux it is read from /proc, where a start is counted in ticks since a named boot, which no clock change
moves. Elsewhere psutil's creation time serves.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Identity:
    """A process. `started` is "<boot id>/<ticks>" on Linux, else the creation time in seconds since 1970."""

    pid: int
    started: str


@dataclass(frozen=True)
class Row:
    """One process of the process table. `begun` orders starts on this machine; `session` is 0 on Windows."""

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


def everyone() -> list[Row]:
    """Return every process that may be seen."""
    if sys.platform == "linux":
        pids = [int(entry) for entry in os.listdir(PROC) if entry.isdecimal()]  # noqa: PTH208
    else:
        import psutil

        pids = psutil.pids()
    return [row for row in map(look, pids) if row is not None]


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

    states = {psutil.STATUS_ZOMBIE: "Z", psutil.STATUS_DEAD: "X", psutil.STATUS_STOPPED: "T"}
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            begun = process.create_time()
            state = states.get(process.status(), "R")
            parent = process.ppid()
        session = 0
        if sys.platform != "win32":
            session = os.getsid(pid)
    except (psutil.Error, OSError):
        return None
    return Row(Identity(pid, f"{begun:.2f}"), state, parent, session, begun)
