"""One transaction on record: what was moved aside, what is new, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from clinic.model import Receipt, RemedyOutcome

State = Literal["pending", "done", "restored", "undone", "expired"]


@dataclass
class Entry:
    """One transaction on record. `moved` pairs are (where it was, where it is kept); `made` is what is new."""

    id: str
    remedy: str
    venv: Path
    started: float
    state: State = "pending"
    moved: list[tuple[Path, Path]] = field(default_factory=list)
    made: list[Path] = field(default_factory=list)
    brought: list[tuple[Path, Path]] = field(default_factory=list)
    """What came out of an older stash: (where it was kept, where it is now)."""
    folders: list[Path] = field(default_factory=list)
    """Folders that were made for what is new, innermost first."""
    seconds: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def stash(self) -> Path | None:
        """The folder that keeps what was replaced."""
        return self.moved[0][1].parent if self.moved else None

    def receipt(self, outcome: RemedyOutcome) -> Receipt:
        """What people and programs are told of it."""
        changed = dict.fromkeys([*self.made, *(was for was, _ in self.moved), *(now for _, now in self.brought)])
        return Receipt(self.remedy, tuple(changed), self.stash, self.seconds, outcome, self.id)

    def as_json(self) -> dict[str, Any]:
        """As it is written down."""
        return {
            "id": self.id,
            "remedy": self.remedy,
            "venv": str(self.venv),
            "started": self.started,
            "state": self.state,
            "moved": [[str(was), str(kept)] for was, kept in self.moved],
            "made": [str(path) for path in self.made],
            "brought": [[str(kept), str(now)] for kept, now in self.brought],
            "folders": [str(path) for path in self.folders],
            "seconds": self.seconds,
            "facts": self.facts,
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Entry:
        """As it was written down."""
        return cls(
            id=told["id"],
            remedy=told["remedy"],
            venv=Path(told["venv"]),
            started=float(told["started"]),
            state=told["state"],
            moved=[(Path(was), Path(kept)) for was, kept in told["moved"]],
            made=[Path(path) for path in told["made"]],
            brought=[(Path(kept), Path(now)) for kept, now in told.get("brought", [])],
            folders=[Path(path) for path in told.get("folders", [])],
            seconds=float(told["seconds"]),
            facts=dict(told.get("facts", {})),
        )
