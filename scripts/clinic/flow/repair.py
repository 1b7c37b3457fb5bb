"""Repairing: lock, look, act, look again; and taking a repair back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

from clinic import plan
from clinic.checks import CHECKS
from clinic.checks.starters import HURT
from clinic.errors import BusyError, FailedError, RefusedError
from clinic.facts import Facts
from clinic.flow.interruption import repairs_told
from clinic.flow.patient import Patient, as_data, judge, patient
from clinic.lock import of_environment
from clinic.model import Diagnosis, Receipt, Result
from clinic.records import Entry
from clinic.remedies import fix_cfg as remedy
from clinic.remedies import staging
from clinic.settings import Settings


def fix_cfg(
    settings: Settings,
    venv: str | Path | None = None,
    *,
    base: str | None = None,
    dry_run: bool = False,
    imports: bool = True,
    spare: frozenset[str] = frozenset(),
) -> Result:
    """Restore pyvenv.cfg from evidence and prove it, or put everything back.

    Without `imports` the packages are not tried: the monitor's next start tries them sooner and better. The findings
    in `spare` are to be left alone: they are no reason to act, and do not speak against the new file.
    """
    who = patient(settings, venv)
    with locked(who, remedy.NAME, dry_run=dry_run) as recovered:
        facts = who.look(imports=False, base=_base_flag(base))
        before = judge(who, facts)
        _refuse_what_it_cannot_cure(who, facts, before)
        mine = [finding for finding in before.findings if remedy.NAME in finding.cured_by]
        curable = [finding for finding in mine if finding.code not in spare]
        if not curable and base is None:
            return _nothing_to_do(before, told(recovered))
        # Only what is seen can be meant: a key that a greater damage took along comes back with the rest.
        draft = drafted(who, facts, spare & {finding.code for finding in before.findings})
        imports = imports and not _of_packages(spare)
        if draft.is_there:
            return _nothing_to_do(before, told(recovered))
        notes = (*told(recovered), *_spoken(draft))
        if dry_run:
            return _planned(before, draft, notes)
        look = _proof(who, draft, imports=imports)
        hurt = partial(packages_hurt, who)
        left = partial(_left, who, spare)
        found = damage(facts, before)
        receipt, after, objection = remedy.apply(draft, who.records, who.venv, look, hurt, left, **found)
        if objection:
            return _put_back(who, before, receipt, objection, notes)
        return _ended(judge(who, after), before, receipt, after, notes)


def _left(who: Patient, spare: frozenset[str], after: Facts) -> str:
    """What this repair should have mended and is still found; empty where nothing is."""
    still = (f for f in judge(who, after).findings if remedy.NAME in f.cured_by and f.severity != "advice")
    return next((f"{f.code} is still found: {f.evidence[0]}" for f in still if f.code not in spare), "")


def damage(facts: Facts, before: Diagnosis) -> dict[str, Any]:
    """What goes on record with a repair: what it found, and since when installs could go past the environment."""
    past = {"escaped_since": facts.escape.since} if facts.escape and facts.escape.is_open else {}
    return {"before": before.verdict, **past}


def _base_flag(base: str | None) -> Path | None:
    if base is None:
        return None
    import shutil

    found = shutil.which(base)
    if found is None:
        raise RefusedError("base-missing", f"--base {base}: there is no such program.", "invoke fix-cfg --base PYTHON")
    return Path(found).absolute()


def _refuse_what_it_cannot_cure(who: Patient, facts: Facts, before: Diagnosis) -> None:
    beyond = [finding for finding in before.findings if finding.code in HURT]
    if facts.tree is None:
        reason = before.findings[0].evidence[0] if before.findings else f"nothing is at {who.venv}"
        raise RefusedError(
            "no-environment", f"{reason}; there is no pyvenv.cfg to restore.", f"invoke rebuild{who.flags}"
        )
    if beyond:
        cheap = plan.course(before.findings, base_known=facts.search.base is not None, without=frozenset({"rebuild"}))
        raise RefusedError(
            beyond[0].code,
            f"{beyond[0].evidence[0]}; pyvenv.cfg alone cannot bring it back. Nothing was touched.",
            f"{plan.command('heal' if 'relink' in cheap else 'rebuild')}{who.flags}",
        )


def drafted(who: Patient, facts: Facts, spare: frozenset[str] = frozenset()) -> remedy.Draft:
    """What pyvenv.cfg must say; the keys of the codes in `spare` stay. Raises RefusedError where no base is proven."""
    setting = who.settings.environment.system_site_packages
    return remedy.draft(facts, setting=setting, snapshot=who.snapshot, spare=spare)


def _of_packages(spare: frozenset[str]) -> bool:
    """Whether damage that no pyvenv.cfg cures is to be left alone: then a failed import proves nothing about one."""
    return any(check.code in spare and remedy.NAME not in check.cured_by for check in CHECKS)


def _proof(who: Patient, draft: remedy.Draft, *, imports: bool) -> Callable[[], Facts]:
    return lambda: who.look(base=draft.base.executable, imports=imports)


def packages_hurt(who: Patient) -> bool:
    """Whether files or distributions are found hurt, so that a failing import says nothing of pyvenv.cfg."""
    found = judge(who, who.look(imports=False, deep=True)).findings
    return any("reinstall" in finding.cured_by and finding.severity != "advice" for finding in found)


def _spoken(draft: remedy.Draft) -> tuple[str, ...]:
    choice = str(draft.include).lower()
    return (
        f"base interpreter: {draft.base.executable} ({draft.base.dotted}), because {draft.proof}",
        f"include-system-site-packages: {choice} ({draft.include_proof})",
        *([f"text of the file: from {draft.source}"] if draft.source else []),
    )


def _end(entry: Entry) -> str:
    if entry.state == "restored" and not entry.put_back_now:
        return "had changed nothing, or was put back before"
    return _ENDS.get(entry.state, entry.state)


_ENDS = {"done": "was finished", "restored": "was put back", "overtaken": "was left as it is"}


def told(recovered: list[Entry]) -> tuple[str, ...]:
    """What became of runs that were killed."""
    return tuple(
        f"an interrupted {entry.remedy} of {entry.venv} {_end(entry)}"
        + (f": {entry.why}" if entry.why else "")
        + (f"; what it had replaced is kept in {entry.stash}" if entry.state == "overtaken" and entry.stash else "")
        for entry in recovered
    )


def _nothing_to_do(before: Diagnosis, notes: tuple[str, ...]) -> Result:
    data = {"before": as_data(before), "after": as_data(before), "receipts": []}
    return Result(remedy.NAME, "sick" if before.sick else "unchanged", int(before.sick), data, notes=notes)


def _planned(before: Diagnosis, draft: remedy.Draft, notes: tuple[str, ...]) -> Result:
    remaining = tuple(finding for finding in before.findings if remedy.NAME not in finding.cured_by)
    steps = [f"write {draft.path}", *(f"move {stray} to the stash" for stray in draft.strays)]
    data: dict[str, Any] = {
        "before": as_data(before),
        "plan": steps,
        "content": draft.data.decode("utf-8"),
        "receipts": [],
    }
    sick = any(finding.severity != "advice" for finding in remaining)
    return Result(remedy.NAME, "planned", int(sick), data, notes=notes)


def _put_back(who: Patient, before: Diagnosis, receipt: Receipt, objection: str, notes: tuple[str, ...]) -> Result:
    error = FailedError(
        "not-proved",
        f"The new pyvenv.cfg did not hold: {objection}. The old state is back.",
        f"invoke rebuild{who.flags}",
    )
    data = {"before": as_data(before), "after": as_data(before), "receipts": [receipt]}
    return Result(remedy.NAME, "failed", 1, data, (error,), notes=notes)


def _ended(after: Diagnosis, before: Diagnosis, receipt: Receipt, facts: Facts, notes: tuple[str, ...]) -> Result:
    data = {
        "before": as_data(before),
        "after": as_data(after),
        "receipts": [receipt],
        "proof": proved(facts),
    }
    return Result(remedy.NAME, "sick" if after.sick else "cured", int(after.sick), data, notes=notes)


def proved(facts: Facts) -> dict[str, Any]:
    """What the environment's python said of itself."""
    from clinic.facts import Self

    me = facts.me
    if not isinstance(me, Self):
        return {}
    return {
        "prefix": me.interpreter.prefix,
        "base_prefix": me.interpreter.base_prefix,
        "version": me.interpreter.version_text,
        "free_threaded": me.interpreter.flavour.free_threaded,
        "imports": {name: error or "ok" for name, error in me.imports},
        "import_seconds": round(me.import_seconds, 3),
    }


