"""Where things lie in an environment, on POSIX and on Windows. Every rule takes the platform as an argument.

Source: `venv` and `sysconfig` of CPython 3.8 to 3.14, virtualenv 21, uv 0.13 (measured).
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from clinic.anatomy.there import is_file, is_folder, names_in
from clinic.facts import Flavour, Platform

CFG = "pyvenv.cfg"

MANAGED = "ai/.venv314t"
"""The environment's place where nothing else is configured (README, Settings)."""

_LIB = re.compile(r"(?:python|pypy)(\d+)\.(\d+)(t?)\Z")
_EXECUTABLE = re.compile(r"pythonw?(?:(\d+)(?:\.(\d+)(t?))?)?(?:\.exe)?\Z", re.IGNORECASE)


def here() -> Platform:
    """The platform this suite runs on."""
    return "windows" if os.name == "nt" else "posix"


def platform_of(venv: Path, system: Platform | None = None) -> Platform | None:
    """The platform an environment was made for, told by its folders; None where neither kind is there.

    `Lib` and `lib` are one folder on NTFS and APFS, so only what is inside tells. The library outweighs the scripts
    folder, which a deletion takes first; if both kinds are there, `system` (this one) decides.
    """
    library = is_folder(venv / "Lib" / "site-packages"), bool(library_folders(venv, "posix"))
    scripts = is_folder(venv / "Scripts"), is_folder(venv / "bin")
    for windows, posix in (library, scripts):
        if windows != posix:
            return "windows" if windows else "posix"
    return (system or here()) if any((*library, *scripts)) else None


def scripts_folder(venv: Path, platform: Platform) -> Path:
    """The folder of executables."""
    return venv / ("Scripts" if platform == "windows" else "bin")


def python_in(venv: Path, platform: Platform | None = None) -> Path:
    """The environment's interpreter by its plainest name, whether it is there or not."""
    platform = platform or platform_of(venv) or here()
    return scripts_folder(venv, platform) / ("python.exe" if platform == "windows" else "python")


def pure(text: str, platform: Platform) -> PurePath:
    """A path of the given platform, to be judged without asking the disk."""
    return PureWindowsPath(text) if platform == "windows" else PurePosixPath(text)


def executable_names(flavour: Flavour | None, platform: Platform) -> tuple[str, ...]:
    """Names a base interpreter of this flavour goes by in its folder, most telling first."""
    suffix = ".exe" if platform == "windows" else ""
    names = [f"python{flavour}"] if flavour else []
    if flavour and flavour.free_threaded and platform == "posix":
        names.append(f"python{flavour.major}.{flavour.minor}")
    names += ["python", "python3"] if platform == "windows" else ["python3", "python"]
    return tuple(name + suffix for name in names)


def is_interpreter_name(name: str) -> bool:
    """Whether a file of the scripts folder is an interpreter by its name (python, python3.13, pythonw3.14t.exe)."""
    return bool(_EXECUTABLE.match(name)) or name == "𝜋thon"  # what venv 3.14 adds for fun


def flavour_of_name(name: str) -> Flavour | None:
    """The flavour that an executable's or a library folder's name tells, if it tells one."""
    match = _LIB.match(name) or _EXECUTABLE.match(name)
    if not match or not match[1] or not match[2]:
        return None
    return Flavour(int(match[1]), int(match[2]), bool(match[3]))


def library_folders(venv: Path, platform: Platform) -> list[tuple[Path, Flavour | None]]:
    """Each folder that holds a `site-packages`, with the flavour its name tells (POSIX only)."""
    if platform == "windows":
        return [(venv / "Lib", None)] if is_folder(venv / "Lib" / "site-packages") else []
    names = names_in(venv / "lib")
    return [(venv / "lib" / name, flavour) for name in names if (flavour := flavour_of_name(name))]


def has_environment(venv: Path) -> bool:
    """Whether a folder holds an environment or what is left of one."""
    if not is_folder(venv):
        return False
    if is_file(venv / CFG):
        return True
    platform = platform_of(venv)
    if platform is None:
        return False
    names = names_in(scripts_folder(venv, platform))
    return any(is_interpreter_name(name) or name.lower().startswith("activate") for name in names) or bool(
        library_folders(venv, platform)
    )


def locate(root: Path, configured: Path | None) -> Path | None:
    """The environment to look at; None where `auto` finds none (README, Settings).

    With `auto`, the first that exists of ai/.venv314t, ai/.venv3NN, ai/.venv, ai/venv; a dangling link or a folder
    without an environment in it counts only if none does.
    """
    if configured is not None:
        return redirected(configured)
    places = candidates(root)
    for candidate in places:
        if has_environment(followed := redirected(candidate)):
            return followed
    for candidate in places:
        if os.path.lexists(candidate):
            return candidate
    return None


_PATH_LIMIT = 4096


def named_in_file(path: Path) -> Path | None:
    """The folder that a file in an environment's place names (PEP 832); None where it names none.

    One line of UTF-8, blanks around it left out; what is relative is so to the folder of the file.
    """
    if not is_file(path):
        return None
    try:
        with path.open("rb") as stream:
            text = stream.read(_PATH_LIMIT).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    if not text.isprintable() or not text:
        return None
    return Path(os.path.normpath(path.parent / text))


def redirected(path: Path) -> Path:
    """Where an environment really is: what a file in its place names, if that is there; else the path itself."""
    named = named_in_file(path)
    return named if named is not None and has_environment(named) else path


_VERSIONED = re.compile(r"\.venv3(\d{1,2})(t?)\Z")


def candidates(root: Path) -> list[Path]:
    """Where a project's own environment may lie, in the order in which they count: the highest version, `t` first.

    Neither what somebody keeps beside it (`.venv313.bak`) nor a whole Python is one.
    """
    folder, first = root / "ai", root / MANAGED
    told = [(match, folder / name) for name in names_in(folder) if (match := _VERSIONED.match(name))]
    told.sort(key=lambda each: (int(each[0][1]), each[0][2]), reverse=True)
    places = [first, *(path for _, path in told if path != first), folder / ".venv", folder / "venv"]
    return [path for path in places if not whole_python(path)]


def whole_python(folder: Path) -> str:
    """What a folder is that holds a whole Python instead of an environment; empty where it does not.

    An environment has no standard library: `os.py`, which CPython's getpath looks for, is the base's. The virtualenv
    of old (below 20) copied it, and left `orig-prefix.txt` beside it.
    """
    if is_folder(folder / "conda-meta"):
        return "a conda environment"
    libraries = [folder / "Lib", *(library for library, _ in library_folders(folder, "posix"))]
    for library in libraries:
        if is_file(landmark := library / "os.py") and not landmark.is_symlink():
            return "" if is_file(library / "orig-prefix.txt") else "a Python installation"
    # Windows' embeddable package has its library in an archive.
    zipped = any(_ZIPPED.match(name) for name in names_in(folder)) and is_file(folder / "python.exe")
    return "an embeddable Python" if zipped else ""


_ZIPPED = re.compile(r"python3\d+\.zip\Z", re.IGNORECASE)


def named_for(root: Path, flavour: Flavour) -> Path:
    """Where a new environment for this flavour goes: ai/.venv314t, ai/.venv313 and the like."""
    return root / "ai" / f".venv{flavour.major}{flavour.minor}{'t' if flavour.free_threaded else ''}"
