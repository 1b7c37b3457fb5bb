"""Console scripts: which interpreter they start with, and whether they still are what their entry point says.

Creators, installers and pipx write first lines of their own, so a script is never compared with a hash.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from clinic.anatomy import distinfo, layout, shebang
from clinic.anatomy.there import is_file
from clinic.facts import Tree
from clinic.observe.rows import Compared, Place

LAUNCHER_LIMIT = 4 * 1024 * 1024


def judged(
    place: Place, rows: Compared, promised: Mapping[str, str], *, deep: bool
) -> tuple[list[tuple[str, str]], list[str]]:
    """Scripts that start with an interpreter of another place, and scripts whose body is not theirs."""
    stale: list[tuple[str, str]] = []
    broken: list[str] = []
    for name in rows.scripts:
        path = place.scripts / name
        if name in rows.scripts_missing or path.is_symlink() or not is_file(path):
            continue
        try:
            data = distinfo.beginning(path, LAUNCHER_LIMIT if deep or name.endswith(".exe") else shebang.HEAD)
        except OSError:
            continue
        named = shebang.interpreter_named(data)
        module = promised.get(name.removesuffix(".exe"))
        if named and is_stale(named, place, is_entry=module is not None):
            stale.append((name, named))
        elif not data.strip() or (deep and module and not _calls(data, module)):
            broken.append(_row_of(rows, name))
    return stale, broken


def interpreter_of(path: Path) -> str:
    """The interpreter that a script names by its path; empty where it names none or can't be read."""
    try:
        return shebang.interpreter_named(distinfo.beginning(path, LAUNCHER_LIMIT))
    except OSError:
        return ""


def is_stale(named: str, place: Place, *, is_entry: bool) -> bool:
    """Whether a script starts with the python of another place.

    A script may start with any python on purpose; one that an installer wrote starts with its environment's.
    """
    if shebang.is_of(named, place.scripts) or (place.tree is not None and is_told(named, place.tree)):
        return False
    return is_entry or not os.path.exists(named)  # noqa: PTH110 - never raises


def is_told(named: str, tree: Tree) -> bool:
    """On another platform's disk: whether an interpreter is where the environment says that it lies; else unknown."""
    if tree.platform == layout.here():
        return False
    if tree.recorded_path is None:
        return True
    mine = layout.pure(tree.recorded_path, tree.platform)
    return layout.pure(named, tree.platform).parent == mine / tree.scripts.name


def _calls(data: bytes, module: str) -> bool:
    if data.startswith(b"MZ"):
        return b"PK\x05\x06" in data  # what the zip file in a launcher holds is packed
    return re.search(rb"\b" + re.escape(module.encode("utf-8")) + rb"\b", data) is not None


def _row_of(rows: Compared, name: str) -> str:
    return next((row for row in rows.owned if row.endswith(f"/{name}")), name)
