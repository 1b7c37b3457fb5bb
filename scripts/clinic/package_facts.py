"""What was seen of the packages: frozen records, filled in by `observe`, judged by the checks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Installed:
    """One dist-info folder and what it promises. Texts say what is wrong; empty where nothing is."""

    name: str
    version: str
    folder: Path
    metadata: str = ""
    record: str = ""
    missing: tuple[str, ...] = ()
    """Files that RECORD lists with a hash and that are not there; relative to site-packages, as in RECORD."""
    altered: tuple[str, ...] = ()
    """Files whose content is not the recorded one: those of another size, and with `deep` all others too."""
    scripts: tuple[str, ...] = ()
    """Its files in the scripts folder, by name."""
    scripts_missing: tuple[str, ...] = ()
    scripts_stale: tuple[tuple[str, str], ...] = ()
    """Console scripts, and the interpreter of another place that they name."""
    outside: tuple[str, ...] = ()
    """Rows that lead out of the environment: never read, hashed or removed."""
    unmet: tuple[tuple[str, str, str], ...] = ()
    """Requirements that do not hold: canonical name, as METADATA says it, and what is there instead."""
    project: str = ""
    """Where an editable install has its project."""
    project_gone: bool = False

    @property
    def label(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class PathFile:
    """A `.pth` file with something wrong in it."""

    path: Path
    problem: Literal["dangling", "undecodable"]
    details: tuple[str, ...]
    owner: str = ""
    """The distribution whose RECORD lists it."""


@dataclass(frozen=True)
class Alien:
    """An extension module that this environment's python cannot load."""

    path: str
    owner: str
    made_for: str


@dataclass(frozen=True)
class Packages:
    """The site-packages of one environment."""

    installed: tuple[Installed, ...] = ()
    leftovers: tuple[Path, ...] = ()
    """What interrupted installers left under a name that begins with a tilde."""
    aliens: tuple[Alien, ...] = ()
    path_files: tuple[PathFile, ...] = ()
    start_up: tuple[tuple[Path, str], ...] = ()
    """Every `.pth` file, and the distribution whose RECORD lists it (empty where none does)."""
    bytecode: tuple[Path, ...] = ()
    """Cached bytecode that does not load; looked for with `deep` only, but for pipes and devices in its place."""
    emptied: str = ""
    pip: str = ""
    """What is wrong with a pip that is meant to be there."""
    uncovered: tuple[Path, ...] = ()
    """Files that no RECORD covers: activation, start-up files, scripts and notes of somebody's own."""
    verified: int = 0
    """Files whose content was compared with RECORD."""

    def named(self, name: str) -> tuple[Installed, ...]:
        """Every dist-info of that name: two are a damage."""
        return tuple(each for each in self.installed if each.name == name)

    @property
    def duplicates(self) -> dict[str, tuple[Installed, ...]]:
        """Distributions that have more than one dist-info."""
        names = [each.name for each in self.installed]
        return {name: self.named(name) for name in dict.fromkeys(names) if names.count(name) > 1}
