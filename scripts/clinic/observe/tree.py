"""What lies in an environment's folder, read without running anything of it."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import struct
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from clinic.anatomy import activate, layout
from clinic.anatomy.cfg import READ_LIMIT
from clinic.anatomy.there import exists, is_file, is_folder, names_in
from clinic.facts import CfgFile, Clue, Creator, Distribution, File, Flavour, Platform, Tree
from clinic.observe.starters import followed

NOT_A_FILE = "leads to a folder"
ENDLESS = "leads to a device or pipe"
REDIRECT = ".venv"
"""The one name under which a file may stand for an environment (PEP 832)."""
_TEXT_LIMIT = 64 * 1024
_ENOUGH = 5000
"""Files to look at for tags; a version is told long before."""


def look_at(path: Path) -> File:
    """One directory entry; never follows a link, opens nothing but regular files, and never raises."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return File(path, "missing")
    except (OSError, ValueError):
        return File(path, "unreadable")
    if stat.S_ISLNK(status.st_mode):
        return _look_at_link(path, status)
    if stat.S_ISDIR(status.st_mode):
        return File(path, "directory", mode=status.st_mode, modified=status.st_mtime)
    if not stat.S_ISREG(status.st_mode):
        return File(path, "other", mode=status.st_mode, modified=status.st_mtime)
    return File(path, "file", size=status.st_size, mode=status.st_mode, magic=_magic(path), modified=status.st_mtime)


def look_at_root(venv: Path) -> File:
    """The environment's own folder: unreadable where its entries may not be looked at."""
    root = look_at(venv)
    is_closed = root.kind in {"directory", "link"} and is_folder(venv) and not os.access(venv, os.R_OK | os.X_OK)
    if root.kind == "file" and venv.name == REDIRECT and (named := layout.named_in_file(venv)):
        return replace(root, target=str(named))
    return File(venv, "unreadable") if is_closed else root


def _look_at_link(path: Path, status: os.stat_result) -> File:
    try:
        target = os.readlink(path)  # noqa: PTH115 - word for word
    except OSError:
        target = ""
    return File(path, "link" if exists(path) else "dangling-link", target=target, modified=status.st_mtime)


def _magic(path: Path) -> bytes:
    with contextlib.suppress(OSError), path.open("rb") as stream:
        return stream.read(4)
    return b""


def read_cfg(venv: Path, platform: Platform) -> CfgFile:
    """pyvenv.cfg as it lies there, and the stray one beside the executable if there is one."""
    file = look_at(venv / layout.CFG)
    raw, error = _read(file)
    stray = look_at(layout.scripts_folder(venv, platform) / layout.CFG)
    stray_raw, _ = _read(stray)
    return CfgFile(file, raw, error, stray if stray.kind not in {"missing", "unreadable"} else None, stray_raw)


