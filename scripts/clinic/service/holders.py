"""Who runs from an environment, or holds files of it: named by process before anything is replaced there.

On POSIX nobody is in the way: files are replaced under whoever runs, and he keeps the old ones until he is started
again. Windows lets nobody replace a program that runs or a library that is loaded (measured): a half-deleted
environment is what comes of trying, so there it is refused.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clinic.errors import RefusedError
from clinic.facts import Platform
from clinic.service import identity, stopping
from clinic.service.table import PROC, command, look

if TYPE_CHECKING:
    import psutil

SECONDS = 2.0
"""What looking at other people's libraries may take; who is not found by then is not named."""
_SHOWN = 200


@dataclass(frozen=True)
class Holder:
    """A process that runs from an environment; `since` is in seconds since 1970."""

    pid: int
    name: str
    command: str
    since: float
    how: str

    def __str__(self) -> str:
        began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"pid {self.pid} {self.name} ({self.command}), since {began}, {self.how}"


def holders(venv: Path, besides: Iterable[int] = ()) -> tuple[Holder, ...]:
    """Every process of this person that runs from `venv`, less `besides` and this one. Reads only, never raises."""
    roots = _roots(venv)
    seen = by_proc(roots) if sys.platform == "linux" else by_psutil(roots)
    without = {os.getpid(), *besides}
    found = {pid: how for pid, how in seen if pid not in without}
    return tuple(holder for pid, how in sorted(found.items()) if (holder := _holder(pid, how)))


def refuse(found: Sequence[Holder], venv: Path, platform: Platform) -> tuple[str, ...]:
    """What people are told of them. Raises RefusedError on Windows, where they keep the environment from changing."""
    if not found:
        return ()
    if platform == "windows":
        raise RefusedError(
            "venv-in-use",
            f"{venv} is in use: {'; '.join(map(str, found))}. Nothing was touched.",
            f"end it ({stopping.force_command(found[0].pid, windows=True)}), then try again",
        )
    return tuple(f"{each}: it keeps the old files until it is restarted" for each in found)


def _roots(venv: Path) -> tuple[str, ...]:
    """What the paths of its files begin with, by the spelling given and by where its folder's links lead."""
    return tuple(os.path.normcase(root) + os.sep for root in {os.fspath(venv), os.path.realpath(venv)})


def _in(path: str, roots: tuple[str, ...]) -> bool:
    return os.path.normcase(path).startswith(roots)


_RUNS, _LOADED, _WORKS = "runs from this environment", "has files of it loaded", "works in its folder"


def by_proc(roots: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Linux: from /proc, since a hundred processes are looked at on every diagnosis."""
    mine, until = os.geteuid(), time.monotonic() + SECONDS
    for entry in os.listdir(PROC):  # noqa: PTH208 - names are wanted
        if not entry.isdecimal():
            continue
        with contextlib.suppress(OSError):
            place = f"{PROC}/{entry}"
            if os.stat(place).st_uid != mine:  # noqa: PTH116 - a hundred times
                continue
            program = os.readlink(f"{place}/exe")  # noqa: PTH115 - a text
            if _in(program, roots) or _in(_called(int(entry), place), roots):
                yield int(entry), _RUNS
            elif _is_python(program) and time.monotonic() < until and _maps(place, roots):
                yield int(entry), _LOADED


def _called(pid: int, place: str) -> str:
    """The name that it was called by: an environment's python is a link, and /proc/…/exe tells the base's."""
    first = next(iter(command(pid)), "")
    if os.sep in first and not os.path.isabs(first):  # noqa: PTH117 - a text
        return os.path.normpath(os.readlink(f"{place}/cwd") + os.sep + first)  # noqa: PTH115 - a text
    return first


def _is_python(program: str) -> bool:
    return os.path.basename(program).lower().startswith("python")  # noqa: PTH119 - a text


def _maps(place: str, roots: tuple[str, ...]) -> bool:
    """A library of the environment in the memory of another python; a path follows blanks there."""
    text = Path(place, "maps").read_bytes()
    return any(b" " + os.fsencode(root) in text for root in roots)


def by_psutil(roots: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Other systems: programs first, which cost little; then the libraries of pythons, as long as there is time."""
    import psutil

    until = time.monotonic() + SECONDS
    mine = psutil.Process().username()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.username() == mine and (how := _how(process, roots, until)):
                yield process.pid, how


def _how(process: psutil.Process, roots: tuple[str, ...], until: float) -> str:
    program, argv = process.exe(), process.cmdline()
    if any(_in(path, roots) for path in (program, *argv[:1])):
        return _RUNS
    if time.monotonic() > until:
        return ""
    if os.name == "nt" and _in(process.cwd() + os.sep, roots):
        return _WORKS
    # macOS tells nobody's maps.
    maps = getattr(process, "memory_maps", None)
    return _LOADED if maps and _is_python(program) and any(_in(each.path, roots) for each in maps()) else ""


def _holder(pid: int, how: str) -> Holder | None:
    row = look(pid)
    if row is None or row.state in "ZX":
        return None
    argv = command(pid)
    line = " ".join(argv)
    shown = line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."
    return Holder(pid, _name(argv), shown, round(time.time() - identity.uptime(row.identity), 3), how)


def _name(argv: Sequence[str]) -> str:
    """What people call it: the module after `-m`, the script, else the program."""
    rest = list(argv[1:])
    while rest and rest[0].startswith("-") and rest[0] not in {"-m", "-c", "-"}:
        rest.pop(0)
    if argv and _is_python(argv[0]) and rest and rest[0] != "-c":
        name = rest[1] if rest[0] == "-m" and len(rest) > 1 else rest[0]
        return os.path.basename(name)  # noqa: PTH119 - a text
    return os.path.basename(argv[0]) if argv else "?"  # noqa: PTH119 - a text
