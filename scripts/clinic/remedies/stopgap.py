"""What every stopgap has in common: where it is kept, what proves it, what it is ended by.

A stopgap is a python that serves instead of the managed environment's. It never changes that environment, everything
it needs lies below the records, and every command says that it is there (see `nag`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clinic import fs, proc
from clinic.anatomy import distinfo, layout, shebang
from clinic.errors import FailedError
from clinic.observe.scripts import LAUNCHER_LIMIT
from clinic.service import identity, memory, pidfile
from clinic.settings import Settings

BORROW, LIFEBOAT, SYSTEM = "borrow", "lifeboat", "system"
SAID = {
    BORROW: "the base interpreter with the environment's own packages",
    LIFEBOAT: "a throw-away environment made from the lock",
    SYSTEM: "the system Python",
}
WAY_BACK = "invoke heal"
_PATIENCE = 60.0


@dataclass(frozen=True)
class Stopgap:
    """Something to start the server with. `venv` is what `{venv}` in its command stands for.

    `homes` are the folders that what it imports must come from, where that is still to be proved (see `prove`).
    """

    way: str
    python: Path
    venv: Path
    command: tuple[str, ...]
    homes: tuple[Path, ...] = ()


def folder(settings: Settings, way: str) -> Path:
    """Where a stopgap of this service keeps what it is made of; services that share records do not share it."""
    return settings.records / way / memory.place(settings, "").name


# Said after a mark, because what is imported may print as well.
_MARK = "@stopgap@"
_FIND = "lambda name: getattr(importlib.util.find_spec(name), 'origin')"
_IMPORT = "lambda name: getattr(importlib.import_module(name), '__file__', None)"
_ASK = (
    "import importlib, importlib.util, json, sys\n"
    "found = dict(zip(sys.argv[1:], map({}, sys.argv[1:])))\n"
    f"sys.__stdout__.write('\\n{_MARK}' + json.dumps(found) + '\\n')\n"
)


def prove(python: Path, homes: Sequence[Path], modules: Sequence[str], *, glance: bool = False) -> None:
    """Import what the service needs, and see that it comes from where it should.

    A `glance` only finds it: forty milliseconds instead of some hundreds, before the server is started; the import
    itself is proved while the server boots. Raises FailedError: an import fails, or a package comes from a
    `site-packages` outside of `homes`.
    """
    code = _ASK.format(_FIND if glance else _IMPORT)
    done = proc.run([python, "-I", "-B", "-c", code, *modules], timeout=_PATIENCE)
    _, mark, told = done.stdout.rpartition(f"\n{_MARK}")
    if not done.ok or not mark:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.code}"])[-1]
        raise FailedError("stopgap-unproved", f"{python} cannot import what the service needs: {done.reason or last}")
    for name, file in json.loads(told).items():
        if file and _alien(Path(file), homes):
            raise FailedError("stopgap-unproved", f"{python} takes {name} from elsewhere: {file}")


def _alien(file: Path, homes: Sequence[Path]) -> bool:
    """Whether a module is of another installation; one of a project (an editable) or of the library is not."""
    real = Path(os.path.realpath(file))
    inside = any(file.is_relative_to(home) or real.is_relative_to(os.path.realpath(home)) for home in homes)
    return not inside and bool({"site-packages", "dist-packages"} & set(file.parts))


def runnable(command: Sequence[str], venv: Path) -> tuple[str, ...]:
    """The service's command for another python: what it takes from the sick environment's scripts is handed to it.

    `{venv}/bin/uvicorn` begins with a line that names the environment's own python; as an argument of another
    python that line is a comment. A launcher of Windows ends with a zip file, which a python runs as well.
    """
    first, *rest = command
    if "{venv}" not in first:
        return tuple(command)
    program = Path(first.replace("{venv}", str(venv)))
    if layout.is_interpreter_name(program.name):
        return ("{python}", *rest)
    with suppress(OSError):
        data = distinfo.beginning(program, LAUNCHER_LIMIT)
        if (data.startswith(b"#!") and b"python" in data[:512]) or shebang.is_launcher(data):
            return ("{python}", *command)
    return tuple(command)


def nag(settings: Settings) -> tuple[str, ...]:
    """What every command says while the server is meant to run on a stopgap."""
    known = memory.recall(settings)
    if not known.stopgap or known.wanted != "up":
        return ()
    said = SAID.get(known.stopgap, "a makeshift")
    return (f"the server runs on a stopgap ({known.stopgap}: {said}); {WAY_BACK} mends the environment and ends it",)


def serving(settings: Settings) -> str:
    """The name of the stopgap that the server is meant to run on; empty where there is none."""
    known = memory.recall(settings)
    return known.stopgap if known.wanted == "up" else ""


def clean(settings: Settings) -> None:
    """Remove what stopgaps of this service were made of, unless the server still runs from it."""
    record = pidfile.read(settings.service).record
    user = Path(record.python) if record and identity.alive(record.leader) else None
    for way in (BORROW, LIFEBOAT):
        place = folder(settings, way)
        if user and user.is_relative_to(place):
            continue
        with suppress(OSError):  # a file that Windows still holds goes with the next cleaning
            fs.remove(place)
            place.parent.rmdir()


def ended(settings: Settings) -> None:
    """Call after a start from the managed environment: the stopgap is forgotten and what it was made of goes."""
    if memory.recall(settings).stopgap:
        memory.keep(settings, stopgap="")
    if any(fs.exists(folder(settings, way)) for way in (BORROW, LIFEBOAT)):
        clean(settings)
