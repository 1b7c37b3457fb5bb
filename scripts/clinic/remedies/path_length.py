"""The longest path that Windows takes, and which files of an environment would exceed it.

Without LongPathsEnabled a path has 260 characters with its closing NUL, and a folder leaves room for a file name of
8.3 in it (https://learn.microsoft.com/windows/win32/fileio/maximum-file-path-limitation). Of an environment the
deepest files decide, and it is made in a folder beside its place, so the paths are longer for as long as that takes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from clinic.anatomy import layout, record
from clinic.facts import Platform

MAX_PATH = 259
_ROOM_IN_A_FOLDER = 12
CODE = "path-too-long"
_KEY = r"SYSTEM\CurrentControlSet\Control\FileSystem"


def limit(platform: Platform | None = None) -> int | None:
    """The longest path that programs take here; None where the system sets no limit that an environment meets."""
    return None if (platform or layout.here()) != "windows" or _long_paths_enabled() else MAX_PATH


def _long_paths_enabled() -> bool:
    if sys.platform != "win32":
        return False
    import winreg  # pragma: no cover - Windows

    try:  # pragma: no cover - Windows
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _KEY) as key:
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    except OSError:  # pragma: no cover - Windows
        return False


def excess(path: str, most: int | None) -> int:
    """By how many characters a file's path is too long; 0 where it is not. Windows counts in UTF-16."""
    if most is None:
        return 0
    folder = path[: max(path.rfind("\\"), path.rfind("/"), 0)]
    return max(0, _units(path) - most, _units(folder) - (most - _ROOM_IN_A_FOLDER))


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def too_long(paths: Iterable[str], most: int | None) -> tuple[str, int] | None:
    """The path that exceeds the limit most, and by how much; None where all fit."""
    worst = max(((excess(path, most), path) for path in paths), default=(0, ""))
    return (worst[1], worst[0]) if worst[0] else None


def installed_files(root: Path, folders: Iterable[Path], home: Path) -> Iterator[str]:
    """The files of distributions in the environment at `root`, as they are called where it lies at `home`.

    The first one is there in every environment.
    """
    yield os.fspath(home / "Lib" / "site-packages" / "_virtualenv.py")
    for folder in folders:
        inside = os.path.relpath(folder.parent, root)
        for row in record.read(folder):
            yield os.path.normpath(os.path.join(home, inside, row.path))  # noqa: PTH118 - a text, and there are many


def message(found: tuple[str, int]) -> str:
    """What is wrong with a path."""
    path, more = found
    return (
        f"{path} is {more} character{'s' if more != 1 else ''} longer than Windows takes while LongPathsEnabled is off"
    )


def hint(more: int | None = None) -> str:
    """The command that lifts the limit, and what helps without an administrator."""
    shorter = f"{more} characters shorter" if more else "shorter"
    return (
        f"reg add HKLM\\{_KEY} /v LongPathsEnabled /t REG_DWORD /d 1 /f (as administrator, then in a new terminal),"
        f" or move the project to a path that is {shorter}"
    )
