"""`unblock`: a healthy server now, on the first thing that works; the environment itself is only looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinic.anatomy import layout
from clinic.checks import examine
from clinic.errors import FailedError, RefusedError
from clinic.facts import Facts
from clinic.flow.interruption import server_told
from clinic.flow.patient import Patient, patient
from clinic.model import Action, Result
from clinic.remedies import borrow, ground, lifeboat, stopgap
from clinic.remedies.stopgap import Stopgap
from clinic.report.progress import Steps
from clinic.settings import Settings

if TYPE_CHECKING:
    from clinic.service.status import Status

Way = tuple[str, Callable[[], Stopgap]]
# Not a matter of the python that is used: another way would meet the same.
_WHOEVER = frozenset(
    {
        *("port-taken", "cwd-missing", "pid-file-in-the-way", "pid-file-foreign", "busy", "app-missing"),
        "stopped-meanwhile",
    }
)


@dataclass(frozen=True)
class SystemWish:
    """Whether the system Python is to serve, whether PEP 668 may be overruled, or what was added there is to go."""

    wanted: bool = False
    overrule: bool = False
    revert: bool = False


def unblock(  # noqa: PLR0913 - the flags of the command
    settings: Settings,
    venv: str | Path | None = None,
    *,
    wheelhouse: str | None = None,
    system: SystemWish | None = None,
    dry_run: bool = False,
    unless_down: bool = False,
    progress: Steps | None = None,
) -> Result:
    """A healthy server now; says on what it runs, and what it takes to get back.

    A `stop` that is given meanwhile wins. `unless_down` is for the monitor, which wants nothing by itself: then a
    `stop` that was given before wins too.
    """
    from clinic.service import manager, memory

    who, shown, system = patient(settings, venv), progress or Steps(), _checked(system or SystemWish())
    now = manager.status(settings)
    if system.revert:
        return _reverted(settings, now, dry_run=dry_run)
    if now.state == "running":
        if not dry_run:
            manager.complete(settings)
        return _told(now, "unchanged", (), now.stopgap or "")
    house = ground.wheelhouse(wheelhouse)
    shown.step("Looking at the environment")
    facts = who.look(imports=False)
    ways = _ways(who, facts, shown, house)
    if system.wanted:
        ways = [(stopgap.SYSTEM, lambda: _system(who, facts, shown, house, overrule=system.overrule))]
    if dry_run:
        return Result("unblock", "planned", 0, {**now.as_json(), "plan": _plan(who, facts, [name for name, _ in ways])})
    if not unless_down:
        memory.keep(settings, wanted="up")  # by now: a stop given while a lifeboat is made comes after it
    with server_told(settings):
        return _first_that_works(who, now, ways, shown)


def _checked(system: SystemWish) -> SystemWish:
    if (system.revert or system.overrule) and not system.wanted:
        flag = "--revert" if system.revert else "--break-system-packages"
        raise RefusedError("needs-system", f"{flag} speaks of the system Python.", f"invoke unblock --system {flag}")
    return system


def _system(who: Patient, facts: Facts, shown: Steps, house: Path | None, *, overrule: bool) -> Stopgap:
    from clinic.remedies import system_python

    shown.step("Installing into the system Python")
    with _alone(who.settings):
        return system_python.prepare(who.settings, facts, shown.detail, overrule=overrule, wheelhouse=house)


def _reverted(settings: Settings, now: Status, *, dry_run: bool) -> Result:
    """Remove what was added; refused while the server still runs on it."""
    from clinic.remedies import system_python

    known = system_python.ledger(settings)
    if known is None:
        return Result("unblock", "unchanged", 0, {"removed": []}, notes=("nothing is on record as installed there",))
    if now.state == "running" and now.stopgap == stopgap.SYSTEM:
        raise RefusedError(
            "stopgap-serves", f"The server still runs on {known.python}. Nothing was touched.", "invoke heal"
        )
    if dry_run:
        plan = [f"remove {name} {version} from {known.python}" for name, version in known.added.items()]
        return Result("unblock", "planned", 0, {"plan": plan})
    removed, changed = system_python.revert(settings)
    notes = tuple(f"{name} was changed since, and is left alone" for name in changed)
    return Result("unblock", "cured", 0, {"python": known.python, "removed": removed}, notes=notes)


def _ways(who: Patient, facts: Facts, shown: Steps, wheelhouse: Path | None) -> list[Way]:
    """What is tried, in order, each prepared only when its turn comes."""
    own: list[Way] = []
    if not any(finding.severity == "fatal" for finding in examine(facts)):
        own = [("", lambda: _itself(who))]

    def borrowed() -> Stopgap:
        shown.step("Borrowing the base interpreter")
        with _alone(who.settings):
            return borrow.prepare(who.settings, facts)

    def lifeboat_() -> Stopgap:
        shown.step("Making a lifeboat from the lock")
        with _alone(who.settings):
            return lifeboat.prepare(who.settings, facts.flavour, shown, wheelhouse)

    return [*own, (stopgap.BORROW, borrowed), (stopgap.LIFEBOAT, lifeboat_)]


def _alone(settings: Settings) -> AbstractContextManager[None]:
    """A lock of its own: a rebuild that runs is no reason to wait for a server, a second unblock is."""
    from clinic.service import memory

    return memory.locked(settings, ".unblock.lock", "unblock")


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
            found = _prepared(prepare)
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
    from clinic.service import memory

    if memory.recall(who.settings).wanted == "up":  # else somebody stopped it meanwhile
        memory.keep(who.settings, wanted=now.wanted, stopgap="")  # as it was before: heal goes by it
    told = "; ".join(f"{each['way']}: {each['reason']}" for each in tried)
    raise FailedError("nothing-serves", f"No way leads to a healthy server. {told}", f"invoke diagnose{who.flags}")


def _prepared(prepare: Callable[[], Stopgap]) -> Stopgap:
    """What the disk objects to is a reason for the next way, as any other is."""
    try:
        return prepare()
    except OSError as error:
        told = f"{error.strerror or error}" + (f" ({error.filename})" if error.filename else "")
        raise FailedError("cannot-be-made", f"{told}.", "invoke diagnose") from error


def _start(settings: Settings, found: Stopgap, now: Status) -> Status:
    """Start on it, and prove meanwhile that what it imports is what it should be; stop again where it is not."""
    from clinic.service import manager, memory

    mine = replace(settings, service=replace(settings.service, command=found.command))
    act = manager.restart if now.pid else manager.start
    with ThreadPoolExecutor(1) as pool:
        prove = partial(stopgap.prove, found.python, found.homes, settings.environment.imports)
        proof = pool.submit(prove) if found.homes else None
        mode = memory.recall(settings).mode
        status = act(mine, found.python, found.venv, mode=mode, stopgap=found.way, unless_down=True)
        error = proof.exception() if proof else None
    if error:
        manager.withdraw(settings)  # not a stop: the next way is to serve
        raise error
    return status


def _told(status: Status, word: Any, tried: Any, way: str) -> Result:
    data: dict[str, Any] = {**status.as_json(), "way": way or "environment", "tried": list(tried)}
    if way:
        data["next_actions"] = tuple(_next(way))
    return Result("unblock", word, 0, data, notes=status.notes)


def _next(way: str) -> Iterator[Action]:
    yield Action("short-term", "invoke heal", "mends the environment, serves from it again, and ends the stopgap")
    if way == stopgap.SYSTEM:
        yield Action("short-term", "invoke unblock --system --revert", "removes exactly what was installed there")
