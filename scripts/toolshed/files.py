"""Renaming and deleting, although Windows refuses both while another program has a file open.

`clinic.fs` knows more of it; what makes the tool environment can't import what needs it.
"""

from __future__ import annotations

import shutil
import stat
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# winerror of ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION, ERROR_DIR_NOT_EMPTY
IN_USE = frozenset({5, 32, 33, 145})
RETRY_FOR = 2.0  # seconds; virus scanners and indexers hold files open for moments
RETRY_EVERY = 0.01  # seconds


def retrying(action: Callable[[], object]) -> None:
    """Call `action` until it succeeds, for two seconds at most, while Windows refuses because a file is in use."""
    deadline = time.monotonic() + RETRY_FOR
    while True:
        try:
            action()
        except OSError as error:
            if getattr(error, "winerror", None) not in IN_USE or time.monotonic() >= deadline:
                raise
            time.sleep(RETRY_EVERY)
        else:
            return


def replace(source: Path, target: Path) -> None:
    """Rename a file over another."""
    retrying(lambda: source.replace(target))


def move(source: Path, target: Path) -> None:
    """Rename a folder; nothing may be at `target`."""
    retrying(lambda: source.rename(target))


def remove(path: Path) -> None:
    """Delete a folder, read-only files and folders in it included."""
    try:
        shutil.rmtree(path)
    except OSError:  # of which Windows has more than PermissionError
        for item in (path, *path.rglob("*")):
            if not item.is_symlink():
                item.chmod(stat.S_IRWXU)
        retrying(lambda: shutil.rmtree(path))
