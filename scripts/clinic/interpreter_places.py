"""Folders of this machine that hold interpreters. Nothing is run here."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from clinic.anatomy.layout import here
from clinic.anatomy.there import is_folder


def search_folders(environ: Mapping[str, str]) -> list[Path]:
    """Folders that hold interpreters: PATH, then where version managers keep theirs.

    A shim on the PATH is a script that takes its time and answers only for the versions that are switched on; the
    manager's own folder beside it holds them all, so that takes the shims' place.
    """
    folders: list[Path] = []
    for entry in (Path(text) for text in environ.get("PATH", os.defpath).split(os.pathsep) if text):
        kept = _behind_shims(entry)
        folders += [entry] if kept is None else kept
    for manager in _managers(environ):
        folders += _installed_below(manager)
    folders += [Path("/usr/local/bin"), Path("/usr/bin")] if here() == "posix" else []
    return list(dict.fromkeys(folders))


def _behind_shims(entry: Path) -> list[Path] | None:
    """The folders whose pythons a folder of shims stands for; None where it is no such folder."""
    if entry.name != "shims":
        return None
    behind = [entry.parent / "versions", entry.parent / "installs" / "python"]
    return [folder for manager in behind for folder in _installed_below(manager)] or None


def _managers(environ: Mapping[str, str]) -> list[Path]:
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home raises where there is none
    return [
        Path(environ.get("PYENV_ROOT") or home / ".pyenv") / "versions",
        Path(environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local/share/uv/python"),
        Path(environ.get("ASDF_DATA_DIR") or home / ".asdf") / "installs/python",
        Path(environ.get("MISE_DATA_DIR") or home / ".local/share/mise") / "installs/python",
        Path("/opt/homebrew/opt"),
        Path("/usr/local/opt"),
        Path("/Library/Frameworks/Python.framework/Versions"),
    ]


def _installed_below(manager: Path) -> list[Path]:
    """The folders of executables of what a version manager installed, newest first (3.11.10 before 3.11.9)."""
    with contextlib.suppress(OSError):
        entries = sorted(manager.iterdir(), key=_by_number, reverse=True)
        return [entry / "bin" for entry in entries if is_folder(entry / "bin")]
    return []


def _by_number(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]
