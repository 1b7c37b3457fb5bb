"""Whom a run is about: settings, the environment's place, its lock, its records; and looking at it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinic import proc
from clinic.anatomy import layout
from clinic.anatomy.ownership import Owners, callers
from clinic.errors import RefusedError
from clinic.facts import Facts, Known
from clinic.model import Diagnosis
from clinic.settings import Settings

if TYPE_CHECKING:
    from clinic.observe import Whole
    from clinic.records import Records


TRUST = "INVOKE_CLINIC_ENVIRONMENT_TRUST"


@dataclass(frozen=True)
class Patient:
    """One environment, looked at on behalf of one project."""

    settings: Settings
    venv: Path
    own: bool
    """Whether it is the project's own: only then do its lock and its imports say what must be in it."""
    trusts_all: bool = False
    """Whether it may be run whoever it belongs to."""

    @cached_property
    def records(self) -> Records:
        """Where this project's repairs are recorded."""
        from clinic.records import Records

        return Records(self.settings.records, self.settings.root)

    @cached_property
    def snapshot(self) -> Mapping[str, Any] | None:
        """The last known-good state, if one was recorded."""
        return self.records.snapshot(self.venv)

    @property
    def flags(self) -> str:
        """What leads a command to this environment, as typed after its name."""
        return "" if self.own else f" --venv {proc.quoted(self.venv)}"

    @property
    def imports(self) -> tuple[str, ...]:
        """The modules that must be importable."""
        return self.settings.environment.imports if self.own else ()

    def look(
        self,
        *,
        imports: bool = True,
        base: Path | None = None,
        deep: bool = False,
        say: Callable[[int, int], object] = lambda _done, _all: None,
        later: list[Whole] | None = None,
        whosever: bool = False,
    ) -> Facts:
        """Observe it; reads only. `deep` compares every file with its RECORD, and tells `say` how many are done.

        With `later`, its python is not waited for (see `observe`). Raises RefusedError where it may be somebody else's
        work, so that it was not run; with `whosever`, the facts say so.
        """
        from clinic.anatomy import lock
        from clinic.observe import observe

        pins = lock.read(self.settings.environment.requirements) if self.own else ()
        facts = observe(
            self.venv,
            owners=self.owners,
            imports=self.imports if imports else (),
            locked=lambda flavour: lock.wanted(pins, flavour),
            base=base,
            wants_system_site=self._wants_system_site(),
            known=self.known,
            deep=deep,
            environ=os.environ,
            say=say,
            later=later,
        )
        return facts if whosever else self._trusted(facts)

    def glance(self) -> Facts:
        """Observe it without running anything. Raises RefusedError if it belongs to another user.

        Permission bits are left to the repairs: a service that ran from a folder like /tmp has to start again.
        """
        from clinic.observe import glance

        return self._trusted(glance(self.venv, replace(self.owners, modes=False) if self.owners else None))

    def _trusted(self, facts: Facts) -> Facts:
        if not facts.distrust:
            return facts
        raise RefusedError(
            "not-trusted",
            f"{facts.distrust[0]}: nothing of {self.venv} was run, and nothing was touched.",
            f"if you trust it: {TRUST}={proc.quoted(self.venv)}, or clinic.environment.trust in ~/.invoke.yaml",
        )

    @property
    def owners(self) -> Owners | None:
        """Whose files may be run; None where that is no question."""
        if self.trusts_all or os.name == "nt":
            return None
        return Owners(callers(os.environ), self.settings.environment.trust)

    @property
    def known(self) -> Known:
        """What the records say of it."""
        told = self.snapshot or {}
        base, taken = told.get("base"), told.get("time", 0.0)
        mended, escapes = self.records.past_of(self.venv)
        return Known(Path(base) if base else None, max(taken, mended), escapes)

    def _wants_system_site(self) -> bool | None:
        setting = self.settings.environment.system_site_packages
        if setting != "auto":
            return setting
        told = (self.snapshot or {}).get("system_site")
        return told if isinstance(told, bool) else None


def patient(settings: Settings, venv: str | Path | None = None) -> Patient:
    """The environment that a flag names, or the project's own.

    Raises RefusedError where neither is there to name, and where a whole Python lies there.
    """
    who = _named(settings, venv)
    refuse_whole_python(who.venv)
    return who


def refuse_whole_python(folder: Path) -> None:
    """Raise RefusedError for a base installation or a conda environment: nothing is written into one."""
    if what := layout.whole_python(folder):
        place = proc.quoted(folder)
        raise RefusedError(
            "whole-python",
            f"{folder} is {what}: a whole Python, and no virtual environment. Nothing was touched.",
            f"conda env update --prefix {place}" if "conda" in what else "invoke diagnose --venv PATH",
        )


def _named(settings: Settings, venv: str | Path | None) -> Patient:
    own = layout.locate(settings.root, settings.environment.path)
    if venv is None:
        return Patient(settings, own or settings.root / layout.MANAGED, own=True)
    if not str(venv).strip() or "\0" in str(venv):
        raise RefusedError("bad-path", f"--venv {venv!r} is not a path.", "invoke diagnose --venv PATH")
    path = Path(os.path.abspath(Path(venv).expanduser()))  # noqa: PTH100 - resolve() would follow links
    known = [own, *layout.candidates(settings.root)] if settings.environment.path is None else [own]
    followed = layout.redirected(path)
    is_own = any(place is not None and (_same(place, path) or _same(place, followed)) for place in known)
    return Patient(settings, followed, own=is_own)


def _same(one: Path, other: Path) -> bool:
    return os.path.normcase(os.path.abspath(one)) == os.path.normcase(other)  # noqa: PTH100


def judge(who: Patient, facts: Facts) -> Diagnosis:
    """Findings, ways out and next actions from facts."""
    from clinic import plan
    from clinic.checks import examine, variables, verdict

    findings = examine(facts)
    inside = tuple(finding for finding in findings if finding.code not in variables.CODES)
    known = facts.search.base is not None
    by_hand = variables.actions(facts, powershell=os.name == "nt")
    return Diagnosis(
        venv=who.venv,
        verdict=verdict(findings),
        findings=findings,
        options=plan.options(inside, base_known=known),
        next_actions=(*plan.next_actions(inside, base_known=known, flags=who.flags), *by_hand),
    )


def as_data(diagnosis: Diagnosis) -> dict[str, Any]:
    """A diagnosis under the contract's keys."""
    return {
        "venv": diagnosis.venv,
        "verdict": diagnosis.verdict,
        "findings": diagnosis.findings,
        "options": diagnosis.options,
        "next_actions": diagnosis.next_actions,
    }


def changed_since(who: Patient, facts: Facts) -> dict[str, Any]:
    """What has changed since the last known-good state, where one was recorded and an environment is there."""
    if who.snapshot is None or facts.tree is None or facts.distrust:
        return {}
    from clinic import changes
    from clinic.observe.state import state_of

    return {"changed_since": changes.between(who.snapshot, state_of(facts))}
