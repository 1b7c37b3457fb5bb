"""Repairing: lock, look, act, look again; and taking a repair back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

from clinic import plan
from clinic.checks import CHECKS
from clinic.checks.starters import HURT
from clinic.errors import ClinicError, FailedError, RefusedError
from clinic.facts import Facts
from clinic.flow.interruption import repairs_told
from clinic.flow.patient import Patient, as_data, judge, patient
from clinic.model import Diagnosis, Receipt, Result
from clinic.records import Entry, Records
from clinic.remedies import fix_cfg as remedy
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
    with locked(who.records, remedy.NAME, dry_run=dry_run) as recovered:
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
        receipt, after, objection = remedy.apply(draft, who.records, who.venv, look, hurt, left, **damage(facts))
        if objection:
            return _put_back(who, before, receipt, objection, notes)
        return _ended(judge(who, after), before, receipt, after, notes)


def _left(who: Patient, spare: frozenset[str], after: Facts) -> str:
    """What this repair should have mended and is still found; empty where nothing is."""
    still = (f for f in judge(who, after).findings if remedy.NAME in f.cured_by and f.severity != "advice")
    return next((f"{f.code} is still found: {f.evidence[0]}" for f in still if f.code not in spare), "")


def damage(facts: Facts) -> dict[str, Any]:
    """What goes on record with a repair: since when installs could go past the environment, if they could."""
    return {"escaped_since": facts.escape.since} if facts.escape and facts.escape.is_open else {}


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


def told(recovered: list[Entry]) -> tuple[str, ...]:
    """What became of runs that were killed."""
    ends = {True: "was finished", False: "was put back"}
    return tuple(f"an interrupted {entry.remedy} of {entry.venv} {ends[entry.state == 'done']}" for entry in recovered)


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


_HELD: ContextVar[Path | None] = ContextVar("_HELD", default=None)
"""The records whose lock this run holds already: `heal` takes it once for all the remedies that it applies."""


def locked(records: Records, command: str, *, dry_run: bool) -> AbstractContextManager[list[Entry]]:
    """The lock between runs, for what changes something."""
    return nullcontext([]) if dry_run or _HELD.get() == records.folder else _hold(records, command)


@contextmanager
def _hold(records: Records, command: str) -> Iterator[list[Entry]]:
    with records.lock(command) as recovered, repairs_told(records):
        token = _HELD.set(records.folder)
        try:
            yield recovered
        finally:
            _HELD.reset(token)


def undo(settings: Settings, venv: str | Path | None = None, *, dry_run: bool = False) -> Result:
    """Put back what the last repair replaced; what stands there now is kept in the stash."""
    who = patient(settings, venv)
    with locked(who.records, "undo", dry_run=dry_run) as recovered:
        entry = who.records.last_done(who.venv if venv else None)
        if entry is None:
            return Result("undo", "unchanged", 0, {"receipts": []}, notes=("there is no repair to undo",))
        held = _held(who, entry)
        if dry_run:
            steps = [f"move {now} to the stash" for _, now in entry.brought]
            steps += [f"put back {was}" for was, _ in entry.moved] or [f"remove {path}" for path in entry.made]
            return Result("undo", "planned", 0, {"plan": steps, "receipts": []}, notes=held)
        receipt = _undone(who, entry)
        return Result("undo", "cured", 0, {"undone": entry.id, "receipts": [receipt]}, notes=(*told(recovered), *held))


_LIGHT = frozenset({remedy.NAME})
"""Remedies that replace nothing that a process holds."""


def _held(who: Patient, entry: Entry) -> tuple[str, ...]:
    from clinic.flow import holding

    return () if entry.remedy in _LIGHT else holding.told_or_refused(who.settings, entry.venv)


def _undone(who: Patient, entry: Entry) -> Receipt:
    """Put back; where the whole environment is swapped, the server that runs from it is restarted."""
    if entry.venv not in {was for was, _ in entry.moved} | {now for _, now in entry.brought}:
        return who.records.undo(entry)
    from clinic.flow.handover import Handover

    server = Handover(who.settings, entry.venv)
    server.before()
    receipt = who.records.undo(entry)
    try:
        server.after()
    except ClinicError as error:
        message = f"What was replaced is back in its place, and the server does not run from it: {error.message}"
        raise FailedError(error.code, message, f"invoke rebuild{who.flags}") from error
    return receipt


def undo_list(settings: Settings) -> Result:
    """Every repair on record, newest first."""
    entries = [
        {
            "id": entry.id,
            "remedy": entry.remedy,
            "venv": entry.venv,
            "started": entry.started,
            "state": entry.state,
            "changed": [*entry.made] or [was for was, _ in entry.moved],
            "stash": entry.stash,
        }
        for entry in reversed(Records(settings.records).entries())
    ]
    return Result("undo", "unchanged", 0, {"entries": entries})
