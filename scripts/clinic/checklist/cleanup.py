"""Removes a shadow with its starter, however that ends: its processes, then its folder.

Beside each shadow a process waits on a pipe whose other end only the starter has. The system closes it also when the
starter is killed, on every platform. What neither could remove, the next `validate` does (`sweep`).

A process is a shadow's by the variable that all below it inherit, a folder by its owner and the process that is on
record in it.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from clinic import fs, proc
from clinic.service import identity, process, stopping
from clinic.service.table import Identity, numbers, variable

MARK = "BRIDGE_SHADOW"
"""The variable that all processes of a shadow inherit. Its value is the shadow's folder."""
SETTINGS = "shadow.yaml"
_PREFIX = "clinic-shadow-"
_STARTER = "starter.json"
_ENTER = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from clinic.checklist import cleanup; cleanup.wait_and_remove(sys.argv[1])"
)
_KILLING = 10.0  # seconds until killed processes must be gone
_PATIENCE = 60.0  # seconds beyond `stop_timeout` until the cleanup is no longer waited for


@contextmanager
def folder_of_a_shadow(stop_timeout: float) -> Iterator[Path]:
    """Give a new folder. It is removed, with all processes that bear its mark, when the block or this process ends."""
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")).resolve()
    waiting: process.Child | None = None
    reads, writes = os.pipe()
    try:
        _sign(folder)
        words = [sys.executable, "-I", "-X", "utf8", "-c", _ENTER, str(Path(__file__).parents[2]), str(folder)]
        waiting = process.spawn(words, cwd=folder.parent, env=proc.scrubbed(), stdin=reads)
        yield folder
    finally:
        os.close(reads)
        os.close(writes)
        if waiting is not None:
            waiting.wait(stop_timeout + _PATIENCE)
            waiting.release()
        else:
            fs.remove(folder)


def wait_and_remove(folder: str) -> None:
    """Wait until nobody has the other end of stdin any more, then remove the shadow."""
    while os.read(0, 4096):
        pass
    _remove(Path(folder))


@dataclass(frozen=True)
class Leftover:
    """A shadow whose starter has ended."""

    folder: Path
    processes: tuple[Identity, ...]

    def __str__(self) -> str:
        """Name it."""
        return ", ".join([*(f"process {each.pid}" for each in self.processes), str(self.folder)])


def leftovers() -> list[Leftover]:
    """Find what was left by a `validate` that was killed. Reads only."""
    try:
        temp = Path(tempfile.gettempdir()).resolve()
        folders = [temp / name for name in os.listdir(temp) if name.startswith(_PREFIX)]  # noqa: PTH208 - the names
    except OSError:  # there is no temporary folder, so nothing in it
        return []
    return [Leftover(folder, tuple(_marked(folder))) for folder in folders if _is_abandoned(folder)]


def sweep() -> tuple[str, ...]:
    """Remove what was left by a `validate` that was killed; notes about it."""
    return tuple(
        f"Left by a validate that was killed, and {'removed' if _remove(each.folder) else 'still there'}: {each}."
        for each in leftovers()
    )


def _sign(folder: Path) -> None:
    if me := identity.identify(os.getpid()):
        (folder / _STARTER).write_text(json.dumps(asdict(me)), encoding="ascii")


def _is_abandoned(folder: Path) -> bool:
    """Whether it is a shadow's, this user's, and its starter has ended."""
    try:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or (sys.platform != "win32" and found.st_uid != os.geteuid()):
            return False
        return not identity.alive(Identity(**json.loads((folder / _STARTER).read_bytes())))
    except FileNotFoundError:  # killed before it was signed
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        return pid.isdecimal() and not identity.occupied(int(pid)) and not any(folder.iterdir())
    except (OSError, ValueError, TypeError):
        return False


def _marked(folder: Path) -> list[Identity]:
    """All processes of a shadow, less those that this one runs under."""
    found = [pid for pid in numbers() if variable(pid, MARK) == str(folder)]
    safe = identity.protected() if found else set[int]()
    return [each for pid in found if pid not in safe and (each := identity.identify(pid))]


def _remove(folder: Path) -> bool:
    """End a shadow: its server as `stop` does, then all that bears its mark by force. Whether nothing is left."""
    with suppress(Exception):  # of settings that were never written, of a start that holds the lock: force remains
        from clinic.service import manager
        from clinic.settings import load

        manager.withdraw(load(folder, folder / SETTINGS, {}))
    deadline = time.monotonic() + _KILLING
    while found := _marked(folder):  # one that is being killed may just have started another
        for each in found:
            with suppress(OSError):
                identity.send(each, stopping.KILL)
        if stopping.gone_by(found, deadline):
            return False
    with suppress(OSError):
        fs.remove(folder)
    return not fs.exists(folder)
