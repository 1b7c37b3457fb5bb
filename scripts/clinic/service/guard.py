"""Who watches the server, and what it is about: told to `status` by a small file, held by a lock.

The lock lives as long as the monitor does; the file says what the lock cannot. A monitor is asked to end by another
file, as a wrapped server is: it works on every system, from every terminal and from none.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from clinic.errors import BusyError, FailedError, RefusedError
from clinic.service import identity, memory, pidfile, stopping
from clinic.service.table import Identity

if TYPE_CHECKING:
    from clinic.settings import Settings

Phase = Literal["starting", "watching", "waiting", "blocked", "resting"]
_SENTRY, _REQUEST = "-monitor.json", "-monitor.stop"
_ENDING = 15.0  # seconds beyond stop_timeout that a monitor gets to end


@dataclass(frozen=True)
class Sentry:
    """The monitor, as others see it. `since` and `next_try` are times of the wall clock, 0 for none.

    `supervised` says that the system's own supervisor started it.
    """

    pid: int
    started: str
    since: float
    supervised: bool = False
    phase: Phase = "starting"
    message: str = ""
    hint: str = ""
    next_try: float = 0.0

    def as_json(self) -> dict[str, object]:
        """Return it as `status` shows it."""
        left = max(0.0, round(self.next_try - time.time(), 1)) if self.next_try else None
        known = {"pid": self.pid, "phase": self.phase, "message": self.message, "hint": self.hint}
        return {**known, "next_try_seconds": left}


@contextlib.contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Be the one monitor of this server. Raises BusyError that says who is."""
    held = memory.locked(settings, "-monitor.lock", "keep-alive")
    try:
        held.__enter__()
    except BusyError as error:
        raise _watched_already(settings, error) from error
    try:
        yield
    finally:
        memory.remove(settings, _SENTRY)
        held.__exit__(None, None, None)


def _watched_already(settings: Settings, error: BusyError) -> BusyError:
    there = sentry(settings)
    if there is None:
        return BusyError("watched-already", f"Another monitor watches this server. {error.message}", "invoke status")
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(there.since))
    told = f"Process {there.pid} watches this server since {since}."
    return BusyError("watched-already", told, "invoke keep-alive --stop")


def sentry(settings: Settings) -> Sentry | None:
    """Find the monitor that watches; None where none does."""
    for data, owner in memory.read(settings, _SENTRY):
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            there = Sentry(**json.loads(data))
            process = Identity(int(there.pid), str(there.started))
            if identity.alive(process) and pidfile.may_name(owner, process.pid):
                return there
    return None


def requested(settings: Settings) -> Callable[[], bool]:
    """Return how the monitor, this process, finds out that it was asked to end; a request is obeyed once."""
    mine = _name(identity.identify(os.getpid())).encode()

    def look() -> bool:
        for data, owner in memory.read(settings, _REQUEST):
            if data == mine and pidfile.may_name(owner, os.getpid()):
                memory.remove(settings, _REQUEST)
                return True
        return False

    return look


def end(settings: Settings, there: Sentry) -> None:
    """Ask a monitor to end as by Ctrl+C, and wait until it is gone.

    Raises RefusedError where it cannot be asked, FailedError where it lives on.
    """
    process = Identity(there.pid, there.started)
    try:
        memory.write(settings, _REQUEST, _name(process).encode())
    except OSError as error:
        path = memory.place(settings, _REQUEST)
        raise RefusedError(
            "records-not-writable",
            f"Process {there.pid} cannot be asked to end: {path} cannot be written ({error.strerror}).",
            f"make {path.parent} writable",
        ) from error
    try:
        gone = identity.wait_gone(process, settings.service.stop_timeout + _ENDING)
    finally:
        memory.remove(settings, _REQUEST)
    if not gone:
        raise FailedError(
            "monitor-lives-on",
            f"Process {there.pid}, which watches the server, was asked to end and still runs.",
            stopping.force_command(there.pid),
        )


def _name(process: Identity | None) -> str:
    return f"{process.pid} {process.started}" if process else ""


class Post:
    """Where the monitor says what it is about; written only when that changes."""

    def __init__(self, settings: Settings, *, supervised: bool = False) -> None:
        me = identity.identify(os.getpid()) or Identity(os.getpid(), "")
        self._settings = settings
        self._base = {"pid": me.pid, "started": me.started, "since": time.time(), "supervised": supervised}
        self._said: Mapping[str, object] = {}

    def say(self, phase: Phase, message: str = "", hint: str = "", seconds: float | None = None) -> None:
        """Say it; a disk that is full is no reason not to watch."""
        next_try = time.time() + seconds if seconds is not None else 0.0
        new = {"phase": phase, "message": message, "hint": hint, "next_try": round(next_try)}
        if new == self._said:
            return
        self._said = new
        text = json.dumps(asdict(Sentry(**{**self._base, **new})))  # type: ignore[arg-type]
        with contextlib.suppress(OSError):
            memory.write(self._settings, _SENTRY, text.encode("utf-8", "backslashreplace"))
