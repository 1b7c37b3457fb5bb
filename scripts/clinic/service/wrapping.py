"""How the wrapper is put around the service's command, and how a wrapped server is asked to stop.

The wrapper stands between for the log's sake, in every mode: only the writer itself can rotate a log that others
read on Windows, and only inside the server can the health checks be left out of its access log without a change to
its command. A stop file rather than a port with a secret: nothing listens that could be reached from elsewhere, it
works without a console (which Ctrl+Break does not), and it can be tried on every platform.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clinic.service import logs, memory

if TYPE_CHECKING:
    from clinic.settings import Settings

WRAPPER = Path(__file__).with_name("wrapper.py")
_TAKES_A_VALUE = frozenset({"-X", "-W", "--check-hash-based-pycs"})
_HEARD_WITHIN = 1.0  # seconds; a wrapped server looks five times a second
_LOOK_AGAIN = 0.05  # seconds


def wrapped(command: Sequence[str], argv: Sequence[str]) -> list[str]:
    """Put the wrapper into a command line whose program is the environment's python; others stay as they are.

    `command` has the placeholders that `argv` has filled in.
    """
    place = _place(argv) if command and command[0] == "{python}" else None
    return [*argv[:place], str(WRAPPER), *argv[place:]] if place else list(argv)


def _place(argv: Sequence[str]) -> int | None:
    """Find where module or script begin, behind the interpreter's own flags; None where there is neither."""
    place = 1
    while place < len(argv):
        word = argv[place]
        if word == "-m" or not word.startswith("-"):
            return place
        if word == "-" or (not word.startswith("--") and word not in _TAKES_A_VALUE and set("mc") & set(word)):
            return None  # a program in an argument, or flags written together
        place += 2 if word in _TAKES_A_VALUE else 1
    return None


def unwrapped(words: Sequence[str]) -> tuple[str, ...]:
    """Return a process's command line as it would be without the wrapper."""
    return tuple(word for word in words if word != str(WRAPPER))


def told(settings: Settings, launch: str, *, windows: bool = os.name == "nt") -> dict[str, str]:
    """Return the variables by which the wrapper knows what to do."""
    service = settings.service
    orders: dict[str, object] = {"quiet": service.health.path, "status": service.health.status}
    if service.log_file.is_file():  # not a device
        orders |= {"log": str(service.log_file.absolute()), "cap": logs.CAP, "kept": logs.KEPT}
    if windows:
        orders["stop"] = str(stop_file(settings, launch))
    return {"BRIDGE_WRAPPER": json.dumps(orders)}


def stop_file(settings: Settings, launch: str) -> Path:
    """Return the path of the file by which one launch is asked to stop."""
    return memory.place(settings, f"-{launch}.stop").absolute()


def asking(settings: Settings, launch: str, *, windows: bool = os.name == "nt") -> Callable[[], bool] | None:
    """Return how this launch is asked to stop; None where a signal does it."""
    return (lambda: ask_to_stop(settings, launch)) if windows and launch else None


def ask_to_stop(settings: Settings, launch: str) -> bool:
    """Ask a wrapped server to end as by Ctrl+C; False when nobody listened."""
    path = stop_file(settings, launch)
    try:
        path.write_text(launch, "ascii")
    except OSError:
        return False
    deadline = time.monotonic() + _HEARD_WITHIN
    while time.monotonic() < deadline:
        if not path.exists():
            return True
        time.sleep(_LOOK_AGAIN)  # a file that goes is no event that can be waited for on every platform
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    return False
