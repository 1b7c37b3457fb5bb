"""Every place that an environment's own files name: activations, scripts, editable projects. Runs nothing."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath

from clinic.anatomy import activate, activate_writer, distinfo, laid, layout, shebang
from clinic.anatomy.there import can_be_listed, exists, names_in, same
from clinic.facts import Tree
from clinic.observe.scripts import LAUNCHER_LIMIT, is_told
from clinic.package_facts import Packages
from clinic.place_facts import Activation, Carried, Places, Script

_TEXT_LIMIT = 256 * 1024
_ACTIVATES = re.compile(r"activate(?:\.(?:bat|csh|fish|nu|ps1|xsh))?\Z|activate_this\.py\Z", re.IGNORECASE)
_ALL_SHELLS = re.compile(r"(?:de)?activate(?:\..*|_this\.py)?\Z|pydoc\.bat\Z", re.IGNORECASE)


def read_places(venv: Path, tree: Tree, packages: Packages) -> Places:
    """Where its files say that it lies."""
    names = names_in(tree.scripts)
    activations = tuple(_activations(venv, tree, names))
    return Places(activations, tuple(_scripts(tree, packages, names)), tuple(_carried(venv, activations, packages)))


def _activations(venv: Path, tree: Tree, names: list[str]) -> Iterator[Activation]:
    found = [name for name in names if _ACTIVATES.match(name)]
    main = "activate.bat" if tree.platform == "windows" else "activate"
    wanted = [main] if found else laid.activations(tree.creator, tree.platform)
    for name in wanted if can_be_listed(tree.scripts) else ():
        if name not in found and activate_writer.is_made(name, str(venv)):
            yield Activation(tree.scripts / name, problem="is not there")
    for name in found:
        yield _activation(venv, tree.scripts / name)


def _activation(venv: Path, path: Path) -> Activation:
    try:
        text = distinfo.beginning(path, _TEXT_LIMIT).decode("utf-8", "surrogateescape")
    except OSError as error:
        return Activation(path, problem=f"cannot be read: {error.strerror or error}")
    if not text.strip("\0 \r\n\t"):
        return Activation(path, problem="is empty")
    if "VIRTUAL_ENV" not in text:
        return Activation(path, problem="sets no VIRTUAL_ENV")
    recorded = activate.recorded_in(path.name, text)
    here = recorded is None or is_here(recorded, venv) or not activate_writer.can_say(path.name, str(venv))
    return Activation(path, recorded, here)


def is_here(recorded: str | None, venv: Path) -> bool:
    """An unknown record, and one that can't be looked up on this platform, is no evidence of a move."""
    if recorded is None or not Path(recorded).is_absolute():
        return True
    return os.path.normpath(recorded) == os.path.normpath(venv) or same(Path(recorded), venv)


def _scripts(tree: Tree, packages: Packages, names: list[str]) -> Iterator[Script]:
    owners = {name: each.name for each in packages.installed for name in each.scripts}
    limit = line_limit(sys.platform, os.uname().release if os.name == "posix" else "")
    for name in names:
        if layout.is_interpreter_name(name) or _ALL_SHELLS.match(name):
            continue
        path = tree.scripts / name
        try:
            is_link = path.is_symlink()
            data = (
                b"" if is_link else distinfo.beginning(path, LAUNCHER_LIMIT if name.endswith(".exe") else shebang.HEAD)
            )
        except OSError:
            continue
        if named := shebang.interpreter_named(data):
            here = shebang.is_of(named, tree.scripts) or is_told(named, tree)
            obstacle = shebang.obstacle(data, limit) if here and tree.platform == layout.here() else ""
            yield Script(path, named, owners.get(name, ""), here, here or exists(Path(named)), obstacle)


_OLD_LINUX = (5, 1)


def line_limit(system: str, release: str) -> int:
    """Bytes of a first line that this kernel takes (without its end).

    Linux: BINPRM_BUF_SIZE was 128 and is 256 since 5.1, the end of the line included (measured on 6.18: 255 start, 256
    do not). macOS: 512.
    """
    if system == "linux":
        told = re.match(r"(\d+)\.(\d+)", release)
        return 127 if told and (int(told[1]), int(told[2])) < _OLD_LINUX else 255
    return 511 if system == "darwin" else 127


def _carried(venv: Path, activations: tuple[Activation, ...], packages: Packages) -> Iterator[Carried]:
    """Paths of editable installs that are gone, and that lie beside the environment as they lay beside the old one."""
    moves = _moves(venv, activations)
    for file in packages.path_files:
        if file.problem == "dangling":
            for line in file.details:
                yield from _found(file.path, line, moves)
    for each in packages.installed:
        if each.project_gone:
            yield from _found(each.folder / "direct_url.json", each.project, moves)


def _found(file: Path, old: str, moves: Mapping[PurePath, Path]) -> Iterator[Carried]:
    for was, now in moves.items():
        if PurePath(old).is_relative_to(was):
            new = now / PurePath(old).relative_to(was)
            if exists(new) and not exists(Path(old)):
                yield Carried(file, old, str(new))
                return


def _moves(venv: Path, activations: tuple[Activation, ...]) -> dict[PurePath, Path]:
    """What was moved: the highest folders that differ between where the environment lay and where it lies."""
    found: dict[PurePath, Path] = {}
    for each in activations:
        if each.recorded and not each.is_here:
            was, now = PurePath(each.recorded), venv
            while was.name and was.name == now.name and was.parent != now.parent:
                was, now = was.parent, now.parent
            found[was] = now
    return found
