"""keep-alive as a whole: one monitor a server, from its first look to its last breath."""

from __future__ import annotations

import contextlib
import itertools
import time
import traceback
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clinic.errors import ClinicError
from clinic.service import guard, manager, memory
from clinic.service.bell import Bell
from clinic.service.monitor import Monitor

if TYPE_CHECKING:
    from clinic.service.care import Care, Herald
    from clinic.service.status import Status
    from clinic.settings import Settings

_AFTER_SLIP = 1.0  # seconds after a first failure of the monitor itself; doubled with each in a row
_AFTER_SLIPS = 60.0  # seconds at most


@dataclass(frozen=True)
class Watched:
    """What came of the watching: the server as it was left, and what was done for it."""

    status: Status
    seconds: float
    checks: int
    restarts: int
    check_gaps: tuple[float, ...]
    """Seconds between the last checks of the last server."""


def keep_alive(settings: Settings, care: Care, herald: Herald, *, supervised: bool = False) -> Watched:
    """Keep the server up until we are asked to end (Ctrl+C and its kin, `guard.end`), then stop it gracefully.

    Asked again, it is forced. `supervised` says that the system's own supervisor started us.
    Raises BusyError where another monitor watches it, RefusedError where nothing can be recorded, FailedError when
    the server cannot be stopped.
    """
    begun = time.monotonic()
    with guard.alone(settings), Bell(guard.requested(settings)) as bell:
        memory.keep(settings, wanted="up")
        monitor = Monitor(settings, care, bell, herald, guard.Post(settings, supervised=supervised))
        herald.event("monitor-started", f"checking {settings.service.url} every {settings.keep_alive.interval:g} s")
        _run(monitor, bell, herald)
        herald.event("monitor-ending", "asked to end: stopping the server")
        gaps, checks = _gaps(monitor), monitor.checks + (monitor.pulse.count if monitor.ward and monitor.pulse else 0)
        status = _stop(settings, monitor, bell)
        herald.event("monitor-ended", "the server is stopped, the monitor ends", restarts=monitor.restarts)
    return Watched(status, time.monotonic() - begun, checks, monitor.restarts, gaps)


def _run(monitor: Monitor, bell: Bell, herald: Herald) -> None:
    """Watch until asked to end; errors of the monitor itself are told, and it goes on after a pause."""
    slips = 0
    while not bell.asked:
        try:
            monitor.step()
            slips = 0
            continue
        except KeyboardInterrupt:
            return
        except ClinicError as error:
            herald.event("failed", error.message, code=error.code)
        except Exception as error:  # noqa: BLE001 - a bug of ours must not leave the server unwatched
            herald.event("slip", f"{type(error).__name__}: {error} ({_where(error)})")
        _back_off(bell, min(_AFTER_SLIP * 2.0**slips, _AFTER_SLIPS))
        slips = min(slips + 1, 10)


def _where(error: Exception) -> str:
    """Name file, line and function of an error, for a report of the bug."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename}:{last.lineno} in {last.name}"


def _back_off(bell: Bell, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not bell.asked and (left := deadline - time.monotonic()) > 0:
        bell.wait(min(left, 1.0))


def _stop(settings: Settings, monitor: Monitor, bell: Bell) -> Status:
    child = monitor.ward.child if monitor.ward else None
    try:
        bell.interrupt_once()
        return manager.stop(settings)
    except KeyboardInterrupt:  # the last one: else a third Ctrl+C would leave the server unwatched
        return manager.stop(settings, grace=0)
    finally:
        if child:
            with contextlib.suppress(OSError):
                child.wait(0)
        monitor.leave()


def _gaps(monitor: Monitor) -> tuple[float, ...]:
    moments = list(monitor.pulse.checked if monitor.pulse else deque[float]())
    return tuple(round(later - earlier, 3) for earlier, later in itertools.pairwise(moments))
