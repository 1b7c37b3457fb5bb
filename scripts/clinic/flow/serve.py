"""The server's life as commands: start, stop, restart, status, logs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinic.anatomy import layout
from clinic.errors import ClinicError, FailedError, RefusedError
from clinic.flow.interruption import server_told
from clinic.flow.patient import Patient, judge, patient
from clinic.model import OutcomeWord, Result
from clinic.remedies import stopgap
from clinic.settings import Settings

if TYPE_CHECKING:
    from clinic.service.status import Status

Venv = str | Path | None


def start_server(settings: Settings, venv: Venv = None, *, dry_run: bool = False) -> Result:
    """Start the server from the environment, and wait for its first healthy answer."""
    from clinic.service import find, manager, memory

    who = patient(settings, venv)
    if find.server(settings).kind == "ours" and (now := manager.status(settings)).state == "running":
        refuse_another_environment(who, now, venv)
        if not dry_run:  # a killed start, or a person, may have left no pid file
            manager.complete(settings)
            if now.wanted != "up":  # a stop was interrupted
                memory.keep(settings, wanted="up")
        return _told("start", now, "unchanged", 0, settings)
    manager.refuse_in_the_way(settings)
    recovered = () if dry_run else recovered_first(who)
    _refuse_a_start_that_cannot_work(who)
    python = layout.python_in(who.venv)
    if dry_run:
        manager.refuse_start(settings, python, who.venv)
        argv = settings.service.argv(python, who.venv, settings.root)
        return Result("start", "planned", 0, {**manager.status(settings).as_json(), "plan": [" ".join(argv)]})
    try:
        with server_told(settings):
            status = manager.start(settings, python, who.venv)
    except FailedError as error:
        raise _explained(who, error) from error
    if not status.stopgap:
        stopgap.ended(settings)
    return _told("start", status, "healthy" if status.changed else "unchanged", 0, settings, recovered)


def recovered_first(who: Patient) -> tuple[str, ...]:
    """What became of a repair that was killed: the server is to run from the environment before it, or after it."""
    if not who.records.interrupted(who.venv):
        return ()
    from clinic.flow.repair import recover_first

    return recover_first(who)


def refuse_another_environment(who: Patient, now: Status, asked: Venv) -> None:
    """Of a server that runs already: it stays where it is, and whoever named another environment is told so."""
    runs = (now.environment or {}).get("venv")
    if asked is None or runs is None or now.stopgap or Path(runs).resolve() == who.venv.resolve():
        return
    raise RefusedError(
        "other-environment",
        f"The server runs already, from {runs} and not from {who.venv}. Nothing was changed.",
        f"invoke restart{who.flags}",
    )


def _refuse_a_start_that_cannot_work(who: Patient) -> None:
    """On POSIX an environment without its cfg would start as its base: better no server than one from elsewhere.

    Nor is another user's code run.
    """
    from clinic.checks import examine

    fatal = [finding for finding in examine(who.glance()) if finding.severity == "fatal"]
    if fatal:
        from clinic import plan

        cure = next(iter(fatal[0].cured_by), "diagnose")
        raise RefusedError(
            fatal[0].code,
            f"The server cannot run from {who.venv}: {fatal[0].evidence[0]}. Nothing was started.",
            f"{plan.command('heal' if cure == 'relink' else cure)}{who.flags}",
        )


def _explained(who: Patient, error: FailedError) -> ClinicError:
    """If the environment is to blame, its first finding says more than the log of a server that died of it."""
    from clinic import plan

    try:
        diagnosis = judge(who, who.look())
    except RefusedError:  # what may not be run can't be blamed
        return error
    sick = [finding for finding in diagnosis.findings if finding.severity != "advice"]
    if not sick:
        return error
    return FailedError(
        sick[0].code,
        f"{error.message} The environment is the cause: {sick[0].evidence[0]}.",
        f"{plan.way_out(diagnosis.options)}{who.flags}",
    )


def stop_server(settings: Settings, *, dry_run: bool = False) -> Result:
    """Stop the server, gracefully and then by force; nothing running is fine."""
    from clinic.service import manager

    now = manager.status(settings)
    if dry_run:
        if not now.pid:
            manager.refuse_in_the_way(settings)
        plan = [f"stop process {now.pid}"] if now.pid else []
        return Result("stop", "planned", 0, {**now.as_json(), "plan": plan})
    with server_told(settings):
        status = manager.stop(settings)
    return _told("stop", status, "healthy" if status.changed else "unchanged", 0, settings)


def restart_server(settings: Settings, venv: Venv = None, *, dry_run: bool = False) -> Result:
    """Stop, then start; refused before the stop where the start can't work."""
    from clinic.service import manager

    who = patient(settings, venv)
    manager.refuse_in_the_way(settings)
    recovered = () if dry_run else recovered_first(who)
    _refuse_a_start_that_cannot_work(who)
    if dry_run:
        manager.refuse_start(settings, layout.python_in(who.venv), who.venv)
        return Result("restart", "planned", 0, {**manager.status(settings).as_json(), "plan": ["stop", "start"]})
    try:
        with server_told(settings):
            status = manager.restart(settings, layout.python_in(who.venv), who.venv)
    except FailedError as error:
        raise _explained(who, error) from error
    if not status.stopgap:
        stopgap.ended(settings)
    return _told("restart", status, "healthy", 0, settings, recovered)


