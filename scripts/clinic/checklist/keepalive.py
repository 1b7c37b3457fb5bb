"""The group *Keep-alive*: a monitor of its own watches a shadow server, is robbed of it, and is sent home."""

from __future__ import annotations

import itertools
import sys
from contextlib import AbstractContextManager, ExitStack
from functools import cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from clinic.checklist import Checklist, Told, shadow, stage
from clinic.checklist.shadow import Shadow
from clinic.settings import Settings

if TYPE_CHECKING:
    from clinic.service.status import Status

RECORDER = Path(__file__).with_name("recorder.py")
INTERVAL = 0.5
"""Seconds between the checks of a shadow: waiting for three live ones would take half a minute."""
CHECKS = 4
_LATE, _EARLY = 0.25, 0.05
"""By how many seconds the middle one of the gaps may miss the interval: a loaded machine is late, never early."""


def run(todo: Checklist, settings: Settings, venv: Path, mode: str) -> None:
    """Try all of it."""
    changes: dict[str, dict[str, Any]] = {"keep_alive": {"interval": INTERVAL}}
    with shadow.made(settings, venv, mode=mode, changes=changes) as twin, ExitStack() as opened:
        window = cache(lambda: opened.enter_context(watched(twin)))
        seen = todo.run("keepalive.monitors", lambda: monitors(twin, window()))
        todo.run("keepalive.interval", lambda: interval(settings, venv))
        for name, attempt in (("keepalive.restarts", restarts), ("keepalive.graceful", graceful)):
            if seen.status == "pass":
                todo.run(name, lambda attempt=attempt: attempt(twin, window()))  # type: ignore[misc]
            else:
                todo.run(name, lambda: (seen.status, "the monitor did not get as far as that"))


def watched(twin: Shadow) -> AbstractContextManager[stage.Terminal]:
    """Return a monitor in a terminal of its own."""
    return stage.terminal(twin.folder, twin.words("keep-alive"))


def _status(twin: Shadow) -> Status:
    from clinic.service import manager

    return manager.status(twin.settings)


def _running(twin: Shadow, window: stage.Terminal, but: int | None = None) -> Status | None:
    """Wait for a healthy server, as a process other than `but`; None if the monitor ends without one."""

    def healthy() -> Status | None:
        now = _status(twin)
        return now if now.state == "running" and now.pid != but else None

    limit = twin.settings.service.start_timeout + stage.SLACK
    stage.until(lambda: healthy() or window.code() is not None, limit)
    return healthy()


def monitors(twin: Shadow, window: stage.Terminal) -> Told:
    """`keepalive.monitors`: it starts the server, it still runs itself, and what it shows says healthy."""
    up = _running(twin, window)
    if up is None:
        return "fail", f"no healthy server under the monitor, which shows: {window.shown()[-300:]}"
    if not stage.until(lambda: "answers" in window.shown() or "healthy" in window.shown(), stage.SLACK):
        return "fail", f"the server is healthy, the monitor does not say so: {window.shown()[-300:]}"
    if (code := window.code()) is not None:
        return "fail", f"the monitor ended with exit code {code}"
    return "pass", f"the monitor started process {up.pid} and reports it healthy"


def interval(settings: Settings, venv: Path) -> Told:
    """`keepalive.interval`: when a service is asked is written down by the service itself."""
    said = f"at a shadow interval of {INTERVAL:g} s (the live one is {settings.keep_alive.interval:g} s)"
    with shadow.made(settings, venv, changes=_recorded()) as twin:
        file = twin.folder / "asked"
        with watched(twin) as window:
            first = len(_moments(file)) if _running(twin, window) else None
            if first is None:
                return "fail", f"the monitor did not start a stand-in service: {window.shown()[-300:]}"
            # Our own question is on the list as well: what counts comes after it.
            stage.until(lambda: len(_moments(file)) >= first + CHECKS, CHECKS * INTERVAL * 4 + 5)
            moments = _moments(file)[first:]
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    if len(gaps) < CHECKS - 1:
        return "fail", f"{len(moments)} checks came in {CHECKS * INTERVAL * 4 + 5:g} s {said}"
    middle = median(gaps)
    good = INTERVAL - _EARLY <= middle <= INTERVAL + _LATE
    return ("pass" if good else "fail"), f"{len(moments)} checks, {middle:.2f} s apart, {said}"


def _recorded() -> dict[str, dict[str, Any]]:
    # In UTF-8 mode and isolated, as our own programs are run; its answers are judged by the default expectations.
    command = [
        *(part.replace("{", "{{").replace("}", "}}") for part in (sys.executable, "-I", str(RECORDER))),
        "{host}",
        "{port}",
        "asked",
    ]
    health = {"path": "/health", "status": 200, "body": {"status": "healthy"}, "timeout": 3}
    return {
        "service": {"command": command, "cwd": ".", "health": health},
        "keep_alive": {"interval": INTERVAL},
    }


def _moments(file: Path) -> list[float]:
    try:
        return [float(line) for line in file.read_text(encoding="ascii").splitlines()]
    except FileNotFoundError:
        return []


def restarts(twin: Shadow, window: stage.Terminal) -> Told:
    """`keepalive.restarts`: the very process that serves is killed, another one answers."""
    import time

    from clinic.service import find, identity, stopping

    record = find.server(twin.settings).record
    if record is None:
        return "fail", "no process is known to be the server"
    begun = time.monotonic()
    identity.send(record.server, stopping.KILL)
    now = _running(twin, window, but=record.server.pid)
    seconds = time.monotonic() - begun
    killed = f"process {record.server.pid} was killed ({stopping.KILL_NAME})"
    if now is None:
        return "fail", f"{killed}, and no other answers after {seconds:.0f} s"
    return "pass", f"{killed}, process {now.pid} answers {seconds:.2f} s later"


def graceful(twin: Shadow, window: stage.Terminal) -> Told:
    """`keepalive.graceful`: Ctrl+C is typed; exit code 0, no pid file, nobody of the server is left."""
    from clinic.service import find, identity, stopping
    from clinic.service.table import everyone

    record = find.server(twin.settings).record
    family = [record.leader, *stopping.family(everyone(), record.leader)] if record else []
    window.ctrl_c()
    code = window.event("ended", twin.settings.service.stop_timeout + stage.SLACK)["code"]
    left = [str(each.pid) for each in family if identity.alive(each)]
    wrong = [
        *([f"exit code {code}"] if code else []),
        *([f"{twin.settings.service.pid_file} is still there"] if twin.settings.service.pid_file.exists() else []),
        *([f"process {', '.join(left)} lives on"] if left else []),
        *([] if record else ["there was no server to stop"]),
    ]
    if wrong:
        return "fail", f"after Ctrl+C: {'; '.join(wrong)}; it shows: {window.shown()[-300:]}"
    return "pass", f"Ctrl+C typed: exit code 0, no pid file, process {family[0].pid} is gone, no orphan"
