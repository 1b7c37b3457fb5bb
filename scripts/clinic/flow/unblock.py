"""`unblock`: a healthy server now, on the first thing that works; the environment itself is only looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinic.anatomy import layout
from clinic.checks import examine
from clinic.errors import FailedError, RefusedError
from clinic.facts import Facts
from clinic.flow.patient import Patient, patient
from clinic.model import Action, Result
from clinic.records import Records
from clinic.remedies import borrow, lifeboat, stopgap
from clinic.remedies.stopgap import Stopgap
from clinic.report.progress import Steps
from clinic.settings import Settings

if TYPE_CHECKING:
    from clinic.service.status import Status

Way = tuple[str, Callable[[], Stopgap]]
# Not a matter of the python that is used: another way would meet the same.
_WHOEVER = frozenset({"port-taken", "cwd-missing", "pid-file-in-the-way", "pid-file-foreign", "busy", "app-missing"})


def unblock(
    settings: Settings,
    venv: str | Path | None = None,
    *,
    wheelhouse: str | None = None,
    system: SystemWish | None = None,
    dry_run: bool = False,
    progress: Steps | None = None,
) -> Result:
    """A healthy server now; says on what it runs, and what it takes to get back."""
    from clinic.service import manager

    who, shown = patient(settings, venv), progress or Steps()
    now = manager.status(settings)
    if now.state == "running":
        return _told(now, "unchanged", (), now.stopgap or "")
    shown.step("Looking at the environment")
    facts = who.look(imports=False)
    ways = _ways(who, facts, shown, Path(wheelhouse).absolute() if wheelhouse else None)
    if system is not None:
        ways = [(stopgap.SYSTEM, lambda: system.prepare(who, facts, shown))]
    if dry_run:
        return Result("unblock", "planned", 0, {**now.as_json(), "plan": _plan(who, facts, [name for name, _ in ways])})
    return _first_that_works(who, now, ways, shown)


class SystemWish:
    """That the system Python is to serve, and whether PEP 668 may be overruled."""

    def __init__(self, *, break_system_packages: bool) -> None:
        self.break_system_packages = break_system_packages

    def prepare(self, who: Patient, facts: Facts, shown: Steps) -> Stopgap:
        """Install what is missing there, on record. Raises RefusedError, FailedError."""
        from clinic.remedies import system_python

        shown.step("Installing into the system Python")
        return system_python.prepare(who.settings, facts, shown.detail, overrule=self.break_system_packages)


def _ways(who: Patient, facts: Facts, shown: Steps, wheelhouse: Path | None) -> list[Way]:
    """What is tried, in order, each prepared only when its turn comes."""
    own: list[Way] = []
    if not any(finding.severity == "fatal" for finding in examine(facts)):
        own = [("", lambda: _itself(who))]

    def borrowed() -> Stopgap:
        shown.step("Borrowing the base interpreter")
        with _alone(who.settings, stopgap.BORROW):
            return borrow.prepare(who.settings, facts)

    def lifeboat_() -> Stopgap:
        shown.step("Making a lifeboat from the lock")
        with _alone(who.settings, stopgap.LIFEBOAT):
            return lifeboat.prepare(who.settings, facts.flavour, shown, wheelhouse)

    return [*own, (stopgap.BORROW, borrowed), (stopgap.LIFEBOAT, lifeboat_)]


def _alone(settings: Settings, way: str) -> Any:
    """A lock of its own: a rebuild that runs is no reason to wait for a server, a second unblock is."""
    return Records(stopgap.folder(settings, way).with_name("making")).lock("unblock")


def _itself(who: Patient) -> Stopgap:
    """The environment's own python: nothing that was seen speaks against it."""
    return Stopgap("", layout.python_in(who.venv), who.venv, who.settings.service.command)


def _plan(who: Patient, facts: Facts, ways: list[str]) -> list[str]:
    said = {"": f"start the server from {who.venv}, which nothing speaks against"}
    for way, words in stopgap.SAID.items():
        said[way] = f"serve with {words}"
    lender = next(borrow.lenders(facts), None) if stopgap.BORROW in ways and facts.tree else None
    if lender:
        said[stopgap.BORROW] += f" ({lender.executable})"
    return [said[way] + (", if that does not work" if number else "") for number, way in enumerate(ways)]


def _first_that_works(who: Patient, now: Status, ways: list[Way], shown: Steps) -> Result:
    tried: list[dict[str, str]] = []
    for name, prepare in ways:
        try:
            found = prepare()
            shown.step(f"Starting the server ({name or 'from the environment'})")
            status = _start(who.settings, found, now)
        except (FailedError, RefusedError) as error:
            if error.code in _WHOEVER or len(ways) == 1:
                raise
            tried.append({"way": name or "environment", "reason": error.message})
        else:
            shown.done()
            if not name:
                stopgap.ended(who.settings)
            return _told(status, "healthy", tried, name)
    told = "; ".join(f"{each['way']}: {each['reason']}" for each in tried)
    raise FailedError("nothing-serves", f"No way leads to a healthy server. {told}", f"invoke diagnose{who.flags}")


def _start(settings: Settings, found: Stopgap, now: Status) -> Status:
    from clinic.service import manager, memory

    mine = replace(settings, service=replace(settings.service, command=found.command))
    act = manager.restart if now.pid else manager.start
    return act(mine, found.python, found.venv, mode=memory.recall(settings).mode, stopgap=found.way)


def _told(status: Status, word: Any, tried: Any, way: str) -> Result:
    data: dict[str, Any] = {**status.as_json(), "way": way or "environment", "tried": list(tried)}
    if way:
        data["next_actions"] = tuple(_next(way))
    return Result("unblock", word, 0, data, notes=status.notes)


def _next(way: str) -> Iterator[Action]:
    yield Action("short-term", "invoke heal", "mends the environment, serves from it again, and ends the stopgap")
    if way == stopgap.SYSTEM:
        yield Action("short-term", "invoke unblock --system --revert", "removes exactly what was installed there")