def server_status(settings: Settings) -> Result:
    """Process and answer as two truths; exit code 0 only when the server is healthy."""
    from clinic.checklist.cleanup import leftovers
    from clinic.service import manager

    status = manager.status(settings)
    healthy = status.state == "running"
    left = tuple(f"Left by a validate that was killed: {each}. The next one removes it." for each in leftovers())
    return _told("status", status, "healthy" if healthy else "sick", int(not healthy), settings, left)


def watch_status(settings: Settings, show: Callable[[Result], float]) -> Result:
    """Look again and again until Ctrl+C; `show` shows a look and returns the seconds until the next one."""
    import threading

    pause, result = threading.Event(), server_status(settings)
    with contextlib.suppress(KeyboardInterrupt):
        while not pause.wait(show(result)):
            result = server_status(settings)
    return result


def _told(
    command: str, status: Status, word: OutcomeWord, code: int, settings: Settings, notes: tuple[str, ...] = ()
) -> Result:
    service = settings.service
    data: dict[str, Any] = {**status.as_json(), "url": service.url, "log_file": service.log_file}
    if command == "status" and code:
        from clinic.service.logs import excerpt

        data["log_tail"] = excerpt(service.log_file, 10)
    return Result(command, word, code, data, notes=(*notes, *status.notes))


def logs(settings: Settings, *, lines: int, follow: bool, write: Callable[[str], None]) -> Result:
    """The last lines of the server's log through `write`; with `follow`, new ones as they come, until Ctrl+C."""
    from clinic.service import logs as log

    path = settings.service.log_file
    if lines < 0:
        raise RefusedError("bad-lines", f"--lines {lines}: a number of lines is 0 or more.", "invoke logs --lines 50")
    if log.is_missing(path):
        raise _no_log(settings)
    if not follow:
        return Result("logs", "healthy", 0, {"log_file": path, "lines": log.tail(path, lines)})
    with contextlib.suppress(KeyboardInterrupt):
        for line in log.follow(path, lines):
            write(line)
    return Result("logs", "healthy", 0, {"log_file": path})


def _no_log(settings: Settings) -> RefusedError:
    from clinic.service import memory

    missing = f"There is no log at {settings.service.log_file}:"
    if memory.recall(settings).launch:
        why = "it was moved or deleted, clinic.service.log_file was changed, or the disk was full"
        return RefusedError("no-log", f"{missing} since the last start {why}.", "invoke restart")
    return RefusedError("no-log", f"{missing} the server has not been started yet.", "invoke start")
