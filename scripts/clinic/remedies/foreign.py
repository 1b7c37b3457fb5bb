"""Files inside an environment's folder that no creator or installer put there: found, and carried over.

The rule everywhere: what a RECORD names, and what every creator writes, can be had again; the rest is somebody's.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clinic import fs
from clinic.anatomy import layout, record
from clinic.anatomy.there import exists, is_folder, names_in
from clinic.errors import of_the_machine
from clinic.facts import Platform
from clinic.observe import content

_OF_CREATORS = frozenset(
    ("pyvenv.cfg", ".gitignore", "CACHEDIR.TAG", ".lock", "lib64", "pip-selfcheck.json", "__pycache__")
)
_SCRIPT_FOLDERS = frozenset({"bin", "Scripts"})
_LIBRARIES = frozenset({"lib", "Lib"})
_DATA = frozenset({"include", "Include", "share", "etc", "man", "data", "doc", "local"})
"""Folders that installers put files into; there, file by file, RECORD and the file's content decide."""
_STARTUP = re.compile(r"(?:.*\.pth|(?:sitecustomize|usercustomize)(?:\.py)?)\Z")


@dataclass
class Carried:
    """What became of the foreign files; paths are relative to the environment. `left` are in the old one only."""

    carried: list[Path] = field(default_factory=list)
    left: list[tuple[Path, str]] = field(default_factory=list)


def foreign(venv: Path) -> list[Path]:
    """Foreign files and folders of an environment, relative to it; folders are named as a whole where they can be."""
    platform = layout.platform_of(venv)
    if platform is None or not layout.has_environment(venv):
        return [Path(name) for name in names_in(venv)]
    known = _installed(venv, platform)
    return sorted(_in_root(venv, platform, known))


@dataclass(frozen=True)
class Known:
    """What RECORDs name, relative to the environment: files, and the folders that hold them."""

    files: frozenset[Path]
    folders: frozenset[Path]


def _installed(venv: Path, platform: Platform) -> Known:
    files = set()
    for folder, _ in layout.library_folders(venv, platform):
        site = folder / "site-packages"
        for name in names_in(site):
            if name.endswith(".dist-info"):
                files |= set(_of_distribution(venv, site, site / name))
    folders: set[Path] = set()
    for path in {file.parent for file in files}:
        folders |= {path, *path.parents}
    return Known(frozenset(files), frozenset(folders))


def _of_distribution(venv: Path, site: Path, folder: Path) -> Iterator[Path]:
    yield folder.relative_to(venv)
    prefix = os.path.relpath(site, venv)
    for row in record.read(folder):
        path = Path(os.path.normpath(f"{prefix}/{row.path}"))
        # Data files are edited, and a RECORD can claim any: only with the recorded content will they come again.
        if _DATA.isdisjoint(path.parts[:1]) or (row.checkable and content.agrees(str(venv / path), row)):
            yield path
    if not exists(folder / record.NAME):
        # Its RECORD is lost: then its own list of top-level names says what was installed.
        for name in _words(folder / "top_level.txt"):
            yield Path(prefix, name)
            yield Path(prefix, f"{name}.py")


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return []


def _in_root(venv: Path, platform: Platform, known: Known) -> Iterator[Path]:
    for name in names_in(venv):
        if name in _SCRIPT_FOLDERS and is_folder(venv / name):
            yield from _in_scripts(venv, name, known)
        elif name in _LIBRARIES and is_folder(venv / name):
            yield from _in_library(venv, platform, name, known)
        elif name in _DATA:
            yield from _unrecorded(venv, Path(name), known)
        elif name not in _OF_CREATORS:
            yield Path(name)


def _in_scripts(venv: Path, folder: str, known: Known) -> Iterator[Path]:
    for name in names_in(venv / folder):
        relative = Path(folder, name)
        if relative in known.files or layout.is_interpreter_name(name) or _CREATED.match(name):
            continue
        if not _is_console_script(venv / relative):
            yield relative


# Activation, the seeded installers, and what lies beside Windows' interpreters (DLLs, tcl scripts, the venv stubs).
_CREATED = re.compile(
    r"(?:activate|deactivate|pydoc\.bat|pip(?:-?[\d.]+)?(?:\.exe)?\Z|wheel(?:-?[\d.]+)?(?:\.exe)?\Z|easy_install"
    r"|__pycache__\Z|pyvenv\.cfg\Z|.*\.dll\Z|.*\.pdb\Z|_\w+\.pyd\Z|.*-script\.pyw?\Z|.*\.exe\.manifest\Z)",
    re.IGNORECASE,
)


