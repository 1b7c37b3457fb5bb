"""Proving a new environment before it replaces the old one: identity, distributions, files, imports, the server.

Two things are waited for at once: its python imports what the service imports (and so compiles it: the first boot
after the swap is a warm one) and runs its `--version`, while every file is read and compared with RECORD.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from clinic import interpreters, proc
from clinic.anatomy import layout, record
from clinic.anatomy.lock import canonical
from clinic.anatomy.there import exists
from clinic.facts import Interpreter, Self, Silence
from clinic.observe import content

VERSION_SECONDS = 30.0
_RUN = "-m "  # leads the name of a module that the probe is to run (see `clinic.probe`)


ALTERED = "is not what its RECORD says"


@dataclass(frozen=True)
class Expected:
    """What a new environment must be."""

    base: Interpreter
    distributions: tuple[tuple[str, str], ...] = ()
    imports: tuple[str, ...] = ()
    module: str | None = None
    """What the service runs with `-m`."""
    likely: tuple[str, ...] = ()
    """Modules that the imports will most likely load, last ones first, relative to site-packages."""


@dataclass
class Reading:
    """What reading every file came to: objections, and files that name the staging place (bytecode apart)."""

    objections: list[str] = field(default_factory=list)
    named: list[Path] = field(default_factory=list)


def identity(root: Path, base: Interpreter, modules: Sequence[str] = ()) -> tuple[list[str], Self | Silence]:
    """Why the environment's python is not what it should be; nothing where it is."""
    me = interpreters.ask(layout.python_in(root, layout.here()), root, modules, bytecode=True)
    if isinstance(me, Silence):
        return [f"its python does not start: {me.reason}"], me
    who = me.interpreter
    if not me.is_itself:
        return [f"its python says that its prefix is {who.prefix}"], me
    if (who.version, who.flavour) != (base.version, base.flavour):
        return [f"its python says that it is {who.dotted}, its base is {base.dotted}"], me
    failed = [f"import {name} fails: {error}" for name, error in me.imports if error and not name.startswith(_RUN)]
    return failed, me


def site_packages(root: Path, base: Interpreter) -> Path:
    """The folder of the new environment's packages."""
    folders = layout.library_folders(root, layout.here())
    fitting = [folder for folder, flavour in folders if flavour in {None, base.flavour}]
    return (fitting[0] if fitting else root / "Lib") / "site-packages"


def prove(root: Path, expected: Expected, segment: str, *, skip: Sequence[Path] = ()) -> tuple[list[str], Reading]:
    """Why the environment at `root` is not as expected; nothing where it is. With what reading its files showed.

    `skip` are files that are somebody's own: what they say is not for us to judge, and they may be large.
    """
    site = site_packages(root, expected.base)
    with ThreadPoolExecutor(2) as pool:
        python = pool.submit(_started, root, site, expected)
        pool.submit(_compiled, root, site, expected.likely)
        reading = read_all(root, site, segment, frozenset(os.fspath(root / path) for path in skip))
        objections = [*missing(site, expected.distributions), *reading.objections, *python.result()]
    return objections, reading


def _started(root: Path, site: Path, expected: Expected) -> list[str]:
    """Identity, imports and the service's `--version` in one process: to start another costs what it runs again.

    Against a version that was not told there, only a process of its own is a witness.
    """
    run = _RUN + expected.module if expected.module and _is_installed(site, expected.module) else ""
    objections, me = identity(root, expected.base, [*expected.imports, *([run] if run else [])])
    told = dict(me.imports) if run and isinstance(me, Self) else {}
    return [*objections, *(version_of(root, expected.module) if expected.module and told.get(run) else ())]


def imported_before(site: Path) -> tuple[str, ...]:
    """The modules that an environment has bytecode of, newest first: what was imported, the last ones first."""
    found: list[tuple[int, str]] = []
    for root, _, files in os.walk(site):
        folder, name = os.path.split(root)
        if name == "__pycache__":
            above = os.path.relpath(folder, site)
            found += [(_modified(root, file), f"{above}/{file.split('.')[0]}.py") for file in files]
    return tuple(path for _, path in sorted(found, reverse=True)) if len(found) <= _LIKELY else ()


def _modified(folder: str, name: str) -> int:
    try:
        return Path(folder, name).lstat().st_mtime_ns
    except OSError:
        return 0


_LIKELY = 600
"""A service imports fewer; where there are more, somebody compiled everything, and it tells nothing."""


