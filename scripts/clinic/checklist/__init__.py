"""The validation checklist (README, A tour): each id is really tried, or skipped with the reason.

What would disturb the live server is tried on a shadow: the same command from the same environment, with a port, a
pid file, a log and records of its own, started through the very script that people type.

    startup  health  environment     the server and its environment
    native                           that the server outlives the terminal and the editor it was started from
    keepalive                        that the monitor watches, restarts, and ends as it should
    shadow                           a second server to try all this on
    stage                            a terminal or an editor-like tree of processes, played by `actors.py`, on Windows
                                     by `console_host.py`
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from clinic.model import CheckResult, CheckStatus
from clinic.settings import Settings

GROUPS = {
    "startup": "Server startup",
    "health": "Health endpoint",
    "venv": "Virtual environment",
    "native": "Native background process",
    "keepalive": "Keep-alive",
}
TITLES = {
    "startup.starts": "server_manager.py starts the server",
    "startup.pid-file": "the pid file names the server's process",
    "startup.log": "the log holds the start-up lines",
    "startup.visible": "the process runs the environment's interpreter",
    "health.responds": "the health URL answers",
    "health.status-200": "with the expected status",
    "health.body": "and the expected body",
    "venv.cfg": "pyvenv.cfg is there and true",
    "venv.runs": "its python runs the service's module",
    "venv.no-cfg-errors": "nothing complains of pyvenv.cfg",
    "venv.matches-lock": "what is installed is what the lock pins",
    "native.survives-terminal": "the server outlives the terminal it was started from",
    "native.survives-editor": "the server outlives the editor it was started from",
    "native.detached": "parent, session and terminal are not the launcher's",
    "keepalive.monitors": "the monitor starts and reports healthy",
    "keepalive.interval": "health checks come at the interval",
    "keepalive.restarts": "after a kill -9 the server answers again, with a new pid",
    "keepalive.graceful": "Ctrl+C stops monitor and server cleanly",
}
"""Every id of the checklist, in its order, with what it says of a system that passes."""

Told = tuple[CheckStatus, str]


class UnavailableError(Exception):
    """This machine lacks what a check needs; the text is the reason why it was not tried."""


@dataclass
class Checklist:
    """Collects the results; `on_start` is called with an id as it begins, `on_result` with what came of it."""

    on_result: Callable[[CheckResult], None] = lambda _result: None
    on_start: Callable[[str], None] = lambda _name: None
    results: list[CheckResult] = field(default_factory=list)

    def run(self, name: str, attempt: Callable[[], Told]) -> CheckResult:
        """Try one id. A check that fails to run has failed: its error is the evidence."""
        started = time.perf_counter()
        self.on_start(name)
        try:
            status, evidence = attempt()
        except UnavailableError as reason:
            status, evidence = "skip", str(reason)
        except Exception as error:  # noqa: BLE001 - one crashing check must not hide the others
            status, evidence = "fail", f"the check itself failed: {type(error).__name__}: {error}"
        group = GROUPS[name.partition(".")[0]]
        seconds = round(time.perf_counter() - started, 3)
        result = CheckResult(name, group, TITLES[name], status, evidence, seconds)
        self.results.append(result)
        self.on_result(result)
        return result


@dataclass(frozen=True)
class Subject:
    """A server that the checks look at: the live one, or the shadow."""

    settings: Settings
    shadow: bool

    @property
    def said(self) -> str:
        """How evidence names it."""
        where = f"port {self.settings.service.port}"
        return f"shadow server on {where}" if self.shadow else f"live server on {where}"


__all__ = ["GROUPS", "TITLES", "Checklist", "Subject", "Told", "UnavailableError"]
