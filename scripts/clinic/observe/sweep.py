"""One sweep over site-packages: every file with its size. RECORD is compared with that, not with a look per row."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

LINK = -1
"""The size of a link: what it leads to is looked at only where it stays within the environment."""
OTHER = -2
"""The size of what is no file: a pipe, a device, a folder that may not be read."""


@dataclass
class Sweep:
    """What lies in site-packages, by path relative to it with forward slashes."""

    site: Path
    files: dict[str, int] = field(default_factory=dict)
    top: list[str] = field(default_factory=list)
    links: set[str] = field(default_factory=set)
    """Folders that are links; what is behind them is not swept."""


def sweep(site: Path) -> Sweep:
    """Read the folder and all below it; what can't be read is as if it were not there."""
    found = Sweep(site)
    open_ = [(os.fspath(site), "")]
    while open_:
        folder, prefix = open_.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        if not prefix:
            found.top = sorted(entry.name for entry in entries)
        for entry in entries:
            _enter(found, entry, prefix, open_)
    return found


def _enter(found: Sweep, entry: os.DirEntry[str], prefix: str, open_: list[tuple[str, str]]) -> None:
    name = prefix + entry.name
    if entry.is_symlink():
        if _leads_to_folder(entry):
            found.links.add(name)
        else:
            found.files[name] = LINK
    elif entry.is_dir(follow_symlinks=False):
        open_.append((entry.path, name + "/"))
    elif entry.is_file(follow_symlinks=False):
        try:
            found.files[name] = entry.stat(follow_symlinks=False).st_size
        except OSError:
            found.files[name] = OTHER
    else:
        found.files[name] = OTHER


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
