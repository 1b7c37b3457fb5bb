"""Whether something is there, asked so that it never raises.

Up to Python 3.13 the methods of pathlib raise where a folder on the way may not be searched; these say no instead.
"""

# ruff: noqa: PTH110, PTH112, PTH113 - see above
from __future__ import annotations

import os
from pathlib import Path


def is_file(path: Path) -> bool:
    """Whether a regular file is there, links followed."""
    return os.path.isfile(path)


def is_folder(path: Path) -> bool:
    """Whether a folder is there, links followed."""
    return os.path.isdir(path)


def exists(path: Path) -> bool:
    """Whether anything is there, links followed."""
    return os.path.exists(path)


def same(one: Path, other: Path) -> bool:
    """Whether two spellings lead to one file; False where either leads nowhere."""
    try:
        return os.path.samefile(one, other)  # noqa: PTH121
    except (OSError, ValueError):
        return False


def can_be_listed(folder: Path) -> bool:
    """Whether the names in a folder are known: it may be read, or is not there."""
    return os.access(folder, os.R_OK | os.X_OK) or not os.path.lexists(folder)


def names_in(folder: Path) -> list[str]:
    """The names in a folder, sorted; none where it can't be read."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are wanted, not paths
    except (OSError, ValueError):
        return []


def files_in(folder: Path) -> list[str]:
    """The names of a folder's files and links, sorted; none where it can't be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(each.name for each in entries if each.is_symlink() or each.is_file(follow_symlinks=False))
    except (OSError, ValueError):
        return []
