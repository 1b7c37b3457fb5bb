"""The rows of RECORD against what lies there. A row that leads out of the environment is never followed."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass, field
from pathlib import Path

from clinic.anatomy import distinfo, record
from clinic.facts import Tree
from clinic.observe.sweep import LINK, OTHER, Sweep


@dataclass
class Compared:
    """What comparing one RECORD came to. `due` are files whose content is still to be compared."""

    error: str = ""
    missing: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    scripts_missing: list[str] = field(default_factory=list)
    due: list[tuple[str, record.Row]] = field(default_factory=list)
    suspects: list[tuple[str, record.Row]] = field(default_factory=list)
    """Files of another size than recorded: these are always read."""
    owned: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Place:
    """An environment, as far as rows are concerned."""

    venv: Path
    scripts: Path
    found: Sweep
    tree: Tree | None = None
    """Where it says that it lies: all that can be told of another platform's disk."""

    @property
    def site(self) -> Path:
        """Its site-packages."""
        return self.found.site


def read_rows(folder: Path) -> tuple[list[record.Row], str]:
    """The rows of a RECORD, and why there are none."""
    try:
        data = distinfo.beginning(f"{folder}{os.sep}RECORD", distinfo.RECORD_LIMIT)
    except FileNotFoundError:
        return [], "RECORD is not there"
    except OSError as error:
        return [], f"RECORD cannot be read: {error.strerror or error}"
    if not data.strip(b"\0 \r\n\t"):
        return [], "RECORD is empty"
    try:
        return list(record.rows(data.decode("utf-8", "surrogateescape"))), ""
    except csv.Error as error:
        return [], f"RECORD cannot be read: {error}"


def compare(place: Place, rows: list[record.Row]) -> Compared:
    """What of these rows is there."""
    seen = Compared()
    files = place.found.files
    for row in rows:
        name = row.path.replace("\\", "/")
        size = files.get(name)
        if size is not None and size >= 0:  # the way of nearly every row
            _there(seen, name, row, size)
        elif _is_plain(name):
            _swept(seen, place, name, row, size)
        else:
            _elsewhere(seen, place, name, row)
    return seen


def _is_plain(name: str) -> bool:
    return not name.startswith("/") and name[1:2] != ":" and ".." not in name.split("/")


def _there(seen: Compared, name: str, row: record.Row, size: int) -> None:
    seen.owned.append(name)
    if not row.checkable:
        return
    same_size = row.size is None or row.size == size
    (seen.due if same_size else seen.suspects).append((name, row))


def _swept(seen: Compared, place: Place, name: str, row: record.Row, size: int | None) -> None:
    """A row within site-packages that is no file of its own there: gone, a link, or behind a link."""
    if size is None and _behind_link(place.found, name):
        target = place.site / name
        if not _within(target, place.venv):
            seen.outside.append(name)
        elif row.checkable and not target.exists():
            seen.missing.append(name)
    elif size is None or size == OTHER or (size == LINK and not (place.site / name).exists()):
        if size is not None:
            seen.owned.append(name)
        if row.checkable:
            seen.missing.append(name)
    else:
        # A file that is a link (uv's link mode symlink): its content is that of another place.
        seen.owned.append(name)


def _behind_link(found: Sweep, name: str) -> bool:
    parts = name.split("/")
    return bool(found.links) and any("/".join(parts[:end]) in found.links for end in range(1, len(parts)))


def _elsewhere(seen: Compared, place: Place, name: str, row: record.Row) -> None:
    """A row outside of site-packages: a script, a data file, or a way out of the environment."""
    target = Path(os.path.normpath(place.site / name))
    if not target.is_relative_to(place.venv) or not _within(target.parent, place.venv):
        seen.outside.append(name)
    elif target.is_relative_to(place.site):
        _roundabout(seen, place, target.relative_to(place.site).as_posix(), row)
    elif target.parent == place.scripts and row.digest:
        seen.owned.append(name)
        seen.scripts.append(target.name)
        if not target.is_file():
            seen.scripts_missing.append(target.name)
    elif row.checkable and not target.is_file():
        seen.missing.append(name)
    elif target.is_file() and not target.is_symlink():
        _there(seen, name, row, target.stat().st_size)
    else:
        seen.owned.append(name)


def _roundabout(seen: Compared, place: Place, name: str, row: record.Row) -> None:
    """A row that leaves site-packages and comes back."""
    size = place.found.files.get(name)
    if size is not None and size >= 0:
        _there(seen, name, row, size)
    else:
        _swept(seen, place, name, row, size)


def _within(path: Path, venv: Path) -> bool:
    """Whether a path stays in the environment, links followed."""
    real, root = os.path.realpath(path), os.path.realpath(venv)
    return real == root or real.startswith(root + os.sep)
