"""What went past the environment: packages of its lock that were put into the base while its python was the base.

Without its pyvenv.cfg a POSIX environment starts as its base, and every installer fills that (measured).
Read from the names of dist-info folders and their times alone; nothing of the base is run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from clinic import proc
from clinic.anatomy.lock import canonical
from clinic.anatomy.there import is_file, is_folder, names_in
from clinic.facts import Escape, Interpreter, Known, Self, Silence, Stray, Tree

Window = tuple[float, float]


def escape_of(
    tree: Tree,
    me: Self | Silence | None,
    base: Interpreter | None,
    locked: Sequence[tuple[str, str]],
    known: Known,
    now: float,
) -> Escape | None:
    """What escaped, if installs can escape now or are on record as having been able to; else None."""
    past = known.escapes
    stranger = isinstance(me, Self) and not me.is_itself
    host = base or (me.interpreter if isinstance(me, Self) and stranger else None)
    if host is None or not (stranger or past):
        return None
    since = max(known.good, *_signs(tree)) if stranger else past[0][0]
    windows = [*past, (since, now)] if stranger else list(past)
    # Where it starts as another environment, its path is that one's: installs there are that one's business.
    own = isinstance(me, Self) and stranger and not me.interpreter.is_environment
    seen = [Path(entry) for entry in me.path if _is_site(entry)] if isinstance(me, Self) and own else []
    folders = [folder for folder in dict.fromkeys([*seen, *site_folders(host)]) if is_folder(folder)]
    found = tuple(_strays(folders, dict(locked), windows))
    return Escape(since, stranger, found, _undoing(host, folders, found) if found else "")


def _signs(tree: Tree) -> Iterator[float]:
    """When it was well: what was installed into it went into it, and it was made."""
    for path in (*(each.folder for each in tree.distributions), *(file.path for file in tree.interpreters)):
        yield _changed(path)
    yield 0.0


def _changed(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _is_site(entry: str) -> bool:
    return os.path.basename(entry) in {"site-packages", "dist-packages"}  # noqa: PTH119 - a text


def site_folders(
    base: Interpreter, system: str = sys.platform, environ: Mapping[str, str] = os.environ
) -> Iterator[Path]:
    """Where installers put packages for a base interpreter: its own folders, Debian's, and the person's.

    `sysconfig` of CPython 3.8 to 3.14; `dist-packages` are Debian's names for them.
    """
    prefix, minor = base.base_prefix, f"{base.flavour.major}.{base.flavour.minor}"
    if system == "win32":
        yield prefix / "Lib" / "site-packages"
    else:
        yield prefix / "lib" / f"python{base.flavour}" / "site-packages"
        yield prefix / "lib64" / f"python{base.flavour}" / "site-packages"
        yield prefix / "local" / "lib" / f"python{minor}" / "dist-packages"
        yield prefix / "lib" / "python3" / "dist-packages"
    yield user_site(base, system, environ)


def user_site(base: Interpreter, system: str, environ: Mapping[str, str]) -> Path:
    """The person's own site-packages, as `_getuserbase` and `_get_path` of Lib/site.py (3.13) have it."""
    own = environ.get("PYTHONUSERBASE")
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home raises where there is none
    minor = f"{base.flavour.major}.{base.flavour.minor}"
    if system == "win32":
        root = Path(own or Path(environ.get("APPDATA") or home) / "Python")
        # sys.winver of a build for 32 bits ends so too (PCbuild/python.props).
        winver = f"{base.flavour}-32" if base.machine.endswith("-32") else f"{base.flavour}"
        return root / f"Python{winver.replace('.', '')}" / "site-packages"
    framework = next((part for part in base.base_prefix.parts if part in _FRAMEWORKS), None)
    if system == "darwin" and framework:
        root = Path(own or home / "Library" / framework.removesuffix(".framework") / minor)
        return root / "lib" / "python" / "site-packages"
    return Path(own or home / ".local") / "lib" / f"python{base.flavour}" / "site-packages"


_FRAMEWORKS = frozenset({"Python.framework", "PythonT.framework"})
"""Of python.org's builds for macOS; the second is free-threaded."""


def _strays(folders: Sequence[Path], locked: Mapping[str, str], windows: Sequence[Window]) -> Iterator[Stray]:
    for folder in folders:
        for entry in names_in(folder):
            if not entry.endswith(".dist-info") or entry.startswith("~"):
                continue
            name, _, version = entry.removesuffix(".dist-info").rpartition("-")
            if canonical(name) not in locked:
                continue
            when = _changed(folder / entry)
            if any(since < when <= until for since, until in windows):
                yield Stray(canonical(name), version, folder / entry, when)


def _undoing(host: Interpreter, folders: Sequence[Path], found: Sequence[Stray]) -> str:
    """What takes them out again, as it is typed."""
    python = proc.quoted(host.base_executable if host.is_environment and host.base_executable else host.executable)
    marks = (host.base_prefix / "lib" / f"python{host.flavour}", host.base_prefix / "Lib")
    overrule = " --break-system-packages" if any(is_file(mark / "EXTERNALLY-MANAGED") for mark in marks) else ""
    names = " ".join(dict.fromkeys(each.name for each in found))
    if any(is_file(folder / "pip" / "__init__.py") for folder in folders):
        return f"{python} -m pip uninstall{overrule} {names}"
    return f"uv pip uninstall --python {python}{overrule} {names}"
