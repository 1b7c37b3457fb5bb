"""Folders of this machine that hold interpreters. Nothing is run here.

What the registry of Windows knows (PEP 514) is python-discovery's business; these are the folders that installers and
version managers use, whether or not they register what they install.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from clinic.anatomy.layout import here
from clinic.anatomy.there import is_file, is_folder
from clinic.facts import Platform

Manager = tuple[Path, str]
"""A folder, and the pattern of the installations in it."""


def search_folders(environ: Mapping[str, str], platform: Platform | None = None) -> list[Path]:
    """Folders that hold interpreters: PATH, then where version managers and installers keep theirs.

    A shim on the PATH is a script that takes its time and answers only for the versions that are switched on; the
    manager's own folder beside it holds them all, so that takes the shims' place.
    """
    platform = platform or here()
    pathsep = ";" if platform == "windows" else ":"
    folders: list[Path] = []
    for entry in (Path(text) for text in environ.get("PATH", "").split(pathsep) if text):
        kept = _behind_shims(entry, platform)
        folders += [entry] if kept is None else kept
    managers = _windows_managers(environ) if platform == "windows" else _posix_managers(environ)
    for manager in managers:
        folders += _installed_below(manager, platform)
    folders += [Path("/usr/local/bin"), Path("/usr/bin")] if platform == "posix" else []
    return list(dict.fromkeys(folders))


def _behind_shims(entry: Path, platform: Platform) -> list[Path] | None:
    """The folders whose pythons a folder of shims stands for; None where it is no such folder."""
    if entry.name != "shims":
        return None
    behind = [entry.parent / "versions", entry.parent / "installs" / "python"]
    return [folder for manager in behind for folder in _installed_below((manager, "*"), platform)] or None


def _posix_managers(environ: Mapping[str, str]) -> Iterator[Manager]:
    home = _home(environ, "HOME")
    yield Path(environ.get("PYENV_ROOT") or home / ".pyenv") / "versions", "*"
    yield Path(environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local/share/uv/python"), "*"
    yield Path(environ.get("ASDF_DATA_DIR") or home / ".asdf") / "installs/python", "*"
    yield Path(environ.get("MISE_DATA_DIR") or home / ".local/share/mise") / "installs/python", "*"
    yield Path("/opt/homebrew/opt"), "*"
    yield Path("/usr/local/opt"), "*"
    yield Path("/Library/Frameworks/Python.framework/Versions"), "*"
    yield Path("/Library/Frameworks/PythonT.framework/Versions"), "*"  # the free-threaded builds of python.org


def _windows_managers(environ: Mapping[str, str]) -> Iterator[Manager]:
    """As their documentation has it: pyenv-win, uv, mise, scoop, pymanager, and the installer of python.org."""
    home = _home(environ, "USERPROFILE")
    roaming = Path(environ.get("APPDATA") or home / "AppData/Roaming")
    local = Path(environ.get("LOCALAPPDATA") or home / "AppData/Local")
    pyenv = environ.get("PYENV") or environ.get("PYENV_ROOT") or home / ".pyenv/pyenv-win"
    yield Path(pyenv) / "versions", "*"
    yield Path(environ.get("UV_PYTHON_INSTALL_DIR") or roaming / "uv/python"), "*"
    yield Path(environ.get("MISE_DATA_DIR") or local / "mise") / "installs/python", "*"
    yield Path(environ.get("SCOOP") or home / "scoop") / "apps", "python*/current"
    yield local / "Python", "pythoncore-*"
    yield local / "Programs/Python", "Python3*"
    if files := environ.get("PROGRAMFILES"):
        yield Path(files), "Python3*"
    # A drive without a separator is the current folder of that drive.
    yield Path(environ.get("SYSTEMDRIVE", "C:") + os.sep), "Python3*"


def _home(environ: Mapping[str, str], variable: str) -> Path:
    # Path.home raises where there is none.
    return Path(environ.get(variable) or os.path.expanduser("~"))  # noqa: PTH111


def _installed_below(manager: Manager, platform: Platform) -> list[Path]:
    """The folders of executables of what was installed there, newest first (3.11.10 before 3.11.9)."""
    folder, pattern = manager
    with contextlib.suppress(OSError):
        entries = sorted(folder.glob(pattern), key=lambda path: _by_number(path.relative_to(folder)), reverse=True)
        if platform == "windows":
            return [entry for entry in entries if is_file(entry / "python.exe")]
        return [entry / "bin" for entry in entries if is_folder(entry / "bin")]
    return []


def _by_number(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", str(path))]
