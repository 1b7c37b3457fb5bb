"""Taking back what a transaction had begun: by the run itself, or by the next one after it was killed.

Each step is judged by what is on disk now, so it does not matter how far it got, nor how often it is put back. Nothing
is deleted but temporary files of ours: what we made, and what somebody else put into the way, goes to the backup.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from clinic import fs
from clinic.records.entry import Entry, Step
from clinic.records.places import is_staged

T = TypeVar("T")


class OvertakenError(Exception):
    """What lies at the environment's place is neither what the transaction found nor what it made."""


@dataclass
class Undone:
    """What taking the steps back came to."""

    changed: bool = False
    """Whether any of them had been taken."""
    in_the_way: list[Path] = field(default_factory=list)
    """Where in the backup that was put which somebody else had in the way."""


def put_back(entry: Entry, *, found: bool) -> Undone:
    """Take its steps back, last first.

    `found` says that a run which was killed had begun it: what it built may have been used since, and is kept.
    Raises OvertakenError and RefusedError (see `Places.must_hold`) before anything is touched, OSError.
    """
    for step in entry.steps:
        for path in (step.path, step.kept, step.source, step.temp):
            if path:
                entry.places.must_hold(path)
    if found and _is_overtaken(entry):
        raise OvertakenError
    work = _PutBack(entry, found=found)
    for step in reversed(entry.steps):
        getattr(work, f"_{step.do}")(step)
    with contextlib.suppress(OSError):  # never there, or it holds what is kept
        entry.backup.rmdir()
    return work.undone


def _is_overtaken(entry: Entry) -> bool:
    if not entry.is_of_whole:
        return bool(entry.steps) and not entry.is_of_this_generation()
    return any(_is_taken_by_another(step) for step in entry.steps if step.path == entry.venv)


def _is_taken_by_another(step: Step) -> bool:
    """Whether at the environment's place lies what this step did not find and did not put there."""
    if not fs.exists(step.path) or any(thing and thing.is_at(step.path) for thing in (step.was, step.new)):
        return False
    return step.do != "bring" or not (step.source and fs.exists(step.source))


class _PutBack:
    def __init__(self, entry: Entry, *, found: bool) -> None:
        self.entry, self.found = entry, found
        self.undone = Undone()

    def _take(self, source: Path, target: Path) -> None:
        self.undone.changed = True
        fs.move(source, target)

    def _aside(self, path: Path) -> Path:
        place = self.entry.free_place(path.name)
        self._take(path, place)
        return place

    def _clear(self, path: Path) -> None:
        """Make room for what comes back: nothing of ours is there any more, so what is there is somebody's."""
        if fs.exists(path):
            self.undone.in_the_way.append(self._aside(path))

    @staticmethod
    def _folder(step: Step) -> None:
        with contextlib.suppress(OSError):  # never made, or it holds what is somebody's
            step.path.rmdir()

    def _move(self, step: Step) -> None:
        kept = _must(step.kept)
        part, gone = fs.remains(step.path, kept)
        fs.remove(part)
        if fs.exists(kept):
            fs.remove(gone)
            self._clear(step.path)
            self._take(kept, step.path)

    def _write(self, step: Step) -> None:
        if step.temp and fs.is_temporary(step.temp.name) and _is_file(step.temp):
            step.temp.unlink()
        if step.kept and fs.exists(step.kept):
            if _is_second_name(step.kept, step.path):
                step.kept.unlink()  # it was not replaced yet
            elif not fs.exists(step.path):
                self._take(step.kept, step.path)
            elif not _must(step.was).is_at(step.path):  # else it is back already, and the new one is kept
                self._instead(step.kept, step.path, ours=_must(step.new).is_at(step.path))
        elif step.was is None and _must(step.new).is_at(step.path):
            self._aside(step.path)

    def _instead(self, kept: Path, path: Path, *, ours: bool) -> None:
        """Let what is kept and what is at its place change places, without a moment in between where that can be."""
        self.undone.changed = True
        if fs.exchange(kept, path):
            other = kept
        else:
            other = self._aside(path)
            self._take(kept, path)
        if not ours:
            self.undone.in_the_way.append(other)

    def _link(self, step: Step) -> None:
        if _must(step.new).is_at(step.path):
            self._aside(step.path)

    def _bring(self, step: Step) -> None:
        source = _must(step.source)
        part, gone = fs.remains(source, step.path)
        fs.remove(part)
        if fs.exists(source) or not _must(step.new).is_at(step.path):
            return
        fs.remove(gone)
        if self._goes_back(source):
            self._take(step.path, source)
        else:
            self._aside(step.path)

    def _goes_back(self, source: Path) -> bool:
        """Whether what was brought goes where it came from: into a staging folder only while its maker still runs."""
        return not self.found or not is_staged(source)

    def _swap(self, step: Step) -> None:
        kept, source = _must(step.kept), _must(step.source)
        was, new = _must(step.was), _must(step.new)
        fs.remove(fs.remains(source, kept)[0])
        if not was.is_at(step.path):
            old = next((place for place in (kept, _must(step.temp)) if was.is_at(place)), None)
            if old and not fs.exists(step.path):
                self._take(old, step.path)
            elif old:
                self._instead(old, step.path, ours=new.is_at(step.path))
        if new.is_at(kept) and not fs.exists(source) and self._goes_back(source):
            try:
                self._take(kept, source)
            except OSError:
                if not is_staged(source):
                    raise
                # What was made may as well stay in the backup: the environment is as it was.


def _must(value: T | None) -> T:
    """What `Step.from_json` has made sure of."""
    if value is None:
        raise TypeError("an incomplete step")
    return value


def _is_file(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return stat.S_ISREG(path.lstat().st_mode)
    return False


def _is_second_name(one: Path, other: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(one.lstat(), other.lstat())
    return False
