"""`heal`: look deep, apply the cheapest remedies that suffice, look again, escalate, serve again, prove it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinic import proc
from clinic.checks import CHECKS, examine
from clinic.errors import ClinicError, RefusedError
from clinic.facts import Facts
from clinic.flow import server_again
from clinic.flow.case import Case, Wish
from clinic.flow.patient import Patient, as_data, changed_since, judge, patient
from clinic.flow.repair import locked, told
from clinic.model import Diagnosis, Finding, OutcomeWord, Result
from clinic.observe import glance
from clinic.report.progress import Steps
from clinic.settings import Settings

if TYPE_CHECKING:
    from clinic.service.status import Status

ROUNDS = 3
"""How often it looks and acts: what three rounds do not cure, a fourth would not."""


def heal(
    settings: Settings,
    venv: str | Path | None = None,
    wish: Wish | None = None,
    *,
    dry_run: bool = False,
    progress: Steps | None = None,
) -> Result:
    """Cure what is found, serve again if that was wanted, and end with the quick checklist."""
    asked = wish or Wish()
    _refuse_unknown(asked.only, "--only")
    _refuse_unknown(asked.skip, "--except")
    case = Case(patient(settings, venv), asked, progress or Steps(), venv)
    with locked(case.who, "heal", dry_run=dry_run) as recovered:
        case.notes += told(recovered)
        case.shown.step("Looking at the environment and the server")
        seen = _look(case.who)
        if dry_run:
            return _planned(case, seen)
        return _healed(case, seen)


def _refuse_unknown(codes: Sequence[str], flag: str) -> None:
    known = {check.code for check in CHECKS}
    for code in codes:
        if code not in known:
            near = difflib.get_close_matches(code, known, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else "invoke diagnose --list"
            raise RefusedError("unknown-code", f"{flag} {code}: there is no such finding.", hint)


@dataclass(frozen=True)
class Seen:
    """What there was before anything was done."""

    facts: Facts
    diagnosis: Diagnosis
    server: Status
    asked: Callable[[], proc.Completed] | None = None
    """What the service's module answers, if the environment was fit to be asked."""
    changed: Mapping[str, Any] = field(default_factory=dict)
    """What has changed since the last known-good state, if one is on record."""


def _look(who: Patient) -> Seen:
    """Environment, server and the service's module at once: all three mostly wait, and two cores can."""
    from clinic.checklist import environment
    from clinic.service import manager

    with ThreadPoolExecutor(2) as pool:
        server = pool.submit(manager.status, who.settings)
        # Not of a python that might run for ever: a glance tells, and costs nothing.
        seen = glance(who.venv, who.owners)
        fit = not seen.distrust and not any(finding.severity == "fatal" for finding in examine(seen))
        asked = pool.submit(environment.ask, who.venv, who.settings) if fit else None
        facts = who.look(deep=True)
        return Seen(
            facts, judge(who, facts), server.result(), asked.result if asked else None, changed_since(who, facts)
        )


def _healed(case: Case, seen: Seen) -> Result:
    """Act, serve, look again; until nothing is left that somebody can cure, in three rounds at most."""
    facts, diagnosis = seen.facts, seen.diagnosis
    while True:
        facts, diagnosis, unsure = _cured(case, facts, diagnosis)
        fit = not any(finding.severity == "fatal" for finding in diagnosis.findings)
        wanted = server_again.wish(seen.server, mended=case.mended, fit=fit)
        with ThreadPoolExecutor(1) as pool:
            # A remedy's own proof is enough to serve on; the second look happens while the server boots.
            looking = pool.submit(case.who.look, deep=True) if unsure else None
            now = server_again.again(case.who, seen.server, wanted, case.shown, case.errors)
            facts = looking.result() if looking else facts
        diagnosis = judge(case.who, facts) if looking else diagnosis
        if not looking or case.rounds >= ROUNDS or not case.course(facts, diagnosis):
            return _ended(case, seen, diagnosis, facts, (wanted, now))


