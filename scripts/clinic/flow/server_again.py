"""The server after a repair: restarted if it ran, started if it was down through the damage, else left alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from clinic.anatomy import layout
from clinic.errors import ClinicError, FailedError
from clinic.flow.interruption import server_told
from clinic.flow.patient import Patient
from clinic.model import Diagnosis
from clinic.remedies import stopgap
from clinic.remedies.rebuild import Shown

if TYPE_CHECKING:
    from clinic.service.status import Status


_DOWN = frozenset({"failed", "stale", "stopped", "waiting"})


@dataclass
class Wanted:
    """What is to be done with the server, and how it went."""

    verb: Literal["", "start", "restart"] = ""
    plan: str = ""
    said: str = ""
    failed: bool = False


def wish(server: Status, *, mended: bool, fit: bool) -> Wanted:
    """What to do with a server that was seen in this state before the repair.

    `mended`: something of its environment was changed; `fit`: the environment can carry a server now.
    """
    if not fit:
        return Wanted(failed=server.wanted == "up" and server.state != "running")
    if server.state in {"running", "starting"}:
        if server.stopgap:
            return Wanted("restart", f"restart the server from the environment: that ends the stopgap {server.stopgap}")
        return Wanted("restart", "restart the server") if mended else Wanted()
    if server.state == "hung":
        return Wanted("restart", "restart the server, which does not answer")
    if server.wanted == "up" and server.state in _DOWN:
        return Wanted("start", "start the server, which is wanted and down")
    return Wanted(failed=server.state == "foreign" and server.wanted == "up")


def after_damage(
    who: Patient, before: Diagnosis, after: Diagnosis, shown: Shown
) -> tuple[dict[str, object] | None, ClinicError | None]:
    """Start a server that is wanted and was down while its environment was damaged; a monitor does that itself.

    One that an earlier rebuild had ended when it was killed is started too. Returns what was done, None if there was
    nothing to do, and why it does not run.
    """
    from clinic.service import find, manager, memory

    if not who.own or after.sick or not (before.sick or find.is_left_down(memory.recall(who.settings))):
        return None, None
    server = manager.status(who.settings)
    if server.monitor or server.wanted != "up" or server.state not in _DOWN:
        return None, None
    errors: list[ClinicError] = []
    wanted = wish(server, mended=True, fit=True)
    now = again(who, server, wanted, shown, errors)
    done: dict[str, object] = {"state": now.state, "pid": now.pid, "done": wanted.said}
    if not errors:
        return done, None
    message = f"The environment is healthy, and the server does not start from it: {errors[0].message}"
    return done, FailedError(errors[0].code, message, errors[0].hint)


def again(who: Patient, before: Status, wanted: Wanted, shown: Shown, errors: list[ClinicError]) -> Status:
    """Do it, and return how the server is then; a stopgap ends once the environment serves, not before."""
    now = before
    if wanted.verb:
        now = _done(who, before, wanted, shown, errors)
    if now.state == "running" and not now.stopgap:
        stopgap.ended(who.settings)
    return now


def _done(who: Patient, before: Status, wanted: Wanted, shown: Shown, errors: list[ClinicError]) -> Status:
    from clinic.service import manager, memory

    python, settings = layout.python_in(who.venv), who.settings
    seen = manager.status(settings)
    if seen.state == "running" and not seen.stopgap and seen.pid != before.pid:
        wanted.said = "started again by the repair"  # a rebuild hands the server over itself, a monitor restarts it
        return seen
    shown.step("Starting the server" if wanted.verb == "start" else "Restarting the server")
    act = manager.restart if wanted.verb == "restart" else manager.start
    try:
        with server_told(settings):
            status = act(settings, python, who.venv, mode=memory.recall(settings).mode, unless_down=True)
    except ClinicError as error:
        if error.code == "stopped-meanwhile":
            wanted.said = "left down: it was stopped meanwhile"
            return manager.status(settings)
        errors.append(error)
        wanted.failed, wanted.said = True, f"{wanted.verb} failed: {error.code}"
        return manager.status(settings)
    wanted.said = f"{wanted.verb}ed"
    return status
