"""One healing: whom, within which limits, by which remedies, and what came of it so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clinic import plan
from clinic.checks.concerned import makes_cfg_untrue
from clinic.errors import ClinicError, FailedError, MachineError
from clinic.facts import Facts
from clinic.flow.patient import Patient, patient
from clinic.model import Diagnosis, Finding, Receipt, Result
from clinic.report.progress import Steps


@dataclass(frozen=True)
class Wish:
    """What the person allows: `only` and `skip` are finding codes, empty `only` means all."""

    rebuild: bool = True
    wheelhouse: str | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()

    def spares(self, code: str) -> bool:
        """Whether a finding is to be left alone by name."""
        return code in self.skip or bool(self.only and code not in self.only)


Cure = Callable[["Case"], Result]


# Remedies are commands of their own: the same functions, under the lock that `heal` holds already.


def _relink(case: Case) -> Result:
    from clinic.flow import relink

    return relink(case.who.settings, case.venv)


def _rebuild(case: Case) -> Result:
    from clinic.flow import rebuild

    house, shown = case.wish.wheelhouse, case.shown
    return rebuild(case.who.settings, case.venv, wheelhouse=house, progress=shown, serves=False)


def _fix_cfg(case: Case) -> Result:
    from clinic.checks import CHECKS
    from clinic.flow import fix_cfg

    spare = frozenset(check.code for check in CHECKS if case.wish.spares(check.code))
    return fix_cfg(case.who.settings, case.venv, spare=spare)


def _reinstall(case: Case) -> Result:
    from clinic.flow import reinstall

    house, shown = case.wish.wheelhouse, case.shown
    return reinstall(case.who.settings, case.venv, only=case.codes, wheelhouse=house, progress=shown, facts=case.facts)


def _rescript(case: Case) -> Result:
    from clinic.flow import rescript

    return rescript(case.who.settings, case.venv, only=case.codes, progress=case.shown)


CURES: Mapping[str, Cure] = {
    "fix-cfg": _fix_cfg,
    "relink": _relink,
    "rescript": _rescript,
    "reinstall": _reinstall,
    "rebuild": _rebuild,
}
"""How each remedy that `plan` can choose is applied."""


@dataclass
class Case:
    """One healing: whom, within which limits, and what came of it so far."""

    who: Patient
    wish: Wish
    shown: Steps
    venv: str | Path | None = None
    """What `--venv` says, if it says anything."""
    receipts: list[Receipt] = field(default_factory=list)
    errors: list[ClinicError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    spent: set[str] = field(default_factory=set)
    """Remedies that were refused or did not hold."""
    stopped: bool = False
    """Whether this machine failed on the way: no other repair gets round a full disk."""
    rounds: int = 0
    codes: tuple[str, ...] = ()
    """The damages that the course was chosen for."""
    facts: Facts | None = None
    """What that choice was made on, as long as nothing of the course was applied."""

    @property
    def mended(self) -> bool:
        """Whether anything was changed for good."""
        return any(receipt.outcome == "done" for receipt in self.receipts)

    def course(self, facts: Facts, diagnosis: Diagnosis) -> tuple[str, ...]:
        """What to apply now, cheapest first."""
        if self.stopped:
            return ()
        without = frozenset(self.spent | (set() if self.wish.rebuild else {"rebuild"}))
        self.facts, known = facts, facts.search.base is not None
        chosen = self.chosen(diagnosis.findings)
        course = plan.course(chosen, base_known=known, without=without)
        self.codes = tuple(finding.code for finding in (*chosen, *self._on_the_way(course, diagnosis.findings)))
        return course

    def _on_the_way(self, course: Sequence[str], findings: Sequence[Finding]) -> list[Finding]:
        """Advice that costs nothing to follow once a remedy for it is applied anyway."""
        from clinic.flow.reinstalling import COSTS_NOTHING

        if self.wish.only or "reinstall" not in course:
            return []
        return [f for f in findings if f.code in COSTS_NOTHING and f.code not in self.wish.skip]

    def chosen(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        """The damages to cure: what makes it sick or fails the checklist, or what was named by hand."""
        return tuple(
            finding
            for finding in findings
            if not self.wish.spares(finding.code)
            and (self.wish.only or finding.severity != "advice" or makes_cfg_untrue(finding))
        )

    def in_vain(self, after: Diagnosis) -> bool:
        """Whether what was named by hand was tried, did not hold, and is still there, be it only advice."""
        tried = any(receipt.outcome == "restored" for receipt in self.receipts)
        tried = tried or any(isinstance(error, FailedError) for error in self.errors)
        return bool(self.wish.only and tried and self.chosen(after.findings))

    def _tell_what_came_along(self, remedy: str, result: Result) -> None:
        """A rebuild cures everything, and a reinstall all of a distribution, also what was to be left alone."""
        left = {finding.code for finding in result.data["after"]["findings"]}
        gone = {finding.code for finding in result.data["before"]["findings"]} - left
        if along := sorted(code for code in gone if self.wish.spares(code)):
            self.notes.append(f"{remedy} has cured {', '.join(along)} too: it cannot leave that alone")

    def apply(self, remedy: str) -> Result | None:
        """Apply one remedy; None where nothing came of it. One that fails is spent: the next round escalates.

        Raises MachineError where this machine fails before anything was mended.
        """
        if self.stopped:
            return None
        self.shown.step(f"Applying {remedy}")
        try:
            result = CURES[remedy](self)
        except ClinicError as error:
            self.stopped = isinstance(error, MachineError)
            if self.stopped and not self.mended:
                raise
            self.errors.append(error)
            self.spent.add(remedy)
            return None
        finally:
            self.facts = None
        done: list[Receipt] = list(result.data.get("receipts", []))
        self.receipts += done
        self.notes += result.notes
        self.errors += result.errors
        self._tell_what_came_along(remedy, result)
        held = any(receipt.outcome == "done" for receipt in done)
        left = bool(result.exit_code and (not held or self.chosen(result.data["after"]["findings"])))
        # What did not hold before may hold now that something else is mended.
        self.spent = (set() if held else self.spent) | ({remedy} if left or not held else set())
        # A first environment is named for its interpreter: it may lie elsewhere than was thought.
        self.who = patient(self.who.settings, self.venv)
        return result if done else None
