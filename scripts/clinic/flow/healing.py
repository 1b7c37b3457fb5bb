"""`heal`: look deep, apply the cheapest remedies that suffice, look again, escalate, serve again, prove it."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinic import plan, proc
from clinic.checks import CHECKS, examine
from clinic.errors import ClinicError, RefusedError
from clinic.facts import Facts
from clinic.flow import server_again
from clinic.flow.patient import Patient, as_data, judge, patient
from clinic.flow.repair import locked, told
from clinic.model import Diagnosis, Finding, OutcomeWord, Receipt, Result
from clinic.observe import glance
from clinic.report.progress import Steps
from clinic.settings import Settings

if TYPE_CHECKING:
    from clinic.service.status import Status

ROUNDS = 3
"""How often it looks and acts: what three rounds do not cure, a fourth would not."""


@dataclass(frozen=True)
class Wish:
    """What the person allows: `only` and `skip` are finding codes, empty `only` means all."""

    rebuild: bool = True
    wheelhouse: str | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()


Cure = Callable[["Case"], Result]


def _by(command: str, *, offline: bool = False) -> Cure:
    """A remedy that is a command of its own: the same function, under the lock that `heal` holds already."""

    def cure(case: Case) -> Result:
        more: dict[str, Any] = {"wheelhouse": case.wish.wheelhouse, "progress": case.shown} if offline else {}
        apply = getattr(importlib.import_module("clinic.flow"), command)
        result: Result = apply(case.who.settings, None if case.who.own else case.who.venv, **more)
        return result

    return cure


CURES: Mapping[str, Cure] = {
    "fix-cfg": _by("fix_cfg"),
    "rebuild": _by("rebuild", offline=True),
}
"""How each remedy that `plan` can choose is applied."""


@dataclass
class Case:
    """One healing: whom, within which limits, and what came of it so far."""

    who: Patient
    wish: Wish
    shown: Steps
    receipts: list[Receipt] = field(default_factory=list)
    errors: list[ClinicError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    spent: set[str] = field(default_factory=set)
    """Remedies that were refused or did not hold."""
    rounds: int = 0

    @property
    def mended(self) -> bool:
        """Whether anything was changed for good."""
        return any(receipt.outcome == "done" for receipt in self.receipts)

    def course(self, facts: Facts, diagnosis: Diagnosis) -> tuple[str, ...]:
        """What to apply now, cheapest first."""
        without = frozenset(self.spent | (set() if self.wish.rebuild else {"rebuild"}))
        known = facts.search.base is not None
        return plan.course(self.chosen(diagnosis.findings), base_known=known, without=without)

    def chosen(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        """The damages to cure: what makes it sick, or what was named by hand."""
        return tuple(
            finding
            for finding in findings
            if finding.code not in self.wish.skip
            and (finding.code in self.wish.only if self.wish.only else finding.severity != "advice")
        )

    def apply(self, remedy: str) -> Result | None:
        """Apply one remedy; None where nothing came of it. One that fails is spent: the next round escalates."""
        self.shown.step(f"Applying {remedy}")
        try:
            result = CURES[remedy](self)
        except ClinicError as error:
            self.errors.append(error)
            self.spent.add(remedy)
            return None
        done: list[Receipt] = list(result.data.get("receipts", []))
        self.receipts += done
        self.notes += result.notes
        self.errors += result.errors
        if result.exit_code or not done:
            self.spent.add(remedy)
        return result if done else None


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
    case = Case(patient(settings, venv), asked, progress or Steps())
    with locked(case.who.records, "heal", dry_run=dry_run) as recovered:
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


def _look(who: Patient) -> Seen:
    """Environment, server and the service's module at once: all three mostly wait, and two cores can."""
    from clinic.checklist import environment
    from clinic.service import manager

    with ThreadPoolExecutor(2) as pool:
        server = pool.submit(manager.status, who.settings)
        # Not of a python that might run for ever: a glance tells, and costs nothing.
        fit = not any(finding.severity == "fatal" for finding in examine(glance(who.venv)))
        asked = pool.submit(environment.ask, who.venv, who.settings) if fit else None
        facts = who.look()
        return Seen(facts, judge(who, facts), server.result(), asked.result if asked else None)


def _healed(case: Case, seen: Seen) -> Result:
    """Act, serve, look again; until nothing is left that somebody can cure, in three rounds at most."""
    facts, diagnosis = seen.facts, seen.diagnosis
    while True:
        facts, diagnosis, unsure = _cured(case, facts, diagnosis)
        fit = not any(finding.severity == "fatal" for finding in diagnosis.findings)
        wanted = server_again.wish(seen.server, mended=case.mended, fit=fit)
        with ThreadPoolExecutor(1) as pool:
            # A remedy's own proof is enough to serve on; the second look happens while the server boots.
            looking = pool.submit(case.who.look) if unsure else None
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
            facts = case.who.look()
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
    failed = after.sick or wanted.failed or any(check.status == "fail" for check in checks)
    found = before.sick or bool(case.receipts) or wanted.verb != ""
    word: OutcomeWord = "sick" if failed else "cured" if found else "unchanged"
    data: dict[str, Any] = {
        "before": as_data(before),
        "after": as_data(after),
        "receipts": case.receipts,
        "checks": checks,
        "server": {"state": now.state, "pid": now.pid, "done": wanted.said or "left alone"},
    }
    result = Result("heal", word, int(failed), data, tuple(case.errors) if failed else (), notes=_notes(case, failed))
    return _archived(case.who, result) if found or failed else result


def _notes(case: Case, failed: bool) -> tuple[str, ...]:
    passed = () if failed else tuple(f"{error.code}: {error.message}" for error in case.errors)
    return (*case.notes, *passed)


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
    return Result("heal", "planned", int(bool(left)), data, notes=tuple(case.notes))


def _cures(remedy: str, findings: Sequence[Finding]) -> str:
    return "cures " + ", ".join(finding.code for finding in findings if remedy in finding.cured_by)
