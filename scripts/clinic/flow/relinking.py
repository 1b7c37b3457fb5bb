"""Relinking: the interpreter laid anew, every package kept; proved by asking it who it is, or put back."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from clinic.checks.reading import base_is_gone
from clinic.errors import FailedError
from clinic.facts import Facts
from clinic.flow import holding
from clinic.flow.patient import Patient, as_data, judge, patient
from clinic.flow.repair import damage, drafted, locked, packages_hurt, proved, told
from clinic.model import Diagnosis, Receipt, Result
from clinic.remedies import fix_cfg
from clinic.remedies import relink as remedy
from clinic.settings import Settings

_TRUTH = frozenset({"cfg-version-mismatch", "cfg-executable-mismatch"})
"""Advice about the file that is followed on the way: it is to name the base that the interpreter leads to."""


def relink(
    settings: Settings, venv: str | Path | None = None, *, dry_run: bool = False, imports: bool = True
) -> Result:
    """Put the interpreter's files back, and pyvenv.cfg where it does not name the base; prove it, or put all back.

    Without `imports` the packages are not tried: the monitor's next start tries them sooner and better.
    Raises RefusedError before anything is touched.
    """
    who = patient(settings, venv)
    with locked(who, remedy.NAME, dry_run=dry_run) as recovered:
        facts = who.look(imports=False)
        before = judge(who, facts)
        if not any(remedy.NAME in finding.cured_by for finding in before.findings):
            return _nothing_to_do(before, told(recovered))
        draft = remedy.draft(facts, _cfg(who, facts, before))
        if draft.is_empty:
            return _nothing_to_do(before, told(recovered))
        notes = (*told(recovered), f"base interpreter: {draft.base.executable} ({draft.base.dotted}), {draft.proof}")
        if dry_run:
            return _planned(before, draft, notes)
        notes += holding.told_or_refused(settings, who.venv)
        look = partial(who.look, base=draft.base.executable, imports=imports)
        hurt = partial(packages_hurt, who)
        receipt, after, objection = remedy.apply(draft, who.records, look, hurt, **damage(facts, before))
        if objection:
            return _put_back(who, before, receipt, objection, notes)
        return _ended(before, judge(who, after), receipt, after, notes)


def _cfg(who: Patient, facts: Facts, before: Diagnosis) -> fix_cfg.Draft | None:
    """The new pyvenv.cfg, where the old one is damaged or does not name the base."""
    wrong = [finding for finding in before.findings if fix_cfg.NAME in finding.cured_by]
    if not base_is_gone(facts) and not any(each.severity != "advice" or each.code in _TRUTH for each in wrong):
        return None
    draft = drafted(who, facts)
    return None if draft.is_there else draft


def _nothing_to_do(before: Diagnosis, notes: tuple[str, ...]) -> Result:
    data = {"before": as_data(before), "after": as_data(before), "receipts": []}
    return Result(remedy.NAME, "sick" if before.sick else "unchanged", int(before.sick), data, notes=notes)


def _planned(before: Diagnosis, draft: remedy.Draft, notes: tuple[str, ...]) -> Result:
    steps = [*map(str, draft.steps), *([f"write {draft.cfg.path}"] if draft.cfg else [])]
    helps = {remedy.NAME, fix_cfg.NAME} if draft.cfg else {remedy.NAME}
    left = [each for each in before.findings if each.severity != "advice" and not helps & set(each.cured_by)]
    data: dict[str, Any] = {"before": as_data(before), "plan": steps, "receipts": []}
    return Result(remedy.NAME, "planned", int(bool(left)), data, notes=notes)


def _put_back(who: Patient, before: Diagnosis, receipt: Receipt, objection: str, notes: tuple[str, ...]) -> Result:
    error = FailedError(
        "not-proved",
        f"The interpreter that was laid did not hold: {objection}. The old state is back.",
        f"invoke rebuild{who.flags}",
    )
    data = {"before": as_data(before), "after": as_data(before), "receipts": [receipt]}
    return Result(remedy.NAME, "failed", 1, data, (error,), notes=notes)


def _ended(before: Diagnosis, after: Diagnosis, receipt: Receipt, facts: Facts, notes: tuple[str, ...]) -> Result:
    data = {"before": as_data(before), "after": as_data(after), "receipts": [receipt], "proof": proved(facts)}
    return Result(remedy.NAME, "sick" if after.sick else "cured", int(after.sick), data, notes=notes)
