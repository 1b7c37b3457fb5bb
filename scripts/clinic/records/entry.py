"""One transaction on record: its steps, what each of them was about to do, and how it ended."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from clinic import fs
from clinic.model import Receipt, RemedyOutcome
from clinic.records.identity import Identity
from clinic.records.places import ID, Places

State = Literal["pending", "done", "restored", "undone", "expired", "overtaken", "foreign"]
"""`overtaken`: what it was about is not there any more. `foreign`: of another project or unreadable; listed only."""
Do = Literal["folder", "move", "write", "link", "bring", "swap"]

FORMAT = 2


@dataclass(frozen=True)
class Step:
    """One change. It is on record before it is made, so it may not have been made.

    folder a new, empty folder for what is to be in it
    move   what is at `path` goes to `kept`                          write  a new file at `path`; `kept` has the old one
    link   a new link at `path`                                      bring  what is at `source` goes to `path`
    swap   what is at `source` goes to `path`, what was there to `kept`, in one step where the system has it
    """

    do: Do
    path: Path
    kept: Path | None = None
    source: Path | None = None
    temp: Path | None = None
    """The file that is written beside `path` first; where a swap takes two renames, the old one's name meanwhile."""
    was: Identity | None = None
    new: Identity | None = None

    def as_json(self, spelled: Callable[[Path], str]) -> dict[str, Any]:
        """As a receipt has it."""
        paths = {"path": self.path, "kept": self.kept, "source": self.source, "temp": self.temp}
        things = {"was": self.was, "new": self.new}
        return {
            "do": self.do,
            **{name: spelled(path) for name, path in paths.items() if path is not None},
            **{name: thing.as_json() for name, thing in things.items() if thing is not None},
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], path: Callable[[object], Path]) -> Step:
        """As it was written down. Raises ValueError, KeyError or TypeError if no run of ours wrote it."""
        if stored["do"] not in get_args(Do):
            raise ValueError(stored["do"])
        fields: dict[str, Any] = {name: path(stored[name]) for name in ("kept", "source", "temp") if name in stored}
        fields |= {name: Identity.from_json(stored[name]) for name in ("was", "new") if name in stored}
        step = cls(stored["do"], path(stored["path"]), **fields)
        needed: dict[Do, tuple[object, ...]] = {
            "folder": (),
            "move": (step.kept, step.was),
            "write": (step.temp, step.new, step.was or not step.kept or None),
            "link": (step.new,),
            "bring": (step.source, step.new),
            "swap": (step.source, step.kept, step.temp, step.was, step.new),
        }
        if None in needed[step.do]:
            raise ValueError(stored)
        return step

    def must_be_of(self, places: Places, backup: Path) -> None:
        """Raise ValueError unless each path is where only this kind of step has it."""
        wanted = {
            self.path: places.kind(self.path) == "environment",
            self.kept: self.kept is not None and self.kept.parent == backup,
            self.source: self.source is not None and places.kind(self.source) != "environment",
            self.temp: self.temp is not None and self._is_temporary(self.temp, backup),
        }
        if not all(right for path, right in wanted.items() if path is not None):
            raise ValueError(self)

    def _is_temporary(self, path: Path, backup: Path) -> bool:
        if self.do == "write":
            return path.parent == self.path.parent and fs.is_temporary(path.name)
        return path.parent == backup


@dataclass
class Entry:
    """One transaction on record."""

    id: str
    remedy: str
    venv: Path
    places: Places
    started: float
    near: bool = False
    """Whether its backup lies beside the environment instead of below the records."""
    generation: tuple[Identity, ...] = ()
    """The environment's folder as the transaction found it, and as it left it."""
    state: State = "pending"
    why: str = ""
    """Why it is listed only."""
    steps: list[Step] = field(default_factory=list)
    seconds: float = 0.0
    kept_bytes: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    put_back_now: bool = False
    """Whether this run found steps of a killed one that had been taken, and took them back."""

    @property
    def backup(self) -> Path:
        """The folder that keeps what was replaced, if there is anything in it."""
        return self.places.home(near=self.near) / self.id

    @property
    def stash(self) -> Path | None:
        """The folder that keeps what was replaced; None if nothing is kept."""
        return self.backup if ID.fullmatch(self.id) and fs.exists(self.backup) else None

    @property
    def changed(self) -> list[Path]:
        """The paths that it changed, new ones first."""
        new = [step.path for step in self.steps if step.new]
        return list(dict.fromkeys([*new, *(step.path for step in self.steps)]))

    @property
    def is_of_whole(self) -> bool:
        """Whether it puts another environment, or none, into the place of the old one."""
        return any(step.path == self.venv for step in self.steps)

    def is_of_this_generation(self) -> bool:
        """Whether the environment's folder is the one that this was about, not one that was made anew since."""
        real = Path(os.path.realpath(self.venv))
        if not self.generation:
            return not fs.exists(real)
        return any(seen.is_at(real) for seen in self.generation)

    def free_place(self, name: str) -> Path:
        """A name in the backup that nothing has and nothing on record is to have."""
        taken = {path for step in self.steps for path in (step.kept, step.temp)}
        number, place = 0, self.backup / name
        while place in taken or fs.exists(place):
            number += 1
            place = self.backup / f"{name}~{number}"
        return place

    def receipt(self, outcome: RemedyOutcome) -> Receipt:
        """What people and programs are shown of it."""
        return Receipt(self.remedy, tuple(self.changed), self.stash, self.seconds, outcome, self.id)
