"""The memory of the clinic: receipts, backups, events, snapshots. All of it below `records`.

A repair is a transaction: each step is on record before it is taken, so that an interrupted one is put back by the
run itself (Ctrl+C, a failure) or by the next one (kill -9, power cut). What is found on disk is not trusted: a receipt
leads into its own environment and its own backup only, and what it made is compared before it is taken back.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from clinic import fs, lock, ownership
from clinic.anatomy.ownership import stranger
from clinic.errors import RefusedError, of_the_machine
from clinic.model import Receipt
from clinic.records import expiry, putback, undoing
from clinic.records.entry import Entry, State
from clinic.records.identity import Identity
from clinic.records.places import Places
from clinic.records.snapshot import understood
from clinic.records.store import Store
from clinic.records.transaction import Transaction, half_done

__all__ = ["Entry", "Records", "State", "Transaction"]

EVENTS_CAP = 1 << 20  # bytes of events.jsonl; one older file is kept beside it
_IGNORE = b"*\n"
_OURS_ALONE = frozenset({"receipts", "events.jsonl"})
_OURS = _OURS_ALONE | frozenset(
    ("stash", "snapshots", "incidents", "service", "borrow", "lifeboat", "wheelhouse", "lock", "system-python.json")
)
"""What lies in the folder, and which names nobody else gives."""
_OF_SYSTEMS = frozenset({"lost+found", ".snapshot", ".DS_Store", "desktop.ini", "Thumbs.db"})
"""What a new volume of a container has, and what the desktops of macOS and Windows put into any folder."""
_REMEMBERED = 200
"""Receipts that a look at an environment reads, newest first: what lies further back explains no damage of today."""


class Records:
    """The records folder of one project. Nothing is created before something is to be recorded."""

    def __init__(self, folder: Path, root: Path | None = None) -> None:
        self.folder, self.root = folder, root or folder.parent
        self.store = Store(folder, self.root)
        self._open: list[Entry] | None = None
        """What was ended while the lock is held; closed as the last act, see `lock`."""

    def ready(self) -> None:
        """Make the folder: the user's own, and nothing for version control.

        Raises OSError, and RefusedError if it is a folder that holds something else.
        """
        ownership.make_folder(self.folder, ownership.PRIVATE)
        self.refuse_other_folder()
        ignore = self.folder / ".gitignore"
        if not fs.exists(ignore):
            fs.write_atomically(ignore, _IGNORE, durable=False)

    def refuse_other_folder(self) -> None:
        """Raise RefusedError if the folder is there and holds something else; OSError. Nothing is written."""
        ignore = self.folder / ".gitignore"
        ours = fs.exists(ignore) and fs.read_bytes(ignore, length=len(_IGNORE) + 1) == _IGNORE
        if ours or not fs.exists(self.folder):
            return
        # A run that was killed while it made the folder has left a temporary file.
        there = {path.name for path in self.folder.iterdir() if not fs.is_temporary(path.name)}
        other = sorted(there - _OURS - _OF_SYSTEMS - {ignore.name})
        if other and not there & _OURS_ALONE:
            raise RefusedError(
                "records-in-the-way",
                f"clinic.records names {self.folder}, which holds something else ({other[0]}). Nothing was touched.",
                "set clinic.records in invoke.yaml to a folder of its own",
            )

    # Receipts

    def entries(self) -> list[Entry]:
        """Every transaction on record, oldest first."""
        found = list(self.store.newest_first())
        found += self.store.orphans([entry.id for entry in found])
        found.sort(key=lambda entry: entry.id, reverse=True)
        undone = _undone(found)
        for entry in found:
            if entry.id in undone and entry.state == "done":
                entry.state = "undone"
        return found[::-1]

    def ids(self) -> set[str]:
        """What is on record, by name."""
        return self.store.ids()

    def standing(self, venv: Path | None = None) -> list[Entry]:
        """The repairs that hold and were not taken back, newest first; of one environment if one is named."""
        held = [entry for entry in reversed(self.entries()) if entry.state == "done" and entry.remedy != "undo"]
        return [entry for entry in held if venv is None or _same(entry.venv, venv)]

    def interrupted(self, venv: Path) -> list[Entry]:
        """What runs on this environment have begun and not ended: killed ones, and one that runs now."""
        return [entry for entry in self.store.pending() if _same(entry.venv, venv) and entry.state != "foreign"]

    def notes(self) -> tuple[str, ...]:
        """What a reader of these records should be told: repairs that were interrupted, records that can't be read."""
        try:
            pending = [entry for entry in self.store.pending() if entry.state == "pending"]
        except OSError as error:
            return (f"the records in {self.folder} can't be read: {error.strerror}",)
        return tuple(
            f"a {entry.remedy} of {entry.venv} was interrupted (or still runs); the next repair"
            f" {'finishes it' if entry.facts.get('proved') is True else 'puts it back'}"
            for entry in pending
        )

    def past_of(self, venv: Path) -> tuple[float, tuple[tuple[float, float], ...]]:
        """When the last repair of an environment held, and from when to when its python was another one."""
        held, windows, undone = 0.0, [], set[object]()
        with contextlib.suppress(OSError):
            for entry in _first(self.store.newest_first(), _REMEMBERED):
                end = entry.started + entry.seconds
                if entry.state == "foreign" or not _same(entry.venv, venv):
                    continue
                if entry.state == "done":
                    undone.add(entry.facts.get("undone"))
                    if entry.remedy != "undo" and entry.id not in undone:
                        held = max(held, end)
                if isinstance(since := entry.facts.get("escaped_since"), float):
                    windows.append((since, end))
        return held, tuple(reversed(windows))

    def transaction(self, remedy: str, venv: Path, **facts: Any) -> Transaction:
        """A new transaction, to be used as a context manager."""
        now = time.time_ns() // 1000
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now // 1_000_000)) + f".{now % 1_000_000:06d}"
        entry = Entry(
            f"{stamp}-{remedy}-{os.urandom(2).hex()}", remedy, venv, Places(self.folder, venv), time.time(), facts=facts
        )
        entry.near = self._is_near(entry.places)
        seen = Identity.of(Path(os.path.realpath(venv)))
        entry.generation = (seen,) if seen else ()
        return Transaction(self, entry)

    def _is_near(self, places: Places) -> bool:
        """Whether backups must lie beside the environment, because the records are on another filesystem."""
        here = next(folder for folder in (self.folder, *self.folder.parents) if fs.exists(folder))
        try:
            return here.stat().st_dev != places.venv.parent.stat().st_dev
        except OSError:
            return False

    def ended(self, entry: Entry) -> None:
        """A transaction has ended, and that is on record: tell it, and close it. Never raises."""
        if not entry.steps:
            return
        self.event("repair", receipt=entry.id, remedy=entry.remedy, state=entry.state)
        if self._open is None:
            self._close(entry)
        else:
            self._open.append(entry)

    def _close(self, entry: Entry) -> None:
        with contextlib.suppress(OSError):  # the next run closes it
            self.store.close(entry)

    def tidy(self, entry: Entry) -> None:
        """Remove the backup's folder if nothing is in it."""
        with contextlib.suppress(OSError):
            entry.backup.rmdir()

    # Undo

    def refuse_impossible(self, entry: Entry) -> None:
        """Raise RefusedError if it can't be taken back."""
        later = [each for each in self.standing(entry.venv) if each.id > entry.id]
        undoing.refuse_impossible(entry, later)

    def undo(self, entry: Entry, look: Callable[[], object] = lambda: None, **facts: Any) -> Receipt:
        """Put back what a repair replaced; what stands there now goes to the backup of the undo.

        It holds unless `look` raises. Raises RefusedError before anything is touched.
        """
        try:
            self.refuse_impossible(entry)
        except RefusedError as error:
            if error.code == "overtaken" and entry.is_of_this_generation():
                entry.why = "what it made was changed since"
                with contextlib.suppress(OSError):
                    self.store.end(entry, "overtaken")
            raise
        return undoing.undo(self, entry, look, **facts)

    # Recovery and the lock

    def recover(self, venv: Path) -> list[Entry]:
        """Put back what killed runs left half done. Call it with the lock held: then none is running.

        Raises FailedError where that can't be done. What was proved already stands: a server may run from it.
        """
        found = self.interrupted(venv)
        for entry in reversed(found):
            if entry.state == "pending":
                try:
                    self._recover(entry)
                except OSError as error:
                    raise half_done(entry, error) from error
            self._close(entry)
            self.event("recovered", receipt=entry.id, state=entry.state)
        return found

    def _recover(self, entry: Entry) -> None:
        state: State = "done" if entry.facts.get("proved") is True else "restored"
        if state == "done":
            after = Identity.of(Path(os.path.realpath(entry.venv)))
            entry.generation = (*(() if entry.is_of_whole else entry.generation), *((after,) if after else ()))
        else:
            try:
                undone = putback.put_back(entry, found=True)
                entry.put_back_now = undone.changed
                if undone.in_the_way:
                    entry.why = f"what had come into its way is kept: {', '.join(map(str, undone.in_the_way))}"
            except putback.OvertakenError:
                state, entry.why = "overtaken", "what lies there is another one now; it was left alone"
            except RefusedError as error:
                state, entry.why = "overtaken", error.message
        with contextlib.suppress(OSError):
            entry.kept_bytes = fs.size_of(entry.backup)
        self.store.end(entry, state)

    @contextlib.contextmanager
    def lock(self, command: str, venv: Path) -> Iterator[list[Entry]]:
        """Hold the environment's lock; yields what a killed run had left, which was put back, finished or given up.

        Raises BusyError naming the holder and since when, RefusedError if it can't be had or records can't be written.
        """
        with contextlib.ExitStack() as last:
            # Closing is the last act of all: of what is not closed, a killed run has told nobody, and `undo` stops.
            last.callback(self._close_all)
            with lock.held(lock.of_environment(venv), command):
                self._open = []
                yield self._recovered(venv)

    def _close_all(self) -> None:
        for entry in self._open or ():
            self._close(entry)
        self._open = None

    def _recovered(self, venv: Path) -> list[Entry]:
        try:
            self.ready()
        except OSError as error:
            known = of_the_machine(error, "Nothing was touched.")
            if known and known.code not in {"not-writable", "disk-read-only"}:
                raise known from error
            raise RefusedError(
                "records-unwritable",
                f"{error.filename or self.folder} cannot be written: {error.strerror or error}. Nothing was touched.",
                "set clinic.records in invoke.yaml to a folder that can be written",
            ) from error
        found = self.recover(venv)
        if expiry.is_due(self):
            expiry.expire(self, venv)
        return found

    def expire(self, venv: Path) -> list[Path]:
        """Give up old backups and receipts (see `expiry`). Never raises; call it with the lock held."""
        return expiry.expire(self, venv)

    # Events and snapshots

    def event(self, kind: str, **details: Any) -> None:
        """Append a line to events.jsonl; a full one is put aside, so that weeks of watching fill no disk.

        Never raises: what could not be told was done all the same.
        """
        with contextlib.suppress(OSError, RefusedError):
            self.ready()
            path = self.folder / "events.jsonl"
            with contextlib.suppress(OSError):
                if path.stat().st_size > EVENTS_CAP:
                    path.replace(self.folder / "events.1.jsonl")
            line = json.dumps({"time": time.time(), "event": kind, **details}, default=str)
            fs.append(path, f"{line}\n".encode())

    def _snapshot_file(self, venv: Path) -> Path:
        import hashlib

        key = hashlib.sha256(os.fsencode(os.path.normcase(venv))).hexdigest()[:12]
        return self.folder / "snapshots" / f"{venv.name}-{key}.json"

    def snapshot(self, venv: Path) -> dict[str, Any] | None:
        """The last known-good state of an environment; None where none was recorded."""
        path = self._snapshot_file(venv)
        try:
            stored = None if stranger(path, venv) else json.loads(fs.read_bytes(path))
        except (OSError, ValueError, RecursionError):
            return None
        return understood(stored)

    def save_snapshot(self, venv: Path, state: dict[str, Any]) -> Path:
        """Record a known-good state."""
        path = self._snapshot_file(venv)
        self.ready()
        ownership.make_folder(path.parent, ownership.PRIVATE)
        fs.write_atomically(path, json.dumps(state, indent=1, default=str).encode("utf-8"), durable=False)
        return path


def _undone(entries: list[Entry]) -> set[object]:
    return {
        entry.facts.get("undone")
        for entry in entries
        if entry.state in {"done", "expired"} and entry.remedy in {"undo", "redo"}
    }


def _first(entries: Iterator[Entry], count: int) -> Iterator[Entry]:
    from itertools import islice

    return islice(entries, count)


def _same(one: Path, other: Path) -> bool:
    """Whether two paths are one place, however the folder that holds it is spelled."""
    return os.path.normcase(one) == os.path.normcase(other) or (
        one.name == other.name and os.path.realpath(one.parent) == os.path.realpath(other.parent)
    )
