"""Keeping the server up: the monitor below, and above it what it asks about the environment and whom it tells."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from clinic import plan
from clinic.anatomy import layout
from clinic.errors import ClinicError, RefusedError
from clinic.flow.interruption import server_told
from clinic.flow.patient import Patient, judge, patient
from clinic.flow.serve import recovered_first, refuse_another_environment
from clinic.model import Finding, Result
from clinic.records import Records
from clinic.remedies import stopgap
from clinic.service.care import Look, Scene, Trouble
from clinic.service.launch import With
from clinic.settings import Settings

if TYPE_CHECKING:
    from clinic.service.keepalive import Watched

Venv = str | Path | None


class Display(Protocol):
    """Whoever looks on: the displays of `report.live`."""

    def event(self, kind: str, text: str) -> None:
        """Show something that happened."""

    def scene(self, scene: Scene) -> None:
        """Show the moment."""


def keep_alive(
    settings: Settings,
    venv: Venv = None,
    *,
    dry_run: bool = False,
    supervised: bool = False,
    display: Display | None = None,
) -> Result:
    """Watch the server until Ctrl+C, then stop it; death, hanging and a lost pyvenv.cfg are mended meanwhile.

    `supervised`: started by the system's own supervisor, where nobody reads what a refusal says.
    """
    from clinic.service import keepalive, manager

    if venv is not None:
        refuse_another_environment(patient(settings, venv), manager.status(settings), venv)
    if dry_run:
        now = manager.status(settings)
        first = [] if now.state == "running" else ["start the server"]
        plan = [*first, f"check {settings.service.url} every {settings.keep_alive.interval:g} s until Ctrl+C"]
        return Result("keep-alive", "planned", 0, {**now.as_json(), "plan": plan})
    herald = _Herald(Records(settings.records, settings.root), display)
    for note in stopgap.nag(settings):
        herald.event("stopgap", note)
    try:
        with server_told(settings):
            watched = keepalive.keep_alive(settings, _Care(settings, venv), herald, supervised=supervised)
        return _told(settings, watched)
    except ClinicError as error:
        if supervised:
            herald.event("not-watching", error.message, code=error.code)
        raise


def stop_keep_alive(settings: Settings, *, dry_run: bool = False) -> Result:
    """End the monitor from elsewhere, as Ctrl+C would: the server is stopped with it. No monitor is fine."""
    from clinic.service import guard, manager

    there = guard.sentry(settings)
    if dry_run:
        plan = [f"ask process {there.pid}, which watches the server, to stop it and to end"] if there else []
        return Result("keep-alive", "planned", 0, {**manager.status(settings).as_json(), "plan": plan})
    if there:
        guard.end(settings, there)
    status = manager.status(settings)
    data = {**status.as_json(), "url": settings.service.url, "log_file": settings.service.log_file}
    ended = f"Process {there.pid}, which watched the server, has ended." if there else "No monitor watches the server."
    return Result("keep-alive", "healthy" if there else "unchanged", 0, data, notes=(*status.notes, ended))


def _told(settings: Settings, watched: Watched) -> Result:
    data = {
        **watched.status.as_json(),
        "url": settings.service.url,
        "log_file": settings.service.log_file,
        "watched_seconds": round(watched.seconds, 1),
        "checks_made": watched.checks,
        "restarts": watched.restarts,
        "check_gaps": list(watched.check_gaps),
    }
    return Result("keep-alive", "healthy", 0, data, notes=watched.status.notes)


class _Herald:
    """Events go to the records and to the display; a record that cannot be written ends nothing."""

    def __init__(self, records: Records, display: Display | None) -> None:
        self._records, self._display = records, display

    def event(self, kind: str, text: str, **details: object) -> None:
        with contextlib.suppress(OSError):
            self._records.event(f"keep-alive:{kind}", text=text, **details)
        if self._display:
            self._display.event(kind, text)

    def scene(self, scene: Scene) -> None:
        if self._display:
            self._display.scene(scene)


class _Care:
    """Looks after the environment on the monitor's behalf, and heals with what needs no network."""

    def __init__(self, settings: Settings, venv: Venv) -> None:
        self._settings, self._venv = settings, venv

    def before_start(self) -> Look:
        """A glance: what is fatal and can be seen without running anything. On a stopgap, the whole look."""
        return self._looked(_sick if stopgap.serving(self._settings) else _fatal)

    def diagnose(self) -> Look:
        """The whole look."""
        return self._looked(_sick)

    def settled(self) -> None:
        """What a stopgap was made of is not needed any more."""
        if not stopgap.serving(self._settings):
            stopgap.ended(self._settings)

    def _looked(self, find: Callable[[Patient], tuple[Finding, ...]]) -> Look:
        who = patient(self._settings, self._venv)
        healed = recovered_first(who)
        given = With(layout.python_in(who.venv), who.venv, self._mode())
        try:
            who.glance()
        except RefusedError as error:  # another user's: nothing of it is run, until somebody says that it may be
            return Look(given, healed, Trouble.of(error))
        wrong = find(who)
        if not wrong:
            return Look(given, healed)
        if cure := _cheap(wrong):
            return self._healed(who, given, cure)
        if way := stopgap.serving(self._settings):
            return self._on_stopgap(given, way)
        return Look(given, trouble=_trouble(who, wrong))

    def _on_stopgap(self, given: With, way: str) -> Look:
        """The environment is as sick as it was: serve on a stopgap again, which the monitor then finds running."""
        from clinic import flow

        try:
            result = flow.unblock(self._settings, self._venv, unless_down=True)
        except ClinicError as error:
            if error.code == "stopped-meanwhile":  # the monitor's own start will say the same, and rest
                return Look(given)
            return Look(given, trouble=Trouble.of(error))
        now = result.data.get("way", way)
        return Look(given, (f"serving on a stopgap again ({now}); {stopgap.WAY_BACK} mends the environment",))

    def _healed(self, who: Patient, given: With, cure: str) -> Look:
        from clinic import flow

        begun, apply = time.monotonic(), flow.relink if cure == "relink" else flow.fix_cfg
        try:
            result = apply(self._settings, self._venv, imports=False)
        except ClinicError as error:
            if error.exit_code == 4:  # noqa: PLR2004 - another run repairs: wait for it
                raise
            return Look(given, trouble=Trouble.of(error))
        left = _fatal(who)
        if left:
            return Look(given, trouble=_trouble(who, left))
        receipts = result.data.get("receipts") or []
        named = f", receipt {receipts[0].id}" if receipts else ""
        if result.outcome == "unchanged":
            return Look(given)
        what = "interpreter laid anew" if cure == "relink" else f"{layout.CFG} restored"
        return Look(given, (f"{who.venv.name}: {what} in {time.monotonic() - begun:.2f} s{named}",))

    def _mode(self) -> str:
        from clinic.service import memory

        return memory.recall(self._settings).mode

    def traces(self) -> object:
        """Return when and as what the files were last seen on which a start depends."""
        who = patient(self._settings, self._venv)
        return tuple(_seen(path) for path in self._watched(who.venv))

    def _watched(self, venv: Path) -> Iterator[Path]:
        python = layout.python_in(venv)
        yield from (venv, venv / layout.CFG, python.parent, python)
        yield from venv.glob("[Ll]ib*/*/site-packages" if os.name != "nt" else "Lib/site-packages")
        if self._settings.file:
            yield self._settings.file
        yield from sorted(self._settings.service.cwd.glob("*.py"))
        yield from sorted(self._settings.service.cwd.glob("*/*.py"))


