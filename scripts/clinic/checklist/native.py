"""The group *Native background process*: the server outlives what it was started from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clinic.checklist import Checklist, Told, stage
from clinic.checklist.shadow import Shadow

if TYPE_CHECKING:
    from clinic.service.health import Answer
    from clinic.service.status import Status


def run(todo: Checklist, twin: Shadow) -> None:
    """Try all of it on a shadow that is not running."""
    for name, attempt in (
        ("native.survives-terminal", survives_terminal),
        ("native.survives-editor", survives_editor),
        ("native.detached", detached),
    ):
        todo.run(name, _on(twin, attempt))


def _on(twin: Shadow, attempt: Callable[[Shadow], Told]) -> Callable[[], Told]:
    """An attempt that leaves nothing running."""

    def tried() -> Told:
        try:
            return attempt(twin)
        finally:
            twin.manage("stop")

    return tried


def survives_terminal(twin: Shadow) -> Told:
    """`native.survives-terminal`: the terminal is closed, its programs are hung up, the server still answers."""
    with stage.terminal(twin.folder, twin.words("start", "--json"), closable=True) as window:
        if objection := _started(twin, window):
            return "fail", objection
        before = _status(twin)
        if not window.close():
            return "fail", "the terminal was closed, but nothing in it was hung up: this proves nothing"
    return _same_server(twin, before, f"its terminal was closed ({window.CLOSED})")


def survives_editor(twin: Shadow) -> Told:
    """`native.survives-editor`: the whole tree of processes that it was started below is killed."""
    with stage.terminal(twin.folder, twin.words("start", "--json"), below=stage.EDITOR) as window:
        if objection := _started(twin, window):
            return "fail", objection
        before = _status(twin)
        company = len(window.company())
        if left := window.kill():
            return "fail", f"{len(left)} of the {company} processes that it was started below live on: no proof"
    return _same_server(twin, before, f"the {company} processes that it was started below were killed")


def detached(twin: Shadow) -> Told:
    """`native.detached`: nothing of the launcher's - parent, session, terminal, console - is the server's as well."""
    from clinic.service.table import near

    with stage.terminal(twin.folder, twin.words("start", "--json")) as window:
        if objection := _started(twin, window):
            return "fail", objection
        pid = _status(twin).pid
        row = next((row for row in near([pid]) if row.identity.pid == pid), None) if pid else None
        if row is None:
            return "fail", "no process is known to be the server"
        facts, ties = window.ties(row)
    return ("fail" if ties else "pass"), "; ".join([f"process {pid}: {facts}", *ties])


def _started(twin: Shadow, window: stage.Terminal) -> str:
    """Why the start in a terminal went wrong; empty where it did not."""
    code = window.event("ended", twin.settings.service.start_timeout + stage.SLACK)["code"]
    return f"the start failed with exit code {code}: {window.shown()[-300:]}" if code else ""


def _status(twin: Shadow) -> Status:
    from clinic.service import manager

    return manager.status(twin.settings)


def _same_server(twin: Shadow, before: Status, happened: str) -> Told:
    now = _status(twin)
    answer: Answer | None = now.health
    if now.state != "running" or now.pid != before.pid or answer is None:
        told = answer.reason if answer else "no answer"
        return "fail", f"{happened}, and the server with it: {now.state} ({told}); it was process {before.pid}"
    return "pass", f"{happened}; process {now.pid} still answers in {answer.latency * 1000:.0f} ms"
