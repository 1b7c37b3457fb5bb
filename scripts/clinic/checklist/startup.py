"""The group *Server startup*: started as people start it, and found where it should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clinic import proc
from clinic.anatomy import layout
from clinic.checklist import Checklist, Subject, Told

NO_SERVER = "no server runs, and the quick checks start none"


def run(todo: Checklist, subject: Subject | None, start: Callable[[], proc.Completed] | str, venv: Path) -> None:
    """Try all of it. `start` starts the shadow, or says why none is started."""
    todo.run("startup.starts", lambda: starts(start if isinstance(start, str) else start()))
    attempts: tuple[tuple[str, Callable[[Subject], Told]], ...] = (
        ("startup.pid-file", pid_file),
        ("startup.log", log_lines),
        ("startup.visible", lambda who: visible(who, venv)),
    )
    for name, attempt in attempts:
        todo.run(name, on(subject, attempt))


def on(subject: Subject | None, attempt: Callable[[Subject], Told]) -> Callable[[], Told]:
    """An attempt on a server, where there is one."""
    if subject is None:
        return lambda: ("skip", NO_SERVER)
    return lambda: attempt(subject)


def starts(started: proc.Completed | str) -> Told:
    """`startup.starts`: the exit code of the start."""
    if isinstance(started, str):
        return "skip", started
    if started.ok:
        return "pass", f"exit code 0 after {started.seconds:.2f} s"
    return "fail", f"exit code {started.code}: {reason_in(started)}"


def reason_in(started: proc.Completed) -> str:
    """What a command of the server says of its failure."""
    try:
        told: Any = json.loads(started.stdout)
        return "; ".join(f"{error['message']} ({error['hint']})" for error in told["errors"])
    except (ValueError, KeyError, TypeError):
        return (started.reason or started.stderr.strip() or started.stdout.strip())[-300:]


def pid_file(who: Subject) -> Told:
    """`startup.pid-file`: the file is there and names that very process."""
    from clinic.service import manager

    path = who.settings.service.pid_file
    status = manager.status(who.settings)
    try:
        first = path.read_text(encoding="utf-8").split()[0]
    except (OSError, UnicodeDecodeError, IndexError) as error:
        return "fail", f"{path}: {error}"
    if status.pid is None or first != str(status.pid):
        return "fail", f"{path} names {first}, the server is process {status.pid} ({status.state})"
    return "pass", f"process {status.pid} ({who.said})"


def log_lines(who: Subject) -> Told:
    """`startup.log`: the server's start-up lines are there, and no pyvenv.cfg error."""
    text = log_since_start(who.settings.service.log_file)
    if broken := cfg_complaint(text):
        return "fail", f"{who.settings.service.log_file}: {broken}"
    marks = ("Uvicorn running on", "Application startup complete")
    found = next((line.strip() for line in text.splitlines() if any(mark in line for mark in marks)), None)
    if found:
        return "pass", f"{found} ({who.said})"
    if "uvicorn" in who.settings.service.command:
        return "fail", f"{who.settings.service.log_file} holds no start-up line"
    first = next((line.strip() for line in text.splitlines() if line.strip()), None)
    return ("pass", f"{first[:100]} ({who.said})") if first else ("skip", "this service writes nothing when it starts")


def log_since_start(path: Path) -> str:
    """The end of the log, from the last server start that it tells of."""
    from clinic.service.logs import tail

    lines = tail(path, 2000)
    starts = [number for number, line in enumerate(lines) if line.startswith("=== ") and " start " in line]
    return "\n".join(lines[starts[-1] + 1 :] if starts else lines)


def cfg_complaint(text: str) -> str | None:
    """A line about pyvenv.cfg, whatever its language: the file's name and the launcher's stems are not translated."""
    stems = ("pyvenv.cfg", "No Python at", "no home= specified", "did not find executable at")
    return next((line.strip() for line in text.splitlines() if any(stem in line for stem in stems)), None)


def visible(who: Subject, venv: Path) -> Told:
    """`startup.visible`: in the process table, running the managed environment's interpreter."""
    import psutil

    from clinic.service import manager

    pid = manager.status(who.settings).pid
    if pid is None:
        return "fail", "no process is known to be the server"
    process = psutil.Process(pid)
    # On Windows the environment's python.exe is a launcher: the server is its child.
    for candidate in (process, *process.parents()[:1]):
        command = candidate.cmdline()
        if command and Path(command[0]).parent == layout.python_in(venv).parent:
            return "pass", f"process {pid} runs {command[0]} ({who.said})"
    return "fail", f"process {pid} runs {' '.join(process.cmdline()[:1])}, not {layout.python_in(venv)}"
