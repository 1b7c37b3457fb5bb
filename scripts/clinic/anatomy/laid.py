r"""What a creator lays into `bin` or `Scripts`: by which names the interpreter goes, and what each of them is.

Sources: `setup_python` in CPython's Lib/venv/__init__.py (3.8 to 3.14), virtualenv 21 (via_global_ref/builtin/cpython),
uv 0.13; the POSIX trees were measured.
"""

from __future__ import annotations

from clinic.facts import Creator, Flavour, Platform

LAUNCHERS = ("Lib", "venv", "scripts", "nt")
"""Where a Windows base keeps the launchers that its environments get, below its prefix."""
_NEW_LAUNCHERS = (3, 13)
_CONSOLE, _WINDOWS = 3, 2
"""Subsystems in a PE header."""


def plain(platform: Platform) -> str:
    """The name that every environment's interpreter has."""
    return "python.exe" if platform == "windows" else "python"


def names(creator: Creator, flavour: Flavour | None, platform: Platform) -> tuple[str, ...]:
    """Every name that the creator lays, whoever called it by whatever name."""
    if platform == "windows":
        exact = str(flavour) if flavour and flavour.free_threaded else ""
        more = (f"python{exact}.exe", f"pythonw{exact}.exe") if exact and creator != "unknown" else ()
        return ("python.exe", "pythonw.exe", *more)
    if creator == "unknown":
        return ("python",)
    minor = f"python{flavour.major}.{flavour.minor}" if flavour else ""
    numbered = (minor,) if flavour and (creator != "venv" or (flavour.major, flavour.minor) > (3, 8)) else ()
    threaded = (f"{minor}t",) if flavour and flavour.free_threaded and creator != "venv" else ()
    return ("python", "python3", *numbered, *threaded)


def activations(creator: Creator, platform: Platform) -> tuple[str, ...]:
    """The activation scripts that every version of the creator writes; virtualenv can be told to write none."""
    if creator not in {"venv", "uv"}:
        return ()
    powershell = "Activate.ps1" if creator == "venv" else "activate.ps1"
    more = ("activate.bat",) if platform == "windows" else ("activate.csh", "activate.fish")
    return ("activate", *more, powershell)


def launchers(
    creator: Creator, flavour: Flavour, there: frozenset[str], *, debug: bool = False
) -> tuple[tuple[str, str], ...]:
    """Windows: each name with the launcher it is a copy of, of those that are `there` in the base's folder of them."""
    t, d = "t" if flavour.free_threaded else "", "_d" if debug else ""
    if (flavour.major, flavour.minor) >= _NEW_LAUNCHERS:
        console, windowed = f"venvlauncher{t}{d}.exe", f"venvwlauncher{t}{d}.exe"
    else:
        console, windowed = f"python{d}.exe", f"pythonw{d}.exe"
    stems = ["", *(["3"] if creator == "virtualenv" else []), *([str(flavour)] if t else [])]
    ends = [".exe", *(["_d.exe"] if debug else [])]
    pairs = [(f"python{stem}{end}", console) for stem in stems for end in ends]
    pairs += [("python3", console)] if creator == "virtualenv" else []
    pairs += [(f"pythonw{stem}{end}", windowed) for stem in stems for end in ends]
    return tuple((name, source) for name, source in pairs if source in there)


def wrong_subsystem(name: str, subsystem: int) -> str:
    """What is wrong with a Windows launcher of that name; empty where nothing is, or nothing can be told."""
    is_windowed = name.lower().startswith("pythonw")
    if is_windowed and subsystem == _CONSOLE:
        return "opens a console window"
    return "has no console" if not is_windowed and subsystem == _WINDOWS else ""


def has_lib64(creator: Creator, machine: str) -> bool:
    """Whether the creator makes `lib64 -> lib` there: venv and uv do, on 64-bit POSIX other than macOS."""
    return creator in {"venv", "uv"} and machine.endswith("-64") and not machine.startswith(("darwin", "win"))
