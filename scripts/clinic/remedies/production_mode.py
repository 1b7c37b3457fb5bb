"""The mode as a small persisted value, and the registration with the system's own supervisor."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from clinic import fs, proc
from clinic.errors import ClinicError, FailedError, RefusedError
from clinic.service import memory
from clinic.service.status import Status
from clinic.service.system import MARK, Step, Unit
from clinic.settings import Settings

_LIMIT = 60.0  # seconds for one word with a supervisor
_PRINT = "invoke production-mode --print"


class Runner(Protocol):
    """How a short program is run: `proc.run`, or a test's own."""

    def __call__(self, argv: list[str], *, timeout: float) -> proc.Completed:
        """Run it."""


def change(settings: Settings, mode: str, restart: Callable[[], Status] | None) -> tuple[Status | None, str]:
    """Remember the mode, and let the server run in it; where that fails, the old mode is back.

    `restart` is given where a server runs in another mode. Returns what it returns, and what is to be said of how the
    mode is remembered. Raises what `restart` raises.
    """
    before = memory.recall(settings).mode
    note = memory.keep(settings, mode=mode)
    if restart is None:
        return None, note
    try:
        return restart(), note
    except (ClinicError, KeyboardInterrupt):
        memory.keep(settings, mode=before)
        with contextlib.suppress(ClinicError):  # the first error is the one to tell
            restart()
        raise


def install(unit: Unit, run: Runner = proc.run) -> bool:
    """Register the unit; False where it was registered before, just so.

    Raises RefusedError where there is nobody to register with or the file is somebody else's, FailedError when the
    supervisor says no; the file is then as it was.
    """
    refuse_unreachable(unit, run)
    old = unit.path.read_bytes() if unit.path.is_file() else None
    unit.path.parent.mkdir(parents=True, exist_ok=True)
    fs.write_atomically(unit.path, unit.data, mode=0o644)
    try:
        _say(unit, unit.enable, run)
    except BaseException:
        fs.write_atomically(unit.path, old, mode=0o644) if old is not None else fs.remove(unit.path)
        raise
    return old != unit.data


def uninstall(unit: Unit, run: Runner = proc.run) -> bool:
    """Take the registration back; False where there was none. Raises RefusedError, FailedError."""
    if not fs.exists(unit.path):
        return False
    refuse_unreachable(unit, run)
    _say(unit, unit.disable, run)
    fs.remove(unit.path)
    _say(unit, unit.after, run)
    return True


def _is_ours(data: bytes) -> bool:
    return MARK.encode() in data or MARK.encode("utf-16-le") in data


def refuse_unreachable(unit: Unit, run: Runner = proc.run) -> None:
    """Raise RefusedError where the supervisor cannot be spoken to, or the unit's file is somebody else's."""
    if unit.path.is_file() and not _is_ours(unit.path.read_bytes()):
        raise RefusedError("unit-foreign", f"{unit.path} was not made by {MARK}. It was not touched.", _PRINT)
    done = run(list(unit.reach), timeout=_LIMIT)
    if not done.ok:
        told = (done.stderr.strip().splitlines() or [done.reason or f"exit code {done.code}"])[-1]
        raise RefusedError(
            "no-supervisor",
            f"{unit.supervisor} cannot be reached from here: {told}. Nothing was registered.",
            f"{_PRINT} shows what to register by hand",
        )


def _say(unit: Unit, steps: Sequence[Step], run: Runner) -> None:
    for step in steps:
        done = run(list(step.argv), timeout=_LIMIT)
        if not done.ok and step.again:
            time.sleep(step.again)  # the supervisor tells nobody when the old one is gone
            done = run(list(step.argv), timeout=_LIMIT)
        if not done.ok and not step.may_fail:
            told = (done.stderr.strip().splitlines() or [done.reason or f"exit code {done.code}"])[-1]
            words = " ".join(step.argv)
            raise FailedError("supervisor-refused", f"{unit.supervisor} said no to {words}: {told}", _PRINT)
