"""The monitor's own start: takes the server that is there, or starts one, and never against a `stop`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clinic.service import find, launch, manager, memory, pidfile, stopping, wrapping

if TYPE_CHECKING:
    from clinic.service import health, process
    from clinic.service.launch import With
    from clinic.service.pidfile import Record
    from clinic.service.readiness import OnWait
    from clinic.settings import Settings

_PATIENCE = 2.0  # seconds that a server that does not answer gets to end by itself


@dataclass(frozen=True)
class Revived:
    """A server to watch. `child` where we started it, else somebody did before."""

    record: Record
    child: process.Child | None = None
    answer: health.Answer | None = None
    notes: tuple[str, ...] = ()


def running(settings: Settings) -> Revived | None:
    """Find the server that is there."""
    found = find.server(settings)
    return Revived(found.record) if found.kind == "ours" and found.record else None


def revive(settings: Settings, given: With, why: str, on_wait: OnWait = None) -> Revived:
    """Start the server, unless one of ours is there by now; counted as a restart where there is a reason `why`.

    Raises FailedError ("stopped-meanwhile" when it is not wanted any more), RefusedError, BusyError.
    """
    with memory.locked(settings, ".lock", "keep-alive", code="service-busy"):
        manager.refuse_unwanted(settings)
        there = running(settings)
        if there:
            return there
        launch.refuse_impossible(settings, given)
        notes = manager.clear_way(settings)
        notes += manager.await_port(settings, on_wait)
        begun = launch.start(settings, given, on_wait)
        if why:
            memory.keep(settings, restarts=memory.recall(settings).restarts + 1, last_reason=why)
    return Revived(begun.record, begun.child, begun.answer, notes + begun.child.notes)


def end(settings: Settings, record: Record, *, answering: bool) -> stopping.Ended:
    """End a server that must be replaced. Raises BusyError, RefusedError, PermissionError."""
    grace = settings.service.stop_timeout
    with memory.locked(settings, ".lock", "keep-alive", code="service-busy"):
        ask = wrapping.asking(settings, record.launch)
        return stopping.end(record.leader, grace if answering else min(grace, _PATIENCE), ask)


def mend_pid_file(settings: Settings, record: Record) -> bool:
    """Write the pid file of a running server where it is gone or names another process; other people's scripts read it.

    Returns whether that was done.
    """
    if pidfile.read(settings.service).kind not in {"missing", "stale"}:
        return False
    return not any(launch.inscribe(settings, record))
