"""start, stop, restart and status of the one server: what the commands call."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from clinic import fs
from clinic.errors import FailedError, RefusedError
from clinic.service import find, identity, launch, memory, pidfile, ports, stopping, wrapping
from clinic.service.launch import With

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clinic.service.pidfile import Reading, Record
    from clinic.service.readiness import OnWait
    from clinic.service.status import Status as Status  # noqa: PLC0414 - part of this room's door
    from clinic.settings import Settings

__all__ = ["complete", "restart", "start", "status", "stop", "withdraw"]

_LACKING = frozenset({"missing", "stale"})
_LINGERING = 125.0  # seconds; Linux keeps a connection for 60 s in TIME_WAIT, and for 60 s in FIN_WAIT2 before that
_LOOK_AGAIN = 0.25  # seconds
_STOP_PATIENCE = 10.0  # seconds beyond stop_timeout that `stop` waits for a start to give way


def status(settings: Settings) -> Status:
    """Look at process, answer and port; changes nothing. Lasts as long as one health check at most."""
    from clinic.service.status import status as look  # a start needs it only when the server boots already

    return look(settings)


def start(  # noqa: PLR0913 - each has its default, and is given by name
    settings: Settings,
    python: Path,
    venv: Path,
    *,
    mode: str | None = None,
    stopgap: str = "",
    on_wait: OnWait = None,
    unless_down: bool = False,
) -> Status:
    """Start the server unless it runs, and return the moment it is healthy (at most `start_timeout`).

    One that runs already is left alone: `changed` is False. `unless_down` is for whoever brings back what somebody
    wanted a while ago: a `stop` since then wins. Raises RefusedError when the port is a stranger's (nothing is
    touched), FailedError with the reason when it does not come up, BusyError beside another run.
    """
    given = With(python, venv, mode or memory.recall(settings).mode, stopgap)
    with _locked(settings, "start"):
        if unless_down:
            refuse_unwanted(settings)
        found = find.server(settings)
        there = _already(settings, found.record, on_wait) if found.kind == "ours" and found.record else None
        if there:
            return there
        launch.refuse_impossible(settings, given)
        return _start(settings, given, on_wait)


def stop(settings: Settings, *, grace: float | None = None) -> Status:
    """Stop the server and all that it started: asked first, forced after `grace` seconds (`stop_timeout`).

    Nothing to stop is fine, unless the pid file is something else: then the setting may name another server's.
    Raises FailedError when somebody of it lives on, RefusedError where we may not signal it.
    """
    before = memory.recall(settings).wanted
    said = [memory.keep(settings, wanted="down")]  # first, so that no monitor and no start works against us
    try:
        with _locked(settings, "stop", settings.service.stop_timeout + _STOP_PATIENCE):
            said.append(memory.keep(settings, wanted="down"))  # a start that held the lock may have written over it
            changed, notes = _stop(settings, grace)
            said.append(memory.keep(settings, wanted="down", record="", last_reason="stopped on request"))
    except RefusedError:  # it runs on: a monitor is to bring it back as before
        memory.keep(settings, wanted=before)
        raise
    return replace(status(settings), changed=changed, notes=(*filter(None, dict.fromkeys(said)), *notes))


def withdraw(settings: Settings) -> None:
    """End a server that is to give way to another: whether one is wanted stays as it is. Raises as `stop` does."""
    with _locked(settings, "stop", settings.service.stop_timeout + _STOP_PATIENCE):
        _stop(settings)


def restart(  # noqa: PLR0913 - as for start
    settings: Settings,
    python: Path,
    venv: Path,
    *,
    mode: str | None = None,
    stopgap: str = "",
    on_wait: OnWait = None,
    unless_down: bool = False,
) -> Status:
    """Stop and start under one lock; a start that is impossible anyway leaves the old server running.

    `mode` is the one of the last start when not given; `unless_down` is that of `start`. Raises as `start` and
    `stop` do.
    """
    given = With(python, venv, mode or memory.recall(settings).mode, stopgap)
    with _locked(settings, "restart"):
        if unless_down:
            refuse_unwanted(settings)
        launch.refuse_impossible(settings, given)
        launch.refuse_without_log(settings)
        refuse_in_the_way(settings)
        running = find.server(settings).record
        if running and running.port != settings.service.port:  # else the server that runs holds it
            await_port(settings)
        _, notes = _stop(settings)
        begun = _start(settings, given, on_wait)
    return replace(begun, notes=notes + begun.notes)


def refuse_unwanted(settings: Settings) -> None:
    """Raise FailedError where somebody stopped the server meanwhile. The lock is held: whoever stops has it first."""
    if memory.recall(settings).wanted == "down":
        raise FailedError("stopped-meanwhile", "The server is not wanted any more.", "invoke start")


@contextlib.contextmanager
def _locked(settings: Settings, doing: str, patience: float = 0.0) -> Iterator[None]:
    with memory.locked(settings, ".lock", doing, patience, code="service-busy"):
        fs.sweep(settings.service.pid_file, 0)
        yield


def complete(settings: Settings) -> None:
    """Write the pid file that a running server lacks, after a start that was killed or that found the disk full."""
    there = pidfile.read(settings.service).kind not in _LACKING
    if there and not fs.temporaries(settings.service.pid_file):
        return  # no lock is needed to find that nothing has to be done
    with _locked(settings, "start", _STOP_PATIENCE):
        found = find.server(settings)
        if found.kind == "ours" and found.record:
            _inscribe(settings, found.record)


def _inscribe(settings: Settings, record: Record) -> None:
    if pidfile.read(settings.service).kind in _LACKING:
        launch.inscribe(settings, record)  # deleted, or never written; other people's scripts go by it


def _already(settings: Settings, record: Record, on_wait: OnWait) -> Status | None:
    """Leave a running server alone, wait for one that is still starting; None when it has ended meanwhile."""
    _inscribe(settings, record)
    memory.keep(settings, wanted="up")
    now = status(settings)
    if now.state == "starting":
        from clinic.service import readiness

        readiness.adopted(settings, record, on_wait)
        now = status(settings)
    if now.state == "running":
        return now
    if not identity.alive(record.server):
        return None
    told = now.health.reason if now.health else now.state
    raise FailedError(
        "server-hung",
        f"The server runs already (process {record.server.pid}) but is not healthy: {told}.",
        "invoke restart",
    )


def _start(settings: Settings, given: With, on_wait: OnWait) -> Status:
    """Clear the way, start, and say what came of it. The lock is held."""
    notes = clear_way(settings)
    notes += await_port(settings, on_wait)
    begun = launch.start(settings, given, on_wait, restarts=0)
    from clinic.service.status import Status, surroundings

    begun.child.release()
    pid, known = begun.record.server.pid, memory.recall(settings)
    return Status(
        "running",
        wanted="up",
        pid=pid,
        uptime_seconds=identity.uptime(begun.record.server),
        restarts=known.restarts,
        mode=given.mode,
        stopgap=given.stopgap or None,
        health=begun.answer,
        environment=surroundings(begun.record),
        port_holder=ports.described(pid, {pid}),
        changed=True,
        notes=notes + begun.child.notes,
    )


def refuse_in_the_way(settings: Settings) -> None:
    """Raise RefusedError where something lies in the pid file's place that is not ours to move."""
    if what := pidfile.in_the_way(settings.service):
        raise RefusedError(
            "pid-file-in-the-way",
            f"clinic.service.pid_file names something else: {what}. Nothing was touched.",
            "set clinic.service.pid_file in invoke.yaml to a path of its own",
        )


