"""Taking back a repair that held: refused if that is not the thing any more that the repair made."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from clinic import fs
from clinic.errors import RefusedError
from clinic.model import Receipt
from clinic.records.entry import Entry, Step

if TYPE_CHECKING:
    from clinic.records import Records
    from clinic.records.transaction import Transaction

_LIST = "invoke undo --list"


def refuse_impossible(entry: Entry, later: list[Entry]) -> None:
    """Raise RefusedError if it can't be taken back. `later` are the repairs that stand and are newer, newest first.

    The code `overtaken` says that it never can: what it made was changed since, by no repair of ours.
    """
    if entry.state != "done":
        why = f": {entry.why}" if entry.why else ""
        raise RefusedError("not-undoable", f"{entry.id} is {entry.state}{why}. Nothing was changed.", _LIST)
    for step in entry.steps:
        for path in (step.path, step.kept, step.source):
            if path:
                entry.places.must_hold(path)
    changed = list(_altered(entry))
    if changed:
        raise _not_that_thing(entry, changed[0], later)
    lost = next((step.kept for step in entry.steps if step.kept and not fs.exists(step.kept)), None)
    if lost:
        raise RefusedError(
            "stash-lost",
            f"{lost} is gone from the stash, so {entry.remedy} can't be undone. Nothing was changed.",
            _LIST,
        )


def _altered(entry: Entry) -> Iterator[Path]:
    """What is at a place of its own and is not what it made. Bytecode does not count: python writes it as it likes."""
    if not entry.is_of_this_generation():
        yield entry.venv
        return
    last = {step.path: step for step in entry.steps}
    for path, step in last.items():
        above = any(other in last for other in path.parents if other.is_relative_to(entry.venv))
        if step.new and not above and path.suffix != ".pyc" and fs.exists(path) and not step.new.is_at(path):
            yield path


def _not_that_thing(entry: Entry, path: Path, later: list[Entry]) -> RefusedError:
    kept = f" What it replaced is kept in {entry.backup}." if entry.stash else ""
    newer = next((each for each in later if each.is_of_whole or path in each.changed), None)
    if newer:
        return RefusedError(
            "later-repair",
            f"A later {newer.remedy} changed what this {entry.remedy} had made. Nothing was changed.",
            f"invoke undo {newer.id}",
        )
    what = "is there no more, or is another one" if path == entry.venv else "was changed since"
    return RefusedError(
        "overtaken",
        f"{path} {what}, so the {entry.remedy} {entry.id} can't be taken back.{kept} Nothing was changed.",
        _LIST,
    )


def undo(records: Records, entry: Entry, look: Callable[[], object], **facts: object) -> Receipt:
    """Put back what a repair replaced; what stands there now goes to the backup of the undo, which can be undone."""
    facts |= {"undone": entry.id, "of": entry.facts.get("of", entry.remedy)}
    with records.transaction(name_of(entry), entry.venv, **facts) as it:
        for kind, steps in itertools.groupby(reversed(entry.steps), _kind):
            _reverse(it, kind, list(steps))
        look()
        receipt = it.commit()
    records.tidy(entry)
    return receipt


def name_of(entry: Entry) -> str:
    """What taking it back is called."""
    return "redo" if entry.remedy == "undo" else "undo"


def _kind(step: Step) -> str:
    if step.do in {"swap", "write"} and step.kept:
        return "swap"
    return step.do if step.do in {"move", "folder"} else "aside"


def _reverse(it: Transaction, kind: str, steps: list[Step]) -> None:
    """Steps of one kind at once: they are on record with one flush to the disk."""
    if kind == "folder":
        for step in steps:
            with contextlib.suppress(OSError):  # it holds what is somebody's
                step.path.rmdir()
        return
    pairs = [(step.kept, step.path) for step in steps if step.kept]
    if kind == "swap":
        for kept, path in pairs:
            it.swap(kept, path)
        return
    it.stash(*(step.path for step in steps))
    it.bring(*pairs)
