"""One start: spawn, write the pid file, wait for the first healthy answer - or say why there was none.

Whatever goes wrong on the way, Ctrl+C included, the process is ended and the pid file removed again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from clinic.errors import FailedError, RefusedError
from clinic.service import jobs, logs, memory, pidfile, process, stopping, windowless, wrapping
from clinic.service.pidfile import Record
from clinic.service.table import Identity, command, near

if TYPE_CHECKING:
    from pathlib import Path

    from clinic.service.health import Answer
    from clinic.service.readiness import OnWait
    from clinic.service.reasons import Reason
    from clinic.settings import Settings


_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE})


@dataclass(frozen=True)
class With:
    """What to start with. `stopgap` names the makeshift that serves instead of the managed environment."""

    python: Path
    venv: Path
    mode: str = "debug"
    stopgap: str = ""


@dataclass(frozen=True)
class Launched:
    """A server that answered."""

    child: process.Child
    record: Record
    answer: Answer


def refuse_impossible(settings: Settings, given: With) -> None:
    """Raise RefusedError for what cannot start at all, before anything is touched."""
    folder = settings.service.cwd
    if not folder.is_dir():
        raise RefusedError(
            "cwd-missing",
            f"The service's folder {folder} is not there, or is no folder.",
            "set clinic.service.cwd in invoke.yaml",
        )
    if any("{python}" in part for part in settings.service.command) and not given.python.exists():
        raise RefusedError("python-missing", f"There is no interpreter at {given.python}.", "invoke diagnose")


def refuse_without_log(settings: Settings) -> None:
    """Raise RefusedError where the server's log can't be opened, before the old server is ended."""
    os.close(_open_log(settings)[0])


def start(settings: Settings, given: With, on_wait: OnWait = None, **more: object) -> Launched:
    """Start the server and return the moment it is healthy; the caller holds the lock and cleared the way.

    `more` is remembered from the start's beginning on. `on_wait` is called with the seconds waited so far, about a
    hundred times a second. Raises FailedError with the log's own reason when it dies or is not healthy within
    `start_timeout`.
    """
    launch, child = os.urandom(8).hex(), None
    log, note = _open_log(settings)
    planned = _record(settings, given, pidfile.UNBORN, launch, os.fstat(log).st_size)
    facts = {"mode": given.mode, "launch": launch, "stopgap": given.stopgap, "ends_with_job": False, **more}
    # Before the spawn: if we are killed right after it, the server is found by its launch id.
    said = [note, memory.keep(settings, wanted="up", last_reason="", record=_text(settings, planned), **facts)]
    try:
        with contextlib.ExitStack() as after:
            after.callback(os.close, log)
            child = _spawn(settings, given, launch, log)
        if jobs.ENDS_WITH_JOB in child.notes:
            memory.keep(settings, ends_with_job=True)
        record = replace(planned, server=child.identity, leader=child.identity)
        launched = _see_through(settings, child, record, said, on_wait)
    except BaseException as error:
        if child:
            _abandon(settings, child, launch)
        why = error.message if isinstance(error, FailedError) else "the start was interrupted"
        memory.keep(settings, last_reason=why, record="")
        raise
    child.notes += tuple(filter(None, dict.fromkeys(said)))
    return launched


def _open_log(settings: Settings) -> tuple[int, str]:
    """Open the log; on a disk that takes none the server runs without, and a note says so."""
    try:
        return logs.open_for_append(settings.service.log_file), ""
    except RefusedError as error:
        if not isinstance(error.__cause__, OSError) or error.__cause__.errno not in _DISK:
            raise
        return os.open(os.devnull, os.O_WRONLY), f"{error.message} What the server writes is lost."


def _spawn(settings: Settings, given: With, launch: str, log: int) -> process.Child:
    python, note = windowless.choose(given.python, given.mode)
    service = settings.service
    argv = service.argv(python, given.venv, settings.root)
    stamp = time.strftime("%Y-%m-%d %H:%M:%S%z")
    with contextlib.suppress(OSError):  # a full disk shows itself elsewhere
        os.write(log, f"=== {stamp} start {launch} ({given.mode}): {' '.join(argv)}\n".encode("utf-8", "replace"))
    env = process.surroundings(service.variables, launch, given.mode, service.host, service.port)
    env |= wrapping.told(settings, launch)
    child = process.spawn(wrapping.wrapped(service.command, argv), cwd=service.cwd, env=env, log=log)
    return replace(child, notes=(*child.notes, note)) if note else child


def _record(settings: Settings, given: With, process: Identity, launch: str, log_start: int) -> Record:
    return Record(
        server=process,
        leader=process,
        launch=launch,
        port=settings.service.port,
        mode=given.mode,
        python=str(given.python),
        venv=str(given.venv),
        stopgap=given.stopgap,
        log_start=log_start,
    )


def _see_through(
    settings: Settings, child: process.Child, record: Record, said: list[str], on_wait: OnWait
) -> Launched:
    said += inscribe(settings, record)
    from clinic.service import health, readiness  # while the server boots

    health.warm_up()
    answer = readiness.await_healthy(settings, record, lambda seconds: child.wait(seconds) is not None, on_wait)
    if answer is None:
        raise _died(settings, record, child.wait(0))
    if not answer.healthy:
        raise _late(settings, record, answer)
    record = replace(record, server=serving(child.identity, answer.pid), ready=True, signs=answer.launch is not None)
    said += inscribe(settings, record)
    return Launched(child, record, answer)


def inscribe(settings: Settings, record: Record) -> list[str]:
    """Remember the pid file's text and write it; returns what is to be said where that did not go as usual."""
    said = [memory.keep(settings, record=_text(settings, record))]
    path = settings.service.pid_file
    try:
        pidfile.write(path, record)
    except OSError as error:
        said.append(f"{path} could not be written ({error.strerror}). The server runs all the same.")
    return said