def clear_way(settings: Settings) -> tuple[str, ...]:
    """End what a dead server left behind and put its pid file away, or refuse where it is not ours."""
    refuse_in_the_way(settings)
    found = find.server(settings)
    left = find.orphans(settings, found)
    if left:
        stopping.end_all(left, settings.service.stop_timeout)
    path = settings.service.pid_file
    notes = tuple(f"Ended process {each.pid}, left by an earlier server." for each in left)
    try:
        cleared = pidfile.clear(settings.service, memory.folder(settings))
    except OSError as error:  # it names nobody, and what the server is known by is remembered too
        return (*notes, f"{path} is of an earlier server and could not be put away: {error.strerror}.")
    if not cleared:
        raise RefusedError("pid-file-foreign", f"{found.why}.", f"look at it, then delete {path}")
    return notes


def refuse_start(settings: Settings, python: Path, venv: Path) -> None:
    """Raise the refusals of `start` and `restart` that can be foreseen while nothing is touched."""
    launch.refuse_impossible(settings, With(python, venv))
    refuse_in_the_way(settings)
    service, found = settings.service, find.server(settings)
    keeps_port = found.kind == "ours" and found.record and found.record.port == service.port
    if not keeps_port and not ports.is_free(service.host, service.port):
        left = {each.pid for each in find.orphans(settings, found)}
        holder = ports.holder(service.port, left)
        if holder and not holder.ours:
            raise _port_taken(service.port, holder)