def _compiled(root: Path, site: Path, likely: Sequence[str]) -> None:
    """Compile from the end what the import compiles from the start: they meet, and the wait is halved (measured).

    What it misses or can't compile is the import's business, so nothing of it is an objection.
    """
    paths = [path for each in likely if (path := site / each).is_file()]
    if paths:
        with TemporaryDirectory(prefix="clinic-") as folder:
            listed = Path(folder) / "likely"
            listed.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
            python = layout.python_in(root, layout.here())
            proc.run([python, "-I", "-m", "compileall", "-qq", "-i", listed], timeout=VERSION_SECONDS)


def _is_installed(site: Path, module: str) -> bool:
    """Whether `--version` may be tried: a module of the project might just start."""
    top = module.split(".", maxsplit=1)[0]
    return exists(site / top) or exists(site / f"{top}.py")


def version_of(root: Path, module: str) -> list[str]:
    """Why `-m MODULE --version` fails; nothing where it does not."""
    python = layout.python_in(root, layout.here())
    done = proc.run([python, "-I", "-m", module, "--version"], timeout=VERSION_SECONDS)
    if done.ok and (done.stdout or done.stderr).strip():
        return []
    told = (done.stderr.strip().splitlines() or [""])[-1]
    return [f"-m {module} --version: {done.reason or told or f'exit code {done.code}'}"]


def service_module(command: Sequence[str]) -> str | None:
    """The module that the service's command runs with the environment's python: what follows `-m`."""
    words = list(command)
    if "{python}" not in words:
        return None
    after = words[words.index("{python}") + 1 :]
    for at, word in enumerate(after):
        if word == "-m":
            return after[at + 1] if at + 1 < len(after) else None
        if not word.startswith("-"):
            return None
    return None


def missing(site: Path, wanted: Sequence[tuple[str, str]]) -> list[str]:
    """Locked distributions that are not there in their version, or whose RECORD is lost."""
    have = {named(folder): folder for folder in site.glob("*.dist-info")}
    told = [f"{name} {version} is not installed" for name, version in wanted if (name, version) not in have]
    bare = [key for key, folder in have.items() if not exists(folder / record.NAME)]
    return [*told, *(f"{name} {version} has no RECORD" for name, version in bare)]


def named(folder: Path) -> tuple[str, str]:
    """The distribution and version that a dist-info folder is of."""
    stem, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
    return canonical(stem), version


def read_all(root: Path, site: Path, segment: str, skip: frozenset[str] = frozenset()) -> Reading:
    """Read every file once: compare it with RECORD where a row has a hash, and see whether it names the staging place.

    Bytecode may name it: CPython sets a code object's file name anew when it loads one from a cache.
    """
    reading = Reading()
    rows = dict(_checkable(site))
    token = segment.encode("ascii")
    with ThreadPoolExecutor(2) as pool:
        for path, found in pool.map(lambda path: (path, _read(path, rows.get(path), token)), _files(root, skip)):
            rows.pop(path, None)
            if found is None:
                reading.objections.append(f"{path} cannot be read")
            elif not found.agrees:
                reading.objections.append(f"{path} {ALTERED}")
            if found and found.names:
                reading.named.append(Path(path))
    reading.objections += [f"{path} is in a RECORD, and not there" for path in rows if not exists(Path(path))]
    return reading


def _checkable(site: Path) -> Iterator[tuple[str, record.Row]]:
    for folder in site.glob("*.dist-info"):
        for row in record.read(folder):
            if row.checkable:
                yield os.path.normpath(f"{site}{os.sep}{row.path}"), row


def _files(folder: str | Path, skip: frozenset[str]) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.path in skip:
                continue
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    yield from _files(entry.path, skip)
            elif entry.is_file(follow_symlinks=False):
                yield entry.path


@dataclass(frozen=True)
class _Found:
    """What reading one file came to."""

    agrees: bool
    """With its row in RECORD, if it has one."""
    names: bool
    """Whether the staging place is named in it."""


_BLOCK = 1024 * 1024


def _read(path: str, row: record.Row | None, token: bytes) -> _Found | None:
    """Read a file in blocks, whatever its size; None where it can't be read. Hashing lets other threads run."""
    digest = hashlib.new(row.algorithm, usedforsecurity=False) if row else None
    names, end = False, b""
    try:
        with Path(path).open("rb", buffering=0) as stream:
            while block := stream.read(_BLOCK):
                if digest:
                    digest.update(block)
                names = names or token in block or token in end + block[: len(token)]
                end = block[-len(token) :]  # it may lie across two blocks
    except OSError:
        return None
    return _Found(not (row and digest) or content.spelled(digest.digest(), row.digest), names)