def _cheap(wrong: tuple[Finding, ...]) -> str:
    """The one remedy that needs no network and cures all of this; empty where none does."""
    if all("fix-cfg" in finding.cured_by for finding in wrong):
        return "fix-cfg"
    return "relink" if all({"fix-cfg", "relink"} & set(finding.cured_by) for finding in wrong) else ""


def _seen(path: Path) -> tuple[str, int, int, int]:
    try:
        info = path.stat()
    except OSError:
        return (str(path), 0, 0, 0)
    return (str(path), info.st_mtime_ns, info.st_ino, info.st_mode)


def _fatal(who: Patient) -> tuple[Finding, ...]:
    from clinic.checks import examine
    from clinic.observe import glance

    return tuple(finding for finding in examine(glance(who.venv)) if finding.severity == "fatal")


def _sick(who: Patient) -> tuple[Finding, ...]:
    """What the whole look finds. One that may not be run for whose it is can't be looked at, and is not to blame."""
    from clinic.checks import examine, trust

    found = examine(who.look(whosever=True))
    return tuple(finding for finding in found if finding.severity != "advice" and finding.code != trust.CODE)


def _trouble(who: Patient, wrong: tuple[Finding, ...]) -> Trouble:
    return Trouble(
        wrong[0].code,
        f"The environment is the cause: {wrong[0].evidence[0]}.",
        f"{plan.way_out(judge(who, who.look(whosever=True)).options)}{who.flags}",
    )