def _read(file: File) -> tuple[bytes | None, str]:
    if file.kind not in {"file", "link"}:
        return None, ""
    try:
        # Without O_NONBLOCK, opening a pipe (a link may lead to one) waits for somebody to write into it.
        descriptor = os.open(file.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                return None, NOT_A_FILE if stat.S_ISDIR(mode) else ENDLESS
            return _all_of(descriptor), ""
        finally:
            os.close(descriptor)
    except OSError as error:
        return None, error.strerror or str(error)


def _all_of(descriptor: int) -> bytes:
    parts: list[bytes] = []
    while (part := os.read(descriptor, READ_LIMIT)) and len(parts) < READ_LIMIT // 1024:
        parts.append(part)
    return b"".join(parts)[:READ_LIMIT]


def read_tree(venv: Path, platform: Platform) -> Tree:
    """The environment's folder without pyvenv.cfg."""
    scripts = layout.scripts_folder(venv, platform)
    names = names_in(scripts)
    interpreters = tuple(look_at(scripts / name) for name in names if layout.is_interpreter_name(name))
    libraries = layout.library_folders(venv, platform)
    site = _fullest(libraries)
    distributions = tuple(_distributions(site)) if site else ()
    patch = _launcher_version(scripts) if platform == "windows" else None
    clues = (*_clues(interpreters, names, libraries, site), *_launcher_clue(scripts, patch))
    main = "activate.bat" if platform == "windows" else "activate"
    script = _text(scripts / main)
    return Tree(
        platform=platform,
        scripts=scripts,
        site_packages=site,
        interpreters=interpreters,
        starters=tuple(followed(file, platform) for file in interpreters),
        lib64=look_at(venv / "lib64"),
        clues=clues,
        creator=_creator(venv),
        copies=any(file.kind == "file" for file in interpreters),
        recorded_path=activate.recorded_in(main, script),
        prompt=activate.prompt(script),
        distributions=distributions,
        patch=patch,
    )


def _fullest(libraries: Iterable[tuple[Path, Flavour | None]]) -> Path | None:
    """The site-packages with the most in it: a chimera of two versions has two, and the patient's is the full one."""
    folders = [site for folder, _ in libraries if is_folder(site := folder / "site-packages")]
    return max(folders, key=lambda folder: len(names_in(folder)), default=None)


def _distributions(site: Path) -> Iterator[Distribution]:
    for name in names_in(site):
        if name.endswith(".dist-info") and "-" in name:
            stem, _, version = name.removesuffix(".dist-info").rpartition("-")
            yield Distribution(canonical(stem), version, site / name)


def canonical(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _clues(
    interpreters: Iterable[File],
    names: Iterable[str],
    libraries: Iterable[tuple[Path, Flavour | None]],
    site: Path | None,
) -> Iterator[Clue]:
    """Evidence for the minor version, heaviest first (pyc tags are the same for both threading builds)."""
    for folder, flavour in libraries:
        if flavour:
            weight = 100 if site is not None and folder == site.parent else 10
            yield Clue(str(folder), flavour.major, flavour.minor, flavour.free_threaded, weight)
    for file in interpreters:
        told = [layout.flavour_of_name(Path(text).name) for text in (file.path.name, file.target or "") if text]
        for flavour in filter(None, told):
            proves = True if flavour.free_threaded else None
            yield Clue(str(file.path), flavour.major, flavour.minor, proves, 20)
    for name in names:
        if match := re.fullmatch(r"pip-?(\d+)\.(\d+)(?:\.exe)?", name):
            yield Clue(name, int(match[1]), int(match[2]), None, 5)
    if site is not None and site.parent.name.lower() == "lib":
        yield from _windows_clues(site)


def _windows_clues(site: Path) -> Iterator[Clue]:
    r"""`Lib\site-packages` has no version in its name: extension tags and cached bytecode tell it."""
    extension = re.compile(r"\.cp(\d)(\d+)(t?)-win\w*\.pyd\Z")
    bytecode = re.compile(r"\.cpython-(\d)(\d+)\.(?:opt-\d\.)?pyc\Z")
    seen: set[tuple[int, int, bool | None]] = set()
    for index, path in enumerate(_shallow(site)):
        if index > _ENOUGH:
            return
        if match := extension.search(path.name):
            key: tuple[int, int, bool | None] = (int(match[1]), int(match[2]), bool(match[3]))
        elif match := bytecode.search(path.name):
            key = (int(match[1]), int(match[2]), None)
        else:
            continue
        if key not in seen:
            seen.add(key)
            yield Clue(str(path), *key, weight=30 if key[2] is not None else 8)


def _launcher_clue(scripts: Path, patch: tuple[int, int, int] | None) -> Iterator[Clue]:
    """The launcher is of the python that made the environment: all there is where no package says more."""
    if patch:
        yield Clue(str(scripts / "python.exe"), patch[0], patch[1], None, 6)


def _shallow(site: Path) -> Iterator[Path]:
    for name in names_in(site):
        path = site / name
        yield path
        if is_folder(path) and not path.is_symlink():
            yield from (path / child for child in names_in(path))
            yield from (path / "__pycache__" / child for child in names_in(path / "__pycache__"))


def _creator(venv: Path) -> Creator:
    tag = _text(venv / "CACHEDIR.TAG")
    if tag:
        return "virtualenv" if "virtualenv" in tag else "uv"
    scripts = {name.lower() for folder in ("bin", "Scripts") for name in names_in(venv / folder)}
    if "activate_this.py" in scripts:
        return "virtualenv" if "deactivate.bat" not in scripts else "uv"
    # The scripts folder may be gone: `venv` of 3.11 and newer also notes its command in pyvenv.cfg.
    is_venv = "activate.ps1" in scripts or re.search(r"^command *=.* -m venv ", _text(venv / layout.CFG), re.MULTILINE)
    return "venv" if is_venv else "unknown"


def _text(path: Path) -> str:
    try:
        if not is_file(path):
            return ""
        with path.open("rb") as stream:
            return stream.read(_TEXT_LIMIT).decode("utf-8", "replace")
    except OSError:
        return ""


def _launcher_version(scripts: Path) -> tuple[int, int, int] | None:
    r"""The version in the resource of Scripts\python.exe (VS_FIXEDFILEINFO), frozen when it was made.

    CPython's PC/python_ver_rc.h packs the third field as patch * 1000 + level * 10 + serial.
    """
    try:
        with (scripts / "python.exe").open("rb") as stream:
            data = stream.read(1024 * 1024)
    except OSError:
        return None
    at = data.find(struct.pack("<I", 0xFEEF04BD))
    if at < 0 or at + 16 > len(data):
        return None
    high, low = struct.unpack_from("<II", data, at + 8)
    return high >> 16, high & 0xFFFF, (low >> 16) // 1000
