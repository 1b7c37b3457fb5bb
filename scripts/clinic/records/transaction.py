"""Changes that are committed together or put back together; each step is on record before it is taken."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from clinic import fs
from clinic.errors import of_the_machine
from clinic.model import Receipt
from clinic.records.entry import Entry, State

if TYPE_CHECKING:
    from clinic.records import Records


class Transaction:
    """Changes that are committed together or put back together.

    Leaving the block without `commit` puts everything back, whatever the reason (an exception, Ctrl+C, a refusal).
    """

    def __init__(self, records: Records, entry: Entry) -> None:
        self.records, self.entry = records, entry
        self._clock = time.perf_counter()

    def __enter__(self) -> Self:
        return self

    def stash_folder(self, path: Path) -> Path:
        """Where `path` is kept: below the records, or beside it where those are on another filesystem."""
        home = self.records.folder / "stash"
        with contextlib.suppress(OSError):
            home.mkdir(parents=True, exist_ok=True)
            if home.stat().st_dev != path.parent.stat().st_dev:
                home = path.parent / ".clinic-stash"
        return home / self.entry.id

    def _place_for(self, path: Path) -> Path:
        """A place in the stash that nothing of this transaction has: two files may bear one name."""
        folder, taken = self.stash_folder(path), {kept for _, kept in self.entry.moved}
        names = (path.name if not number else f"{path.name}~{number}" for number in range(len(taken) + 1))
        return next(folder / name for name in names if folder / name not in taken)

    def stash(self, path: Path) -> Path | None:
        """Move what is at `path` aside; None where nothing is there."""
        if not fs.exists(path):
            return None
        kept = self._place_for(path)
        self.entry.moved.append((path, kept))
        self.records.save(self.entry)
        fs.move(path, kept)
        return kept

    def write(self, path: Path, data: bytes, *, mode: int | None = None) -> None:
        """Put a new file at `path`, stashing what was there; without `mode` it gets that of the old one."""
        self.entry.made.append(path)
        if fs.exists(path):
            kept = self._place_for(path)
            self.entry.moved.append((path, kept))
            self.records.save(self.entry)
            mode = fs.mode_for(path) if mode is None else mode  # what has no second name is gone from here then
            fs.keep(path, kept)
        else:
            self._save_and_make_folder(path)
        fs.write_atomically(path, data, mode=mode)

    def link(self, path: Path, target: str) -> None:
        """Make `path` a link that says `target`; what was there goes to the stash."""
        self.stash(path)
        self.entry.made.append(path)
        self._save_and_make_folder(path)
        fs.link(path, target)

    def _save_and_make_folder(self, path: Path) -> None:
        """A new file may go into a folder that is gone; on record, so that no empty one is left when it is undone."""
        self.entry.folders += [folder for folder in path.parents if not fs.exists(folder)]
        self.records.save(self.entry)
        path.parent.mkdir(parents=True, exist_ok=True)

    def bring_back(self, kept: Path, path: Path) -> None:
        """Move something out of an older stash to `path`, where nothing may be."""
        self.entry.brought.append((kept, path))
        self.records.save(self.entry)
        fs.move(kept, path)

    def proved(self) -> None:
        """From here on a killed run is finished by the next one, not put back; a failure still puts it back."""
        self.entry.facts["proved"] = True
        self.records.save(self.entry)

    def commit(self) -> Receipt:
        """What was done stays."""
        self._finish("done")
        return self.entry.receipt("done")

    def put_back(self) -> Receipt:
        """Everything is as it was before."""
        put_back(self.entry)
        self._finish("restored")
        return self.entry.receipt("restored")

    def _finish(self, state: State) -> None:
        self.entry.state = state
        self.entry.seconds = round(time.perf_counter() - self._clock, 4)
        self.records.save(self.entry)
        self.records.event("repair", receipt=self.entry.id, remedy=self.entry.remedy, state=state)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.entry.state == "pending" and (self.entry.moved or self.entry.made or self.entry.brought):
            self.put_back()
        if error and (known := of_the_machine(error, "Everything is as it was before.")):
            raise known from error


def put_back(entry: Entry) -> None:
    """Undo the steps of a transaction, last first. Safe to repeat: a step that was not taken is passed over."""
    for kept, now in reversed(entry.brought):
        if not fs.exists(kept) and fs.exists(now):
            fs.move(now, kept)
    kept_from = {was for was, kept in entry.moved if fs.exists(kept)}
    for path in reversed(entry.made):
        if path in kept_from or path not in {was for was, _ in entry.moved}:
            fs.remove(path)
    for was, kept in reversed(entry.moved):
        if fs.exists(kept):
            fs.remove(was)
            fs.move(kept, was)
    remove_empty([*entry.folders, *{kept.parent for _, kept in entry.moved}])


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove the folders that hold nothing any more."""
    for folder in folders:
        with contextlib.suppress(OSError):  # never there, or it holds what was not ours to move
            folder.rmdir()
