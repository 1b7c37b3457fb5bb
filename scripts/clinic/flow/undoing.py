"""`undo`: says which repair it takes back, looks before and after, and makes nothing healthy worse unasked."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clinic.errors import ClinicError, FailedError, RefusedError
from clinic.flow import server_again
from clinic.flow.patient import Patient, as_data, judge, patient
from clinic.flow.repair import locked, told
from clinic.model import Diagnosis, Receipt, RemedyOutcome, Result
from clinic.records import Entry, Records
from clinic.records.expiry import size_of
from clinic.remedies import fix_cfg
from clinic.report.progress import Steps
from clinic.settings import Settings

_LIGHT = frozenset({fix_cfg.NAME})
"""Remedies that replace nothing that a process holds."""


def undo(
    settings: Settings,
    venv: str | Path | None = None,
    *,
    entry_id: str = "",
    yes: bool = False,
    dry_run: bool = False,
) -> Result:
    """Take back the newest repair that holds, or the one named; what stands there now is kept, and undo can be undone.

    Raises RefusedError before anything is touched, FailedError after everything was put back.
    """
    who = _whose(settings, venv, entry_id)
    with locked(who, "undo", dry_run=dry_run) as recovered:
        if not all(map(_is_still_to_do, recovered)):
            return _stopped(recovered)
        if dry_run and (left := who.records.interrupted(who.venv)):
            return _planned_stop(left)
        entry, note = _chosen(who, entry_id)
        if entry is None:
            return Result("undo", "unchanged", 0, {"receipts": []}, notes=(*told(recovered), note))
        who.records.refuse_impossible(entry)
        before = judge(who, who.look())
        _refuse_to_harm(entry, before, yes=yes)
        notes = (*told(recovered), _named(entry), *_held(who, entry))
        if dry_run:
            steps = [f"put back {path}" for path in entry.changed]
            data = {"undone": entry.id, "before": as_data(before), "plan": steps, "receipts": []}
            return Result("undo", "planned", 0, data, notes=notes)
        return _undone(who, entry, before, yes=yes, notes=notes)


def _whose(settings: Settings, venv: str | Path | None, entry_id: str) -> Patient:
    """The environment of the repair that is named, else of `--venv`, else of the newest repair of this project."""
    records = Records(settings.records, settings.root)
    if entry_id:
        entry = _by_id(records, entry_id)
        if entry.state == "foreign":  # nothing is locked or cleared away beside another project's environment
            records.refuse_impossible(entry)
        return _patient_of(settings, entry)
    if venv is not None:
        return patient(settings, venv)
    newest = next((each for each in reversed(records.entries()) if each.state in {"pending", "done"}), None)
    standing = next((each for each in records.standing() if each.is_of_this_generation()), None)
    chosen = newest if newest and newest.state == "pending" else standing
    return _patient_of(settings, chosen) if chosen else patient(settings)


def _patient_of(settings: Settings, entry: Entry) -> Patient:
    own = patient(settings)
    return own if own.venv == entry.venv else patient(settings, entry.venv)


def _by_id(records: Records, entry_id: str) -> Entry:
    entry = next((each for each in records.entries() if each.id == entry_id), None)
    if entry is None:
        raise RefusedError("no-such-repair", f"No repair {entry_id} is on record.", "invoke undo --list")
    return entry


def _chosen(who: Patient, entry_id: str) -> tuple[Entry | None, str]:
    if entry_id:
        return _by_id(who.records, entry_id), ""
    standing = who.records.standing(who.venv)
    for entry in standing:
        if entry.is_of_this_generation():
            return entry, ""
    if standing:
        return None, f"the repairs on record are of an environment that is not at {who.venv} any more"
    return None, "there is no repair to undo"


def _is_still_to_do(recovered: Entry) -> bool:
    """Whether it is an undo that has changed nothing: then the same undo is what was typed again."""
    return recovered.remedy in {"undo", "redo"} and recovered.state == "restored" and not recovered.put_back_now


def _stopped(recovered: list[Entry]) -> Result:
    """What was interrupted is taken back, or finished: that is enough for one time."""
    outcomes: dict[str, RemedyOutcome] = {"restored": "restored", "done": "done"}
    receipts = [entry.receipt(outcomes.get(entry.state, "refused")) for entry in recovered]
    undone = next((entry.id for entry in recovered if entry.put_back_now), None)
    notes = (*told(recovered), "nothing else was undone; invoke undo again takes back the repair before it")
    word = "cured" if undone else "unchanged"
    return Result("undo", word, 0, {"undone": undone, "receipts": receipts}, notes=notes)  # type: ignore[arg-type]


def _planned_stop(left: list[Entry]) -> Result:
    """What an undo would do about interrupted repairs: that, and nothing else."""
    steps = [
        f"{'finish' if entry.facts.get('proved') is True else 'put back'} an interrupted {entry.remedy}"
        for entry in left
    ]
    return Result("undo", "planned", 0, {"undone": None, "plan": steps, "receipts": []})


def _named(entry: Entry) -> str:
    made = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.started))
    what = f"{entry.remedy} of {entry.facts['of']}" if entry.facts.get("of") else entry.remedy
    return f"takes back: {what} of {entry.venv}, made {made} ({entry.id})"


def _refuse_to_harm(entry: Entry, before: Diagnosis, *, yes: bool) -> None:
    """A healthy environment is not made worse unasked; what the repair had found is on record."""
    found = entry.facts.get("before")
    if yes or before.sick or found == "healthy":
        return
    end = "there would be no environment" if found == "missing" else "it would be damaged again"
    raise RefusedError(
        "would-harm",
        f"{entry.venv} is healthy, and without this {entry.remedy} ({entry.id}) {end}. Nothing was touched.",
        f"invoke undo {entry.id} --yes",
    )


def _held(who: Patient, entry: Entry) -> tuple[str, ...]:
    from clinic.flow import holding

    return () if entry.remedy in _LIGHT else holding.told_or_refused(who.settings, entry.venv)


def _undone(who: Patient, entry: Entry, before: Diagnosis, *, yes: bool, notes: tuple[str, ...]) -> Result:
    """Put back; where the whole environment is swapped, the server that runs from it is restarted."""
    seen: list[Diagnosis] = []

    def look() -> None:
        seen.append(judge(who, who.look()))
        if seen[0].sick and not (before.sick or yes):
            raise FailedError(
                "would-harm",
                f"Without this {entry.remedy} it is damaged: {seen[0].findings[0].evidence[0]}."
                " Everything is as it was before.",
                f"invoke undo {entry.id} --yes",
            )

    error: ClinicError | None = None
    if entry.is_of_whole:
        receipt, error = _swapped_back(who, entry, before, look)
    else:
        receipt = who.records.undo(entry, look, before=before.verdict)
    data = {"undone": entry.id, "before": as_data(before), "after": as_data(seen[0]), "receipts": [receipt]}
    notes += (f"invoke undo {receipt.id} takes that back",)
    if not error:
        done, error = server_again.after_damage(who, before, seen[0], Steps())
        data |= {"server": done} if done else {}
    return Result(
        "undo", "failed" if error else "cured", int(bool(error)), data, (error,) if error else (), notes=notes
    )


def _swapped_back(
    who: Patient, entry: Entry, before: Diagnosis, look: Callable[[], None]
) -> tuple[Receipt, ClinicError | None]:
    from clinic.flow.handover import Handover

    server = Handover(who.settings, entry.venv)
    with server.told():
        server.before()
        try:
            receipt = who.records.undo(entry, look, before=before.verdict)
        except BaseException:
            server.back()
            raise
        return receipt, _served_again(server.after, f"invoke rebuild{who.flags}")


def _served_again(after: Callable[[], None], hint: str) -> ClinicError | None:
    try:
        after()
    except ClinicError as error:
        message = f"What was replaced is back in its place, and the server does not run from it: {error.message}"
        return FailedError(error.code, message, hint)
    return None


def undo_list(settings: Settings) -> Result:
    """Every repair on record, newest first."""
    return Result(
        "undo", "unchanged", 0, {"entries": [*map(_row, reversed(Records(settings.records, settings.root).entries()))]}
    )


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "remedy": entry.remedy,
        "venv": entry.venv,
        "started": entry.started,
        "state": entry.state,
        "why": entry.why,
        "undoes": entry.facts.get("undone"),
        "changed": entry.changed,
        "stash": entry.stash,
        "size": size_of(entry),
    }
