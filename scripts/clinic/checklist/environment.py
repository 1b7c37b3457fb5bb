"""The group *Virtual environment*: judged from the same facts as `diagnose`, and by running the service's module."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from clinic import proc
from clinic.anatomy import layout, lock
from clinic.checklist import Checklist, Told
from clinic.checklist.startup import cfg_complaint, log_since_start
from clinic.checks import concerned
from clinic.facts import Facts, Self
from clinic.model import Finding
from clinic.settings import Settings


def run(
    todo: Checklist,
    facts: Facts,
    findings: tuple[Finding, ...],
    settings: Settings,
    asked: Callable[[], proc.Completed] | None = None,
    *,
    own: bool = True,
) -> None:
    """Try all of it. `asked` is the answer of `ask`, where it was asked for ahead of time.

    An environment that is not the project's `own` need not hold what the service runs.
    """
    todo.run("venv.cfg", lambda: cfg_is_true(facts, findings))
    if not own and facts.tree and not _has(facts, module_of(settings)):
        todo.run(
            "venv.runs", lambda: ("skip", "not the project's own, and the service's module is not installed in it")
        )
    else:
        todo.run("venv.runs", lambda: runs(facts, settings, asked or (lambda: ask(facts.venv, settings))))
    todo.run("venv.no-cfg-errors", lambda: no_complaints(facts, settings))
    todo.run("venv.matches-lock", lambda: matches_lock(facts, findings))


def cfg_is_true(facts: Facts, findings: tuple[Finding, ...]) -> Told:
    """`venv.cfg`: home, version and executable are those of the base that really runs it."""
    wrong = [finding for finding in findings if concerned.makes_cfg_untrue(finding)]
    if wrong:
        return "fail", f"{wrong[0].code}: {wrong[0].evidence[0]}"
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


def _has(facts: Facts, module: str | None) -> bool:
    name = lock.canonical(module or "")
    return facts.tree is not None and any(each.name == name for each in facts.tree.distributions)


def words(venv: Path, settings: Settings) -> list[str]:
    """How the service's module is run: for its version, or only imported where the command names a script."""
    module = module_of(settings)
    python = [str(layout.python_in(venv)), "-I", "-B"]
    if module is None:
        return []
    return (
        [*python, "-m", module, "--version"]
        if "-m" in settings.service.command
        else [*python, "-c", f"import {module}"]
    )


def ask(venv: Path, settings: Settings) -> proc.Completed:
    """Run it."""
    return proc.run(words(venv, settings), timeout=60)


def runs(facts: Facts, settings: Settings, asked: Callable[[], proc.Completed]) -> Told:
    """`venv.runs`: `-m uvicorn --version` prints the version that is installed in this environment."""
    command = words(facts.venv, settings)
    if not command or facts.tree is None:
        return ("skip", "the service names no module to run") if facts.tree else ("fail", "there is no environment")
    done, said = asked(), " ".join(command[3:])
    if not done.ok:
        return "fail", f"{said}: {_last(done)}"
    if command[3] == "-c":
        return "pass", said
    here = {each.version for each in facts.tree.distributions if each.name == lock.canonical(command[4])}
    told = (done.stdout.strip() or done.stderr.strip()).splitlines()[:1]
    if here and not any(version in " ".join(told) for version in here):
        return "fail", f"{said} says {told}, installed here is {', '.join(here)}"
    return "pass", told[0] if told else f"{said}: exit code 0"


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
    if facts.tree is None:
        return "fail", "there is no environment"
    if not facts.locked:
        return "skip", "there is no lock that speaks of this environment"
    wrong = [line for f in findings if f.code.startswith("dist-") and f.severity != "advice" for line in f.evidence]
    if wrong:
        return "fail", "; ".join(wrong[:3])
    return "pass", f"all {len(facts.locked)} locked distributions are there"
