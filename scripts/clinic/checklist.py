"""The validation checklist (CONTRACT section 6): each id is really tried, or skipped with the reason.

What would disturb the live server is tried on a shadow: the same command from the same environment, with a port, a
pid file, a log and records of its own, started through the very script that people type.
"""

from __future__ import annotations

import json
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinic import proc
from clinic.anatomy import layout
from clinic.facts import Facts, Self
from clinic.model import CheckResult, CheckStatus, Finding
from clinic.settings import Settings, load

if TYPE_CHECKING:
    from clinic.service.health import Answer

MANAGER = Path(__file__).resolve().parents[2] / "ai" / "server_manager.py"

GROUPS = {
    "startup": "Server startup",
    "health": "Health endpoint",
    "venv": "Virtual environment",
}

Told = tuple[CheckStatus, str]


@dataclass
class Checklist:
    """Collects the results; `on_result` is called with each as it comes in."""

    on_result: Callable[[CheckResult], None] = lambda _result: None
    results: list[CheckResult] = field(default_factory=list)

    def run(self, name: str, title: str, attempt: Callable[[], Told]) -> CheckResult:
        """Try one id. A check that fails to run has failed: its error is the evidence."""
        started = time.perf_counter()
        try:
            status, evidence = attempt()
        except Exception as error:  # noqa: BLE001 - one crashing check must not hide the others
            status, evidence = "fail", f"the check itself failed: {type(error).__name__}: {error}"
        group = GROUPS[name.partition(".")[0]]
        result = CheckResult(name, group, title, status, evidence, round(time.perf_counter() - started, 3))
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


@contextmanager
def shadow_settings(settings: Settings, venv: Path) -> Iterator[Path]:
    """A settings file for a shadow server of this environment; everything it leaves behind goes with the block."""
    with tempfile.TemporaryDirectory(prefix="clinic-shadow-") as name:
        folder = Path(name)
        service = settings.service
        tree = {
            "environment": {"path": str(venv), "requirements": str(settings.environment.requirements)},
            "service": {
                "command": list(service.command),
                "cwd": str(service.cwd),
                "host": service.host,
                "port": free_port(service.host),
                "health": {
                    "path": service.health.path,
                    "status": service.health.status,
                    "body": service.health.body,
                    "timeout": service.health.timeout,
                },
                "start_timeout": service.start_timeout,
                "stop_timeout": service.stop_timeout,
                "pid_file": str(folder / "shadow.pid"),
                "log_file": str(folder / "shadow.log"),
                "variables": dict(service.variables),
            },
            "records": str(folder / "records"),
        }
        file = folder / "shadow.yaml"
        file.write_text(json.dumps({"clinic": tree}), encoding="utf-8")  # JSON is YAML
        yield file


def free_port(host: str) -> int:
    """A port that nobody holds just now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host if host not in {"0.0.0.0", "::", "localhost"} else "127.0.0.1", 0))  # noqa: S104 - only compared
        return int(probe.getsockname()[1])


def manage(file: Path, verb: str, limit: float) -> proc.Completed:
    """Run `python ai/server_manager.py VERB` the way people do."""
    return proc.run([sys.executable, MANAGER, "--config", file, verb, "--json"], timeout=limit)


@contextmanager
def shadow(settings: Settings, venv: Path) -> Iterator[tuple[Subject, proc.Completed]]:
    """A shadow server, started as people start theirs, and how the start went; stopped when the block ends."""
    with shadow_settings(settings, venv) as file:
        subject = Subject(load(file.parent, file), shadow=True)
        limit = settings.service.start_timeout + 10
        started = manage(file, "start", limit)
        try:
            yield subject, started
        finally:
            manage(file, "stop", settings.service.stop_timeout + 10)


def startup(todo: Checklist, subject: Subject | None, started: proc.Completed | str, venv: Path) -> None:
    """The group *Server startup*. `started` is how the shadow's start went, or why none was tried."""
    todo.run("startup.starts", "server_manager.py starts the server", lambda: _starts(started))
    attempts: tuple[tuple[str, str, Callable[[Subject], Told]], ...] = (
        ("startup.pid-file", "the pid file names the server's process", pid_file),
        ("startup.log", "the log holds the start-up lines", log_lines),
        ("startup.visible", "the process runs the environment's interpreter", lambda who: visible(who, venv)),
    )
    for name, title, attempt in attempts:
        todo.run(name, title, _on(subject, attempt))


def health(todo: Checklist, subject: Subject | None) -> None:
    """The group *Health endpoint*: one question, judged in three steps."""
    from clinic.service.health import check

    answer = check(subject.settings.service) if subject else None

    def judged(judge: Callable[[Answer, Subject], Told]) -> Callable[[], Told]:
        if subject is None or answer is None:
            return lambda: ("skip", _NO_SERVER)
        return lambda: judge(answer, subject)

    todo.run("health.responds", "the health URL answers", judged(_responds))
    todo.run("health.status-200", "with the expected status", judged(_status))
    todo.run("health.body", "and the expected body", judged(_body))


def _responds(answer: Answer, who: Subject) -> Told:
    if not answer.reachable:
        return "fail", f"{who.settings.service.url}: {answer.reason}"
    return "pass", f"{who.settings.service.url} answered in {answer.latency * 1000:.0f} ms ({who.said})"


