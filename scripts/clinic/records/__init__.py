"""The memory of the clinic: receipts, the stash, events, and the lock between runs. All of it under `records`.

A repair is a transaction: each step is on record before it is taken, so that an interrupted one is put back by the
run itself (Ctrl+C, a failure) or by the next one (kill -9, power cut).
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clinic import fs
from clinic.errors import BusyError, RefusedError
from clinic.model import Receipt
from clinic.records.entry import Entry, State
from clinic.records.snapshot import understood
from clinic.records.transaction import Transaction, put_back, remove_empty

__all__ = ["Entry", "Records", "State", "Transaction", "put_back"]

EVENTS_CAP = 1 << 20  # bytes of events.jsonl; one older file is kept beside it


class Records:
    """The records folder of one project. Nothing is created before something is to be recorded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def receipts(self) -> Path:
        """The folder of receipts, one JSON file each, named so that they sort by time."""
        return self.folder / "receipts"

    def save(self, entry: Entry) -> None:
        """Write a transaction down, whole or not at all."""
        self.receipts.mkdir(parents=True, exist_ok=True)
        text = json.dumps(entry.as_json(), indent=1)
        fs.write_atomically(self.receipts / f"{entry.id}.json", text.encode("utf-8"), durable=False)

    def entries(self) -> list[Entry]:
        """Every transaction on record, oldest first; a file that is not one is passed over."""
        found = []
        for path in sorted(self.receipts.glob("*.json")):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                found.append(Entry.from_json(json.loads(fs.read_bytes(path))))
        return found

    def event(self, kind: str, **details: Any) -> None:
        """Append a line to events.jsonl; a full one is put aside, so that weeks of watching fill no disk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            if (self.folder / "events.jsonl").stat().st_size > EVENTS_CAP:
                (self.folder / "events.jsonl").replace(self.folder / "events.1.jsonl")
        line = json.dumps({"time": time.time(), "event": kind, **details}, default=str)
        fs.append(self.folder / "events.jsonl", f"{line}\n".encode())

    def transaction(self, remedy: str, venv: Path, **facts: Any) -> Transaction:
        """A new transaction, to be used as a context manager."""
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + f".{time.time_ns() // 1000 % 1_000_000:06d}"
        return Transaction(
            self, Entry(f"{stamp}-{remedy}-{os.urandom(2).hex()}", remedy, venv, time.time(), facts=facts)
        )

    def notes(self) -> tuple[str, ...]:
        """What a reader of these records should be told: repairs that were interrupted."""
        pending = [entry for entry in self.entries() if entry.state == "pending"]
        return tuple(
            f"a {entry.remedy} of {entry.venv} was interrupted (or still runs); the next repair puts it back"
            for entry in pending
        )

    def last_done(self, venv: Path | None = None) -> Entry | None:
        """The newest repair that stands, of this environment if one is named."""
        entries = self.entries()
        # A run that was killed between the undoing and the note of it leaves the undoing on record.
        undone = {e.facts.get("undone") for e in entries if e.remedy == "undo" and e.state == "done"}
        standing = [e for e in entries if e.state == "done" and e.remedy != "undo" and e.id not in undone]
        mine = [e for e in standing if venv in {None, e.venv}]
        return mine[-1] if mine else None

    def past_of(self, venv: Path) -> tuple[float, tuple[tuple[float, float], ...]]:
        """When the last repair of an environment held, and from when to when its python was another one."""
        mine = [(entry, entry.started + entry.seconds) for entry in self.entries() if entry.venv == venv]
        held = max((end for entry, end in mine if entry.state == "done" and entry.remedy != "undo"), default=0.0)
        seen = [(entry.facts.get("escaped_since"), end) for entry, end in mine]
        return held, tuple((since, end) for since, end in seen if isinstance(since, float))

    def expire(self, entry: Entry) -> None:
        """Give up what an entry keeps in the stash; from then on it can't be undone."""
        entry.state = "expired"
        self.save(entry)  # first: an entry that stands must have its stash
        for _, kept in entry.moved:
            fs.remove(kept)
            with contextlib.suppress(OSError):
                kept.parent.rmdir()

    def undo(self, entry: Entry) -> Receipt:
        """Put back what a repair replaced; what stands there now goes to the stash of the undo."""
        with self.transaction("undo", entry.venv, undone=entry.id) as change:
            new = (now for _, now in entry.brought)
            for path in dict.fromkeys([*entry.made, *new, *(was for was, _ in entry.moved)]):
                change.stash(path)
            for was, kept in reversed(entry.moved):  # a folder that went after a file of its own comes back before it
                if not fs.exists(kept):
                    raise RefusedError(
                        "stash-lost",
                        f"{kept} is gone from the stash, so {entry.remedy} can't be undone. Nothing was changed.",
                        "invoke undo --list",
                    )
                change.bring_back(kept, was)
            receipt = change.commit()
        entry.state = "undone"
        self.save(entry)
        remove_empty([*entry.folders, *(kept.parent for _, kept in entry.moved)])
        return receipt

    def _snapshot_file(self, venv: Path) -> Path:
        import hashlib

        key = hashlib.sha256(os.fsencode(os.path.normcase(venv))).hexdigest()[:12]
        return self.folder / "snapshots" / f"{venv.name}-{key}.json"

    def snapshot(self, venv: Path) -> dict[str, Any] | None:
        """The last known-good state of an environment; None where none was recorded."""
        try:
            told = json.loads(fs.read_bytes(self._snapshot_file(venv)))
        except (OSError, ValueError):
            return None
        return understood(told)

    def save_snapshot(self, venv: Path, state: dict[str, Any]) -> Path:
        """Record a known-good state."""
        path = self._snapshot_file(venv)
        path.parent.mkdir(parents=True, exist_ok=True)
        fs.write_atomically(path, json.dumps(state, indent=1, default=str).encode("utf-8"), durable=False)
        return path

    def recover(self) -> list[Entry]:
        """Put back what runs that were killed left half done. Call it with the lock held: then none is running.

        What was proved already stands: a server may run from it.
        """
        pending = [entry for entry in self.entries() if entry.state == "pending"]
        for entry in reversed(pending):
            if entry.facts.get("proved"):
                entry.state = "done"
            else:
                put_back(entry)
                entry.state = "restored"
            self.save(entry)
            self.event("recovered", receipt=entry.id, state=entry.state)
        return pending

    @contextlib.contextmanager
    def lock(self, command: str) -> Iterator[list[Entry]]:
        """Hold the lock between runs; yields what a killed run had left and was put back.

        Raises BusyError naming the holder and since when, RefusedError where records cannot be written.
        """
        from filelock import FileLock, Timeout

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            held = FileLock(self.folder / "lock", timeout=0)
            held.acquire()
        except Timeout as error:
            raise self._busy() from error
        except OSError as error:
            raise RefusedError(
                "records-unwritable",
                f"{self.folder} cannot be written: {error.strerror or error}. Nothing was touched.",
                "free some space or set clinic.records in invoke.yaml to a folder that can be written",
            ) from error
        try:
            holder = {"pid": os.getpid(), "command": command, "since": time.time()}
            fs.write_atomically(self.folder / "lock.json", json.dumps(holder).encode("utf-8"), durable=False)
            yield self.recover()
        finally:
            with contextlib.suppress(OSError):
                fs.remove(self.folder / "lock.json")
            held.release()

    def _busy(self) -> BusyError:
        try:
            holder = json.loads(fs.read_bytes(self.folder / "lock.json"))
            since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder["since"]))
            who = f"'invoke {holder['command']}' (process {holder['pid']}) since {since}"
        except (OSError, ValueError, KeyError, TypeError):
            who = "another run that has only just begun"
        return BusyError(
            "busy", f"The lock is held by {who}. Nothing was touched.", "wait for it to end, then try again"
        )