def _is_console_script(path: Path) -> bool:
    """Whether an installer wrote it, though no RECORD names it any more: the two lines that all of them write."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return False
        data = path.read_bytes()
    except OSError:
        return False
    if path.suffix.lower() == ".exe":
        return b"PK\x03\x04" in data or b"UV_" in data
    return data.startswith(b"#!") and b"sys.argv[0]" in data and b"sys.exit(" in data


def _in_library(venv: Path, platform: Platform, folder: str, known: Known) -> Iterator[Path]:
    libraries = {library for library, _ in layout.library_folders(venv, platform)}
    for name in names_in(venv / folder):
        place = venv / folder / name
        if platform == "windows" and name == "site-packages":
            yield from _in_site(venv, place.relative_to(venv), known)
        elif place in libraries:
            yield from _in_site(venv, (place / "site-packages").relative_to(venv), known)
        elif not (name.startswith("libpython") or layout.flavour_of_name(name) or name == "__pycache__"):
            yield from _unrecorded(venv, Path(folder, name), known)


_NOT_OURS_TO_CARRY = re.compile(
    r"(?:~.*|__pycache__|.*\.dist-info|.*\.egg-info|.*\.egg-link|easy-install\.pth|distutils-precedence\.pth"
    r"|_virtualenv\.(?:py|pth)|.*\.virtualenv|\.lock|README\.txt)\Z"
)


def _in_site(venv: Path, site: Path, known: Known) -> Iterator[Path]:
    """Leftovers of installers (`~name`), and distributions beyond the lock, are the business of drift."""
    for name in names_in(venv / site):
        if not _NOT_OURS_TO_CARRY.match(name):
            yield from _unrecorded(venv, site / name, known)


def _unrecorded(venv: Path, relative: Path, known: Known) -> Iterator[Path]:
    """What no RECORD names at or below a path; a folder of which no RECORD names anything is told as a whole."""
    place = venv / relative
    if relative in known.files:
        return
    if place.is_symlink() or not is_folder(place):
        if not relative.name.endswith((".pyc", ".pyo")):
            yield relative
        return
    names = [name for name in names_in(place) if name != "__pycache__"]
    if relative not in known.folders:
        if _holds_a_file(place):
            yield relative
        return
    for name in names:
        yield from _unrecorded(venv, relative / name, known)


def _holds_a_file(folder: Path) -> bool:
    """Creators leave empty folders (`include/python3.13`)."""
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        if files or any(Path(root, name).is_symlink() for name in folders):
            return True
    return False


def is_startup(path: Path) -> bool:
    """Whether python runs it on its own when it starts."""
    return "site-packages" in path.parts and bool(_STARTUP.match(path.name))


def carry(old: Path, new: Path, paths: list[Path], into: Carried) -> None:
    """Copy foreign files into the new environment where nothing is there; times, modes and links are kept."""
    for relative in paths:
        target = new / _translated(relative, new)
        reason = _objection(old / relative, target, new)
        if reason:
            into.left.append((relative, reason))
        elif trouble := _copied(old / relative, target):
            into.left.append((relative, trouble))
        else:
            into.carried.append(target.relative_to(new))


_OF_THIS_FILE = frozenset({errno.EACCES, errno.EPERM})


def _copied(source: Path, target: Path) -> str:
    """Copy; why not, if the file itself is the reason.

    A full or failing disk, or a copy that may not be written, is no reason to leave a file out: it is raised.
    """
    try:
        fs.copy(source, target)
    except OSError as error:
        fs.remove(target)
        denied = error.errno in _OF_THIS_FILE and Path(error.filename or target).is_relative_to(source)
        if not denied and of_the_machine(error):
            raise
        return f"cannot be copied: {error.strerror or 'a pipe, a device, or not readable'}"
    return ""


def take_back(new: Path, paths: list[Path], why: str, into: Carried) -> None:
    """Remove carried files again, with which the new environment does not prove itself."""
    for relative in paths:
        if relative in into.carried:
            fs.remove(new / relative)
            into.carried.remove(relative)
            into.left.append((relative, why))


def _translated(relative: Path, new: Path) -> Path:
    """The same place in an environment of another minor version."""
    parts = relative.parts
    if len(parts) > 2 and parts[0] == "lib" and layout.flavour_of_name(parts[1]):  # noqa: PLR2004 - lib/pythonX.Y/…
        folders = [folder for folder, _ in layout.library_folders(new, "posix")]
        return Path("lib", folders[0].name, *parts[2:]) if folders else relative
    return relative


def _objection(source: Path, target: Path, new: Path) -> str:
    if exists(target) or target.is_symlink():
        return "the new environment has its own"
    try:
        mode = source.lstat().st_mode
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
        return "is neither file, folder nor link"
    if is_startup(target.relative_to(new)) and stat.S_ISDIR(mode):
        return "is a folder in the place of a file that python runs"
    return ""