_HELD: ContextVar[frozenset[Path]] = ContextVar("_HELD", default=frozenset())
"""The locks that this run holds already: `heal` takes one for all the remedies that it applies."""


def locked(who: Patient, command: str, *, dry_run: bool) -> AbstractContextManager[list[Entry]]:
    """The environment's lock, for what changes something; yields what became of runs that were killed."""
    if dry_run:
        with suppress(OSError):  # a folder that can't be read is found by the look
            who.records.refuse_other_folder()
    return nullcontext([]) if dry_run or of_environment(who.venv) in _HELD.get() else _hold(who, command)


@contextmanager
def _hold(who: Patient, command: str) -> Iterator[list[Entry]]:
    with who.records.lock(command, who.venv) as recovered, repairs_told(who.records):
        token = _HELD.set(_HELD.get() | {of_environment(who.venv)})
        try:
            for left in staging.leftovers(who.venv):
                staging.discard(left)
            yield recovered
        finally:
            _HELD.reset(token)


def recover_first(who: Patient) -> tuple[str, ...]:
    """Before something runs from the environment: put back what a killed run left. A run that works is left alone."""
    if not who.records.interrupted(who.venv):
        return ()
    with suppress(BusyError), locked(who, "recover", dry_run=False) as recovered:
        return told(recovered)
    return ()
