"""Changes that are committed together or put back together; each step is on record before it is taken."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from clinic import fs, ownership
from clinic.errors import ClinicError, FailedError, of_the_machine
from clinic.model import Receipt
from clinic.records import putback
from clinic.records.entry import Entry, Step
from clinic.records.identity import Identity
from clinic.records.places import is_staged

if TYPE_CHECKING:
    from clinic.records import Records


class Transaction:
    """Changes that are committed together or put back together.

    Leaving the block without `commit` puts everything back, whatever the reason (an exception, Ctrl+C, a refusal).
    Nothing outside of the environment is changed, and nothing is overwritten that is not kept.
    """

    def __init__(self, records: Records, entry: Entry) -> None:
        self.records, self.entry = records, entry
        self._clock = time.perf_counter()
        self._begun = False
        self._taken: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def stash(self, *paths: Path) -> None:
        """Move what is at these paths to the backup; one where nothing is, is passed over."""
        there = [(path, self._identity(path)) for path in paths]
        steps = [Step("move", path, kept=self._place_for(path.name), was=was) for path, was in there if was]
        self._announce(*steps)
        for step in steps:
            if step.kept:
                fs.move(step.path, step.kept)

    def write(self, path: Path, data: bytes, *, mode: int | None = None) -> None:
        """Put a new file at `path`; what was there goes to the backup. Without `mode` it gets that of the old one."""
        self._make_folder(path)
        was, temp = self._identity(path), fs.temporary(path)
        kept = self._place_for(path.name) if was else None
        self._announce(Step("write", path, kept=kept, temp=temp, was=was, new=Identity.of_content(data)))
        if mode is None:  # now: what has no second name is gone from here once it is kept
            mode = ownership.mode_for(path) if was and was.kind == "file" else ownership.mode_in(path.parent)
        if kept:
            fs.keep(path, kept)
        fs.write_atomically(path, data, mode=mode, staged=temp)

    def link(self, path: Path, target: str) -> None:
        """Make `path` a link that says `target`; what was there goes to the backup."""
        self._make_folder(path)
        self.stash(path)
        self._announce(Step("link", path, new=Identity("link", text=target)))
        fs.link(path, target)

    def _make_folder(self, path: Path) -> None:
        """A new file may go into a folder that is gone; on record, so that no empty one is left when it is undone."""
        self.entry.places.in_environment(path)
        lost = [folder for folder in path.parents if not fs.exists(folder)]
        self._announce(*(Step("folder", folder) for folder in reversed(lost)))
        ownership.make_folder(path.parent)

    def bring(self, *pairs: tuple[Path, Path]) -> None:
        """Move what is at the first path of each pair to the second one, where nothing may be."""
        steps = []
        for source, path in pairs:
            self.entry.places.in_environment(path)
            self._adopt(source, path)
            steps.append(Step("bring", path, source=source, new=Identity.of(source)))
        self._announce(*steps)
        for step in steps:
            if step.source:
                fs.move(step.source, step.path)

    def swap(self, source: Path, path: Path, spared: Collection[Path] = ()) -> None:
        """Put what is at `source` into the place of what is at `path`, which goes to the backup.

        There is no moment without anything at `path` where the system lets two entries change places (`fs.exchange`).
        What `spared` names keeps its permissions (see `ownership.adopt`).
        """
        was = self._identity(path)
        if was is None:
            self.bring((source, path))
            return
        self._adopt(source, path, spared)
        new, kept, meanwhile = Identity.of(source), self._place_for(path.name), self._place_for(path.name)
        self._announce(Step("swap", path, kept=kept, source=source, temp=meanwhile, was=was, new=new))
        fs.move(source, kept)
        if not fs.exchange(kept, path):
            fs.move(path, meanwhile)
            fs.move(kept, path)
            fs.move(meanwhile, kept)

    def _adopt(self, source: Path, path: Path, spared: Collection[Path] = ()) -> None:
        """What was made beside looks as this run's user and umask would have it; what comes back stays as it was."""
        if is_staged(source):
            ownership.adopt(source, path, spared)

    def proved(self) -> None:
        """From here on a killed run is finished by the next one, not put back; a failure still puts it back."""
        self.records.store.note(self.entry, proved=True)

    def commit(self) -> Receipt:
        """What was done stays. It is on record before it is so: raises OSError, and leaving the block puts it back."""
        entry = self.entry
        self._time()
        if entry.steps:
            for folder in {entry.backup, *(path.parent for path in entry.changed)}:
                fs.sync_folder(folder)
            after = Identity.of(Path(os.path.realpath(entry.venv)))
            before = () if entry.is_of_whole else entry.generation
            entry.generation = (*before, after) if after else before
            with contextlib.suppress(OSError):
                entry.kept_bytes = fs.size_of(entry.backup)
            self.records.store.end(entry, "done")
        entry.state = "done"
        self.records.ended(entry)
        return entry.receipt("done")

    def put_back(self) -> Receipt:
        """Everything is as it was before."""
        entry = self.entry
        if entry.facts.get("proved"):  # a run that is killed from here on is put back by the next one
            with contextlib.suppress(OSError):
                self.records.store.note(entry, proved=False)
        putback.put_back(entry, found=False)
        self._time()
        if self._begun:
            # If this can't be written, the next run finds the same steps, and none of them taken.
            with contextlib.suppress(OSError):
                self.records.store.end(entry, "restored")
                self.records.ended(entry)
        entry.state = "restored"
        return entry.receipt("restored")

    def _time(self) -> None:
        self.entry.seconds = round(time.perf_counter() - self._clock, 4)

    def _announce(self, *steps: Step) -> None:
        if steps and not self._begun:
            self.records.ready()
            self._begun = True
            self.records.store.begin(self.entry)
        if any(step.kept for step in steps):
            ownership.make_folder(self.entry.backup.parent, ownership.PRIVATE)
        if steps:
            self.records.store.announce(self.entry, *steps)

    def _identity(self, path: Path) -> Identity | None:
        self.entry.places.in_environment(path)
        return Identity.of(path)

    def _place_for(self, name: str) -> Path:
        """A place in the backup that nothing of this transaction has: two files may bear one name."""
        number, free = 0, name
        while free in self._taken:
            number += 1
            free = f"{name}~{number}"
        self._taken.add(free)
        return self.entry.backup / free

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.entry.state == "pending" and self._begun:
            try:
                self.put_back()
            except OSError as trouble:
                raise half_done(self.entry, trouble) from error
        if error and self.entry.state != "done" and (known := of_the_machine(error, AS_BEFORE)):
            raise known from error


AS_BEFORE = "Everything is as it was before."


def half_done(entry: Entry, trouble: OSError) -> ClinicError:
    """What is to be said of a repair that could not be put back."""
    told = (
        f"The {entry.remedy} did not hold, and could not be put back. It is on record, and the next repair puts it"
        f" back; what was replaced is kept in {entry.backup}."
    )
    known = of_the_machine(trouble, told)
    if known:  # something was touched, so it is no refusal
        return FailedError(known.code, known.message, known.hint)
    return FailedError("not-put-back", f"{trouble.filename}: {trouble.strerror}. {told}", "invoke heal")
