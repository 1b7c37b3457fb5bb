"""Receipts on disk: one file a transaction, lines are only appended, each is on the disk before what it announces.

`<id>.pending` while the run that writes it has not ended, `<id>.jsonl` from then on: what was interrupted is found
without reading the rest. The first line says what it is about, a line each what is about to be done, and one how it
ended. A line that a kill or a full disk cut off is no line: what it was to announce was not done.

Receipts of the first format (one JSON document, `<id>.json`, absolute paths) are listed and never acted upon.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from clinic import fs, ownership
from clinic.anatomy.ownership import stranger
from clinic.records.entry import FORMAT, Entry, State, Step
from clinic.records.identity import Identity
from clinic.records.places import ID, STASH, Places

PENDING, CLOSED, FIRST_FORMAT = ".pending", ".jsonl", ".json"
_ALL = (PENDING, CLOSED, FIRST_FORMAT)
_MOST = 64 << 20  # bytes; a receipt of a thousand steps has half a megabyte


class Store:
    """The receipts of one project."""

    def __init__(self, records: Path, root: Path) -> None:
        self.records, self.root = records, root
        self.folder = records / "receipts"

    def file(self, entry_id: str, suffix: str) -> Path:
        """Where a receipt is."""
        return self.folder / f"{entry_id}{suffix}"

    def begin(self, entry: Entry) -> None:
        """Write down what a transaction is about. Raises OSError."""
        ownership.make_folder(self.folder, ownership.PRIVATE)
        seen = self.records.stat()
        inside = self._is_inside(entry.venv)
        head = {
            "journal": FORMAT,
            "id": entry.id,
            "remedy": entry.remedy,
            "venv": entry.venv.relative_to(self.root).as_posix() if inside else str(entry.venv),
            "root": os.path.realpath(self.root),
            "folder": [seen.st_dev, seen.st_ino],
            "near": entry.near,
            "started": entry.started,
            "generation": [each.as_json() for each in entry.generation],
            "facts": entry.facts,
        }
        try:
            self._append(entry.id, [head], create=True)
        except OSError:
            with contextlib.suppress(OSError):
                self.forget(entry)
            raise
        fs.sync_folder(self.folder)

    def announce(self, entry: Entry, *steps: Step) -> None:
        """Write down what is about to be done. Raises OSError, and then nothing may be done."""
        self._append(entry.id, [step.as_json(entry.places.spelled) for step in steps])
        entry.steps += steps

    def note(self, entry: Entry, **facts: Any) -> None:
        """Add facts. Raises OSError."""
        self._append(entry.id, [{"facts": facts}])
        entry.facts |= facts

    def end(self, entry: Entry, state: State) -> None:
        """Write down how it ended, then let it be so. Raises OSError."""
        line: dict[str, Any] = {"state": state, "seconds": entry.seconds, "bytes": entry.kept_bytes, "why": entry.why}
        line["generation"] = [each.as_json() for each in entry.generation]
        self._append(entry.id, [line])
        entry.state = state

    def close(self, entry: Entry) -> None:
        """The run that wrote it has ended: nothing is left for the next one to do. Raises OSError."""
        path = self.file(entry.id, PENDING)
        if fs.exists(path):
            fs.retrying(lambda: path.replace(self.file(entry.id, CLOSED)))

    def forget(self, entry: Entry) -> None:
        """Remove a receipt. Raises OSError."""
        for suffix in (PENDING, CLOSED, FIRST_FORMAT):
            fs.remove(self.file(entry.id, suffix))

    def pending(self) -> list[Entry]:
        """What no run has closed, oldest first."""
        return [self.read(path) for path in map(self._path, self._names(PENDING)) if path]

    def oldest(self) -> str:
        """The name of the oldest receipt, which begins with its date; empty if there is none."""
        return next((path.name for path in map(self._path, self._names(*_ALL)) if path), "")

    def ids(self) -> set[str]:
        """The ids of all receipts; none is read."""
        return {name.rpartition(".")[0] for name in self._names(*_ALL)}

    def newest_first(self) -> Iterator[Entry]:
        """Every receipt; each file is read when it is asked for."""
        for path in map(self._path, reversed(self._names(*_ALL))):
            if path:
                yield self.read(path)

    def _names(self, *suffixes: str) -> list[str]:
        """File names that end so, oldest first; of thousands, so no path is made of one before it is needed."""
        try:
            with os.scandir(self.folder) as entries:
                return sorted(entry.name for entry in entries if entry.name.endswith(suffixes))
        except FileNotFoundError:
            return []

    def _path(self, name: str) -> Path | None:
        return self.folder / name if ID.fullmatch(name.rpartition(".")[0]) else None

    def _append(self, entry_id: str, lines: list[dict[str, Any]], *, create: bool = False) -> None:
        path = self.file(entry_id, PENDING)
        if not create and not fs.exists(path):
            path = self.file(entry_id, CLOSED)
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags | (os.O_CREAT | os.O_EXCL if create else 0), 0o600)
        try:
            if create:
                ownership.follow_folder(path)
            before = os.fstat(descriptor).st_size
            text = "".join(json.dumps(line, default=str) + "\n" for line in lines)
            # After a line that was cut off, a new one begins on a line of its own.
            data = (text if create else f"\n{text}").encode("utf-8")
            try:
                while data:
                    data = data[os.write(descriptor, data) :]
                os.fsync(descriptor)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, before)
                raise
        finally:
            os.close(descriptor)

    def orphans(self, known: Collection[str]) -> Iterator[Entry]:
        """Backups whose receipt is gone: listed, and given up when they are old, as all others."""
        with contextlib.suppress(OSError):
            for name in sorted({path.name for path in (self.records / STASH).iterdir()} - set(known)):
                if ID.fullmatch(name):
                    why = "its receipt is gone"
                    yield Entry(name, _remedy(name), self.root, self._places(self.root), 0.0, state="foreign", why=why)

    # Reading: what is found is material, not truth.

    def read(self, path: Path) -> Entry:
        """A receipt as it can be understood; one that can't is `foreign`, which is never acted upon."""
        unknown = Entry(path.stem, _remedy(path.stem), self.root, self._places(self.root), 0.0, state="foreign")
        if path.suffix == FIRST_FORMAT:
            return self._of_first_format(unknown, path)
        lines = _lines(path)
        try:
            entry = self._headed(next(lines), path.stem)
            self._follow(entry, lines)
        except (StopIteration, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            unknown.why = f"{path} was not written by this suite, or is damaged"
            return unknown
        if entry.state == "pending" and path.suffix == CLOSED:
            entry.state, entry.why = "foreign", f"{path} says how it began and not how it ended"
        if whose := stranger(path, entry.venv):
            entry.state, entry.near, entry.why = "foreign", False, f"{path} belongs to {whose}"
        return entry

    def _headed(self, head: Mapping[str, Any], entry_id: str) -> Entry:
        if head["journal"] != FORMAT or head["id"] != entry_id or head["remedy"] != _remedy(entry_id):
            raise ValueError(head)
        venv = self.root / _text(head["venv"])
        entry = Entry(entry_id, head["remedy"], venv, self._places(venv), float(head["started"]))
        entry.near, entry.facts = bool(head["near"]), dict(head["facts"])
        entry.generation = tuple(Identity.from_json(each) for each in head["generation"])
        if ".." in venv.parts or not self._is_ours(venv, head):
            entry.state, entry.near = "foreign", False
            entry.venv = Path(_text(head["root"])) / head["venv"]
            entry.why = "it was made by another project, or by this one at another place"
        return entry

    def _follow(self, entry: Entry, lines: Iterator[Mapping[str, Any]]) -> None:
        for line in lines:
            if "do" in line:
                step = Step.from_json(line, entry.places.path)
                step.must_be_of(entry.places, entry.backup)
                entry.steps.append(step)
            elif "facts" in line:
                entry.facts |= dict(line["facts"])
            elif entry.state != "foreign":
                if line["state"] not in get_args(State):
                    raise ValueError(line)
                entry.state, entry.why = line["state"], _text(line["why"])
                entry.seconds, entry.kept_bytes = float(line["seconds"]), int(line["bytes"])
                entry.generation = tuple(Identity.from_json(each) for each in line["generation"])

    def _of_first_format(self, entry: Entry, path: Path) -> Entry:
        entry.why = "it is of an earlier version of this suite, which is listed and can't be undone"
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            stored = json.loads(fs.read_bytes(path))
            entry.venv, entry.started = Path(_text(stored["venv"])), float(stored["started"])
        return entry

    def _places(self, venv: Path) -> Places:
        return Places(self.records, venv)

    def _is_inside(self, venv: Path) -> bool:
        real = Path(os.path.realpath(venv))
        return venv.is_relative_to(self.root) and real.is_relative_to(os.path.realpath(self.root))

    def _is_ours(self, venv: Path, head: Mapping[str, Any]) -> bool:
        """Whether a receipt is of this project at this place.

        Of an environment outside of the project, or with records outside of it, a copy of the project would mean the
        original's: there the root must be the same, and the folder that the receipt was written in.
        """
        same_root: bool = head["root"] == os.path.realpath(self.root)
        if not self._is_inside(venv):
            seen = self.records.stat()
            return same_root and bool(head["folder"] == [seen.st_dev, seen.st_ino])
        return same_root or self._is_inside(self.records)


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        descriptor = fs.open_shared(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as stream:
            data = stream.read(_MOST)
    except OSError:
        return
    for line in data.split(b"\n"):
        with contextlib.suppress(ValueError):
            stored = json.loads(line)
            if isinstance(stored, dict):
                yield stored


def _remedy(entry_id: str) -> str:
    return entry_id.partition("-")[2].rpartition("-")[0]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
