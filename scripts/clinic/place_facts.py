"""What was seen of where an environment says that it lies: frozen records, filled in by `observe`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Obstacle = Literal["", "too-long", "blank"]


@dataclass(frozen=True)
class Activation:
    """One file of an activation, of whichever shell."""

    path: Path
    recorded: str | None = None
    """Where it says that the environment lies; None where it computes that, or says nothing."""
    is_here: bool = True
    """Whether that is this environment, by whatever spelling."""
    problem: str = ""
    """Why it activates nothing; empty where nothing speaks against it."""


@dataclass(frozen=True)
class Script:
    """One file of the scripts folder that names an interpreter by its path."""

    path: Path
    interpreter: str
    owner: str = ""
    """The distribution whose RECORD lists it; empty where none does."""
    is_here: bool = True
    """Whether the interpreter is this environment's."""
    is_there: bool = True
    """Whether the interpreter is anywhere."""
    obstacle: Obstacle = ""
    """Why the kernel can't start it, though what it names is there."""


@dataclass(frozen=True)
class Carried:
    """A path that was moved along with the environment: one that is gone, and what is there in its stead."""

    file: Path
    """The file that names it."""
    old: str
    new: str


@dataclass(frozen=True)
class Places:
    """Every place that an environment's own files name."""

    activations: tuple[Activation, ...] = ()
    scripts: tuple[Script, ...] = ()
    carried: tuple[Carried, ...] = ()

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """The places that activations name in this environment's stead."""
        return tuple(dict.fromkeys(each.recorded for each in self.activations if each.recorded and not each.is_here))