def _cured(case: Case, facts: Facts, diagnosis: Diagnosis) -> tuple[Facts, Diagnosis, bool]:
    """Apply what helps; the last word says whether only the remedy itself says that it did."""
    while case.rounds < ROUNDS and (course := case.course(facts, diagnosis)):
        case.rounds += 1
        results = [case.apply(remedy) for remedy in course]
        if (last := results[-1]) and last.outcome == "cured":
            return facts, Diagnosis(**last.data["after"]), True
        if any(results):
            case.shown.step("Looking again")
            facts = case.who.look(deep=True)
            diagnosis = judge(case.who, facts)
    return facts, diagnosis, False


def _ended(
    case: Case, seen: Seen, after: Diagnosis, facts: Facts, served: tuple[server_again.Wanted, Status]
) -> Result:
    """Go through the quick checklist, and leave a document where anything was found."""
    from clinic.flow.check import quick_checks

    before, (wanted, now) = seen.diagnosis, served
    case.shown.step("Going through the quick checklist")
    asked = None if case.receipts else seen.asked
    checks = quick_checks(case.who, facts, after.findings, lambda check: case.shown.detail(check.title), asked)
    case.shown.done()
    failed = after.sick or wanted.failed or case.in_vain(after) or any(check.status == "fail" for check in checks)
    found = before.sick or bool(case.receipts) or wanted.verb != ""
    word: OutcomeWord = "sick" if failed else "cured" if found else "unchanged"
    data: dict[str, Any] = {
        "before": {**as_data(before), **seen.changed},
        "after": as_data(after),
        "receipts": case.receipts,
        "checks": checks,
        "server": {"state": now.state, "pid": now.pid, "done": wanted.said or "left alone"},
    }
    result = Result(
        "heal", word, int(failed), data, tuple(case.errors) if failed else (), notes=_notes(case, after, failed)
    )
    return _archived(case.who, result) if found or failed else result


def _notes(case: Case, after: Diagnosis, failed: bool) -> tuple[str, ...]:
    passed = () if failed else tuple(f"{error.code}: {error.message}" for error in case.errors)
    return (*case.notes, *passed, *_spared(case, after))


def _archived(who: Patient, result: Result) -> Result:
    from dataclasses import replace

    from clinic.report import incident

    try:
        path = incident.write(who.settings.records, result)
    except ClinicError as error:
        return replace(result, notes=(*result.notes, error.message))
    return replace(result, data={**result.data, "incident": path})


def _planned(case: Case, seen: Seen) -> Result:
    before, server = seen.diagnosis, seen.server
    course = case.course(seen.facts, before)
    cured = {f.code for f in case.chosen(before.findings) if set(f.cured_by) & set(course)}
    left = [f for f in before.findings if f.severity != "advice" and f.code not in cured]
    steps = [f"{name}: {_cures(name, case.chosen(before.findings))}" for name in course]
    wanted = server_again.wish(server, mended=bool(course), fit=not any(f.severity == "fatal" for f in left))
    steps += [wanted.plan] if wanted.plan else []
    data = {"before": as_data(before), "plan": steps, "receipts": []}
    return Result("heal", "planned", int(bool(left)), data, notes=(*case.notes, *_spared(case, before, course)))


def _spared(case: Case, diagnosis: Diagnosis, course: Sequence[str] = ()) -> tuple[str, ...]:
    """What is left alone because somebody said so; a rebuild can leave nothing alone."""
    codes = ", ".join(f.code for f in diagnosis.findings if f.severity != "advice" and case.wish.spares(f.code))
    if not codes:
        return ()
    return (f"a rebuild cures {codes} too" if "rebuild" in course else f"left alone, as asked: {codes}",)


def _cures(remedy: str, findings: Sequence[Finding]) -> str:
    return "cures " + ", ".join(finding.code for finding in findings if remedy in finding.cured_by)