def _text(settings: Settings, record: Record) -> str:
    place = os.path.abspath(settings.service.pid_file)  # noqa: PTH100 - links kept
    return pidfile.dump(replace(record, place=place)).decode("utf-8", "surrogateescape")


def serving(leader: Identity, said: int | None = None, *, windows: bool = os.name == "nt") -> Identity:
    """Find the process that serves: on Windows an environment's python.exe starts the base's as its child.

    `said` is the pid that its answer names; the server knows best, if it is a child that could be.
    """
    if not windows:
        return leader
    words = command(leader.pid)[1:]
    children = stopping.family(near([leader.pid]), leader)
    children.sort(key=lambda child: child.pid != said)
    return next((child for child in children if words and command(child.pid)[1:] == words), leader)


def _abandon(settings: Settings, child: process.Child, launch: str) -> None:
    """End a start that failed, with all that it started, and remove its pid file."""
    grace = settings.service.stop_timeout
    try:
        stopping.end(child.identity, grace, wrapping.asking(settings, launch))
        stopping.end_all(stopping.orphans(child.identity, launch), grace)
    except KeyboardInterrupt:  # asked twice: no more patience
        stopping.end(child.identity, 0)
        raise
    finally:
        child.wait(0)
        child.release()
    with contextlib.suppress(OSError):
        pidfile.clear(settings.service, memory.folder(settings))


def _died(settings: Settings, record: Record, code: int | None) -> FailedError:
    from clinic.service.reasons import exit_words

    reason, unreadable = _reason(settings, record, code)
    how = exit_words(code) if code is not None else "it ended"
    if reason is None:
        return FailedError("start-failed", f"The server ended while starting ({how}).{unreadable}", "invoke logs")
    return FailedError(reason.code, f"The server ended while starting ({how}): {reason.message}.", reason.hint)


def _late(settings: Settings, record: Record, answer: Answer) -> FailedError:
    reason, unreadable = _reason(settings, record, None)
    told = f" Its log says: {reason.message}." if reason else unreadable or " Its log gives no reason."
    message = f"No healthy answer from {settings.service.url} within {settings.service.start_timeout:g} s"
    return FailedError(
        "start-timeout",
        f"{message}: {answer.reason}.{told} It was ended again.",
        "invoke logs; a slow service needs a larger clinic.service.start_timeout",
    )


def _reason(settings: Settings, record: Record, code: int | None) -> tuple[Reason | None, str]:
    """Find the reason in what this start wrote; if the log can't be read, a sentence that says so."""
    from clinic.service import reasons

    try:
        text = logs.since(settings.service.log_file, record.log_start)
    except RefusedError as error:
        return None, f" {error.message}"
    own = text.partition("\n")[2] if text.startswith("=== ") else text  # without the line that we wrote ourselves
    return reasons.reason(own, code, reasons.own_modules(settings.service)), ""
