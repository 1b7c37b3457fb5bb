"""The names of an environment's interpreter, each followed to its end; read without running anything."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path

from clinic.anatomy import laid, layout, program, shebang
from clinic.anatomy.there import is_file, names_in
from clinic.facts import File, Flavour, Platform, Program, Starter, Tree

_FAR = 40
"""Links that are followed: the kernel of Linux gives up there too."""
_MANY = 2000


def followed(file: File, platform: Platform) -> Starter:
    """One name of the interpreter, with all that can be told from where its links end."""
    leads = tuple(_steps(file))
    end = leads[-1] if leads else file.path
    own = Path(os.path.normpath(end)).is_relative_to(file.path.parent)
    try:
        status = os.stat(end)  # noqa: PTH116 - says which error it is
    except OSError as error:
        return Starter(file, leads, loops=error.errno == errno.ELOOP, own=own)
    if not stat.S_ISREG(status.st_mode):
        return Starter(file, leads, own=own, mode=status.st_mode)
    kind = _program(end, status.st_size)
    here = kind is None or program.runs_on(kind, _host(platform))
    return Starter(file, leads, own=own, mode=status.st_mode, program=kind, runs_here=here)


def _steps(file: File) -> Iterator[Path]:
    path, target = file.path, file.target
    for _ in range(_FAR):
        if not target:
            return
        path = path.parent / target
        yield path
        try:
            target = os.readlink(path)  # noqa: PTH115 - word for word
        except OSError:
            return


def _program(path: Path, size: int) -> Program | None:
    try:
        with path.open("rb") as stream:
            return program.read(stream.read(program.HEAD), size)
    except OSError:
        return None


@cache
def _host(platform: Platform) -> Program:
    """What runs here: programs like the python that runs this. Of Windows elsewhere, only the format is known."""
    if platform == "windows" and layout.here() != "windows":
        return Program("pe")
    path = Path(sys.executable).resolve()
    return _program(path, path.stat().st_size) or Program("unknown")


def foreign_extension(venv: Path, tree: Tree) -> str:
    """An extension module that no program of this machine can load, where the interpreter itself is hurt."""
    python = layout.python_in(venv, tree.platform)
    fine = any(each.file.path == python and each.program is not None and each.runs_here for each in tree.starters)
    if fine or tree.site_packages is None:
        return ""
    host = _host(tree.platform)
    for path in islice(_extensions(tree.site_packages), _MANY):
        kind = _program(path, path.stat().st_size) or Program("unknown")
        if not program.runs_on(kind, host):
            return f"{path} is {kind}"
    return ""


def _extensions(site: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(site):
        found = (Path(folder, name) for name in sorted(names) if name.endswith((".so", ".pyd", ".dylib")))
        yield from (path for path in found if is_file(path))


def relied(tree: Tree, flavour: Flavour | None) -> Iterator[tuple[str, str]]:
    """Names that are lost though a script starts with them. Scripts are read only where a name is lost."""
    whole = {each.file.path.name for each in tree.starters if each.program is not None}
    for name in laid.names(tree.creator, flavour, tree.platform):
        if name not in whole and (script := _reliant(tree.scripts, name)):
            yield name, script


def _reliant(scripts: Path, name: str) -> str:
    """A console script that starts with this name of the interpreter; empty where none does."""
    for script in names_in(scripts)[:_MANY]:
        path = scripts / script
        if layout.is_interpreter_name(script) or path.is_symlink() or not is_file(path):
            continue
        try:
            with path.open("rb") as stream:
                named = shebang.interpreter_named(stream.read(shebang.HEAD))
        except OSError:
            continue
        if named and Path(named).name == name and shebang.is_of(named, scripts):
            return script
    return ""