def _port_taken(port: int, holder: ports.Holder) -> RefusedError:
    return RefusedError(
        "port-taken",
        f"Port {port} is taken by {holder}. Nothing was started, and it was not touched.",
        "end it, or set clinic.service.port in invoke.yaml to another port",
    )


def await_port(settings: Settings, on_wait: OnWait = None) -> tuple[str, ...]:
    """Wait until the port can be bound, if only connections of a server that has ended keep it; returns notes.

    Raises RefusedError where somebody listens on it, FailedError where a `stop` came in between.
    """
    service, begun, waited = settings.service, time.monotonic(), 0.0
    while not ports.is_free(service.host, service.port):
        if holder := ports.held_by(service.port):
            raise _port_taken(service.port, holder)
        if not waited:
            memory.keep(settings, wanted="up")  # from now on a `stop` shows
        refuse_unwanted(settings)
        if waited > _LINGERING:
            raise RefusedError(
                "port-closing",
                f"Port {service.port} can't be bound: nobody listens on it, but connections that use it are still"
                f" open or closing after {waited:.0f} s. Nothing was started.",
                "invoke start, in a minute; or let the service set SO_REUSEADDR",
            )
        if on_wait:
            on_wait(waited)
        time.sleep(_LOOK_AGAIN)  # the kernel tells nobody that a connection is gone
        waited = time.monotonic() - begun
    if waited < 1:
        return ()
    told = (
        f"Port {service.port} could be bound only after {waited:.0f} s, because connections of the server before were"
    )
    return (f"{told} still closing (TIME_WAIT). A service that sets SO_REUSEADDR need not wait.",)


def _stop(settings: Settings, grace: float | None = None) -> tuple[bool, tuple[str, ...]]:
    """End our server or its remains; returns whether there was any, and notes. The lock is held."""
    found = find.server(settings)
    patience = settings.service.stop_timeout if grace is None else grace
    if found.kind == "ours" and found.record:
        memory.keep(settings, ended=found.record.launch)  # before it ends: a monitor counts it as a death otherwise
        leader = found.record.leader
        targets = [leader if identity.alive(leader) else found.record.server]
        ask = wrapping.asking(settings, found.record.launch)
        ended = _permitted(settings, lambda: stopping.end(targets[0], patience, ask))
    else:
        targets = find.orphans(settings, found)
        if not targets:
            refuse_in_the_way(settings)
        ended = _permitted(settings, lambda: stopping.end_all(targets, patience))
    if ended.left:
        pids = ", ".join(str(each.pid) for each in ended.left)
        hint = f"look at it: {stopping.look_command(ended.left[0].pid)}"
        raise FailedError("cannot-stop", f"Process {pids} lives on although it was killed.", hint)
    cleared = _put_away(settings, found)
    notes: tuple[str, ...] = ("It did not end when asked; it was forced.",) if ended.forced else ()
    if found.kind == "foreign":
        notes += (f"{found.why}; it was not touched.",)
    return bool(targets) or cleared, notes


def _put_away(settings: Settings, found: Reading) -> bool:
    """Remove the pid file of what has ended; one that names somebody alive, without proof, stays."""
    if found.kind == "foreign" and found.record is None:
        return False
    there = os.path.lexists(settings.service.pid_file)
    with contextlib.suppress(OSError):  # it names nobody any more
        return there and pidfile.clear(settings.service, memory.folder(settings))
    return False


def _permitted(settings: Settings, ending: Callable[[], stopping.Ended]) -> stopping.Ended:
    try:
        return ending()
    except (PermissionError, RefusedError) as error:
        memory.keep(settings, ended="")  # it lives on, and its death is one
        if isinstance(error, RefusedError):
            raise
        raise RefusedError(
            "not-permitted",
            f"This user may not signal the server: {error.strerror}.",
            "stop it as the user who started it",
        ) from error
