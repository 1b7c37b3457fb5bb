"""`production-mode`: refused while something is makeshift, then remembered, then served in."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinic import fs, plan
from clinic.anatomy import layout
from clinic.errors import RefusedError
from clinic.flow.interruption import file_told, mode_told
from clinic.flow.patient import Patient, judge, patient
from clinic.model import OutcomeWord, Result
from clinic.settings import Settings

if TYPE_CHECKING:
    from clinic.service.status import Status
    from clinic.service.system import Unit

_SUITE = Path(__file__).resolve().parents[3]
_NAME = "production-mode"


def production_mode(
    settings: Settings, venv: str | Path | None = None, *, asked: tuple[str, ...] = (), dry_run: bool = False
) -> Result:
    """Switch the mode, or register with the system's supervisor; `asked` is one of off, install, uninstall, print."""
    if set(asked) == {"install", "print"}:
        asked = ("print",)  # shows what the other would write
    if len(asked) > 1:
        flags = " and ".join(f"--{name}" for name in asked)
        raise RefusedError("one-at-a-time", f"{flags} exclude each other.", f"invoke --help {_NAME}")
    who = patient(settings, venv)
    match asked:
        case ("print",):
            unit = _unit(settings)
            return Result(_NAME, "unchanged", 0, {"lines": unit.text.splitlines(), **_named(unit)})
        case ("uninstall",):
            return _uninstalled(settings, dry_run=dry_run)
        case ("off",):
            return _switched(who, "debug", dry_run=dry_run)
        case ("install",):
            _refuse_makeshift(who)
            return _installed(who, dry_run=dry_run)
        case _:
            _refuse_makeshift(who)
            return _switched(who, "production", dry_run=dry_run)


def _refuse_makeshift(who: Patient) -> None:
    from clinic.remedies import stopgap

    if way := stopgap.serving(who.settings):
        raise RefusedError(
            "on-a-stopgap",
            f"The server runs on a stopgap ({way}): that is no state to make permanent. Nothing was changed.",
            stopgap.WAY_BACK,
        )
    diagnosis = judge(who, who.look())
    if diagnosis.sick:
        first = next(finding for finding in diagnosis.findings if finding.severity != "advice")
        raise RefusedError(
            first.code,
            f"The environment is not healthy: {first.evidence[0]}. Nothing was changed.",
            f"{plan.way_out(diagnosis.options)}{who.flags}",
        )


def _switched(who: Patient, mode: str, *, dry_run: bool) -> Result:
    from clinic.remedies import production_mode as remedy
    from clinic.service import find, manager, memory

    settings = who.settings
    now, known = manager.status(settings), memory.recall(settings)
    runs = now.pid is not None and now.state in {"running", "starting", "hung"}
    # Not started because it is down: one that can't start must not keep its mode from being changed.
    again = now.mode != mode if runs else find.is_left_down(known)
    if dry_run:
        plan = [f"remember {mode} mode"] * (known.mode != mode) + ["restart the server in it"] * again
        return Result(_NAME, "planned", 0, {**now.as_json(), "plan": plan})
    with mode_told(settings):
        manager.complete(settings)
        after, note = remedy.change(settings, mode, _restarting(who, now) if again else None)
    word: OutcomeWord = "healthy" if again or known.mode != mode else "unchanged"
    return _told(settings, after or manager.status(settings), word, notes=(note,) if note else ())


def _restarting(who: Patient, now: Status) -> Callable[[], Status]:
    """Restart from what the server runs on: switching the mode back must not end a stopgap, or need a cure."""
    from clinic.remedies import stopgap
    from clinic.service import manager, memory

    known, settings = now.environment or {}, who.settings
    python, venv = layout.python_in(who.venv), who.venv
    if now.stopgap:
        python, venv = Path(known.get("python") or python), Path(known.get("venv") or venv)
        command = stopgap.runnable(settings.service.command, venv)  # as it was started: not by the sick one's python
        settings = replace(settings, service=replace(settings.service, command=command))
    return lambda: manager.restart(settings, python, venv, mode=memory.recall(settings).mode, stopgap=now.stopgap or "")


def _told(settings: Settings, status: Status, word: OutcomeWord, *, notes: tuple[str, ...] = (), **more: Any) -> Result:
    data = {**status.as_json(), "url": settings.service.url, "log_file": settings.service.log_file, **more}
    # The mode of the next start, where none runs; a running server tells its own.
    return Result(_NAME, word, 0, data, notes=(*status.notes, *notes))


def _unit(settings: Settings) -> Unit:
    from clinic.service import system

    return system.unit(settings, system.command(settings, _SUITE, Path(sys.executable)))


def _named(unit: Unit) -> dict[str, Any]:
    return {"supervisor": unit.supervisor, "unit": unit.name, "file": unit.path}


def _installed(who: Patient, *, dry_run: bool) -> Result:
    from clinic.remedies import production_mode as remedy
    from clinic.service import manager

    settings, unit = who.settings, _unit(who.settings)
    if dry_run:
        plan = ["switch to production mode", f"write {unit.path}", *(" ".join(step.argv) for step in unit.enable)]
        return Result(_NAME, "planned", 0, {"plan": plan, **_named(unit)})
    remedy.refuse_unreachable(unit)  # before anything is touched
    switched = _switched(who, "production", dry_run=False)
    with mode_told(settings), file_told(unit.path):
        new = remedy.install(unit)
    word: OutcomeWord = "healthy" if new or switched.outcome == "healthy" else "unchanged"
    notes = (*switched.notes, *((unit.note,) if unit.note else ()))
    return _told(settings, manager.status(settings), word, notes=notes, **_named(unit))


def _uninstalled(settings: Settings, *, dry_run: bool) -> Result:
    from clinic.remedies import production_mode as remedy
    from clinic.service import guard, manager

    unit, there = _unit(settings), guard.sentry(settings)
    monitor = there if there and there.supervised else None  # systemd's is asked by systemd itself
    if dry_run:
        first = [f"ask process {monitor.pid}, which watches the server, to stop it and to end"] if monitor else []
        plan = [*first, f"unregister {unit.name}", f"remove {unit.path}"]
        return Result(_NAME, "planned", 0, {"plan": plan, **_named(unit)})
    with mode_told(settings), file_told(unit.path):
        if monitor and fs.exists(unit.path):
            remedy.refuse_unreachable(unit)  # before anything is touched
            guard.end(settings, monitor)  # the Task Scheduler would kill it, and leave the server
        gone = remedy.uninstall(unit)
    return _told(settings, manager.status(settings), "healthy" if gone else "unchanged", **_named(unit))