def _status(answer: Answer, who: Subject) -> Told:
    good = answer.status == who.settings.service.health.status
    return ("pass" if good else "fail"), f"status {answer.status or 'none'}"


def _body(answer: Answer, _who: Subject) -> Told:
    return ("pass" if answer.healthy else "fail"), answer.reason


_NO_SERVER = "no server runs, and --quick starts no shadow server"


def _on(subject: Subject | None, attempt: Callable[[Subject], Told]) -> Callable[[], Told]:
    if subject is None:
        return lambda: ("skip", _NO_SERVER)
    return lambda: attempt(subject)


def _starts(started: proc.Completed | str) -> Told:
    if isinstance(started, str):
        return "skip", started
    if started.ok:
        return "pass", f"exit code 0 after {started.seconds:.2f} s"
    return "fail", f"exit code {started.code}: {_reason_in(started)}"


def _reason_in(started: proc.Completed) -> str:
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
    starts = [number for number, line in enumerate(lines) if "Started server process" in line]
    return "\n".join(lines[starts[-1] :] if starts else lines)


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


# Findings that make pyvenv.cfg untrue; the others concern its spelling.
_SPELLING = frozenset(
    {"cfg-key-case", "cfg-line-ends", "cfg-include-odd", "cfg-duplicate-key", "cfg-home-decoy", "cfg-second"}
)


def environment(todo: Checklist, facts: Facts, findings: tuple[Finding, ...], settings: Settings) -> None:
    """The group *Virtual environment*."""
    todo.run("venv.cfg", "pyvenv.cfg is there and true", lambda: cfg_is_true(facts, findings))
    todo.run("venv.runs", "its python runs the service's module", lambda: runs(facts, settings))
    todo.run("venv.no-cfg-errors", "nothing complains of pyvenv.cfg", lambda: no_complaints(facts, settings))
    todo.run("venv.matches-lock", "what is installed is what the lock pins", lambda: matches_lock(facts, findings))


def cfg_is_true(facts: Facts, findings: tuple[Finding, ...]) -> Told:
    """`venv.cfg`: home, version and executable are those of the base that really runs it."""
    untrue = [f for f in findings if f.code.startswith(("cfg-", "venv-")) and f.code not in _SPELLING]
    if untrue:
        return "fail", f"{untrue[0].code}: {untrue[0].evidence[0]}"
    if facts.me is None:
        return "skip", "an environment of another platform: its python can't be asked here"
    if not isinstance(facts.me, Self) or not facts.me.is_itself:
        return "fail", next((f"{f.code}: {f.evidence[0]}" for f in findings), "its python is not itself")
    base = facts.search.base
    return (
        "pass",
        f"home is {base.home}, Python {base.version_text}" if base else f"Python {facts.me.interpreter.version_text}",
    )


def module_of(settings: Settings) -> str | None:
    """The module that the service's command runs by -m, else the first that must be importable."""
    command = settings.service.command
    if "-m" in command and command.index("-m") + 1 < len(command):
        return command[command.index("-m") + 1]
    return next(iter(settings.environment.imports), None)


def runs(facts: Facts, settings: Settings) -> Told:
    """`venv.runs`: `-m uvicorn --version` prints the version that is installed in this environment."""
    module = module_of(settings)
    if module is None or facts.tree is None:
        return ("skip", "the service names no module to run") if facts.tree else ("fail", "there is no environment")
    python = layout.python_in(facts.venv, facts.tree.platform)
    if "-m" not in settings.service.command:
        done = proc.run([python, "-I", "-B", "-c", f"import {module}"], timeout=60)
        return ("pass", f"import {module}") if done.ok else ("fail", f"import {module}: {_last(done)}")
    done = proc.run([python, "-I", "-B", "-m", module, "--version"], timeout=60)
    if not done.ok:
        return "fail", f"-m {module} --version: {_last(done)}"
    here = {each.version for each in facts.tree.distributions if each.name == module.replace("_", "-").lower()}
    said = (done.stdout.strip() or done.stderr.strip()).splitlines()[:1]
    if here and not any(version in " ".join(said) for version in here):
        return "fail", f"-m {module} --version says {said}, installed here is {', '.join(here)}"
    return "pass", said[0] if said else f"-m {module} --version: exit code 0"


def _last(done: proc.Completed) -> str:
    lines = done.stderr.strip().splitlines()
    return done.reason or (lines[-1] if lines else f"exit code {done.code}")


def no_complaints(facts: Facts, settings: Settings) -> Told:
    """`venv.no-cfg-errors`: not on its python's stderr, not in the log since the last start."""
    if facts.me is None:
        return "skip", "its python can't be asked here"
    if broken := cfg_complaint(facts.me.stderr):
        return "fail", f"its python says: {broken}"
    if broken := cfg_complaint(log_since_start(settings.service.log_file)):
        return "fail", f"{settings.service.log_file}: {broken}"
    return "pass", "neither on stderr nor in the log"


def matches_lock(facts: Facts, findings: tuple[Finding, ...]) -> Told:
    """`venv.matches-lock`: every locked distribution is there in its version."""
    if not facts.locked:
        return "skip", "there is no lock that speaks of this environment"
    wrong = [line for f in findings if f.code.startswith("dist-") and f.severity != "advice" for line in f.evidence]
    if facts.tree is None or wrong:
        return "fail", "; ".join(wrong[:3]) or "there is no environment"
    return "pass", f"all {len(facts.locked)} locked distributions are there"
