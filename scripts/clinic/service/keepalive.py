"""keep-alive as a whole: one monitor a server, from its first look to its last breath."""

from __future__ import annotations

import contextlib
import itertools
import time
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

_SLIPS = 3  # bugs of our own in a row that are survived
_AFTER_SLIP = 1.0  # seconds


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
        status = _stop(settings, monitor)
        herald.event("monitor-ended", "the server is stopped, the monitor ends", restarts=monitor.restarts)
    return Watched(status, time.monotonic() - begun, checks, monitor.restarts, gaps)


def _run(monitor: Monitor, bell: Bell, herald: Herald) -> None:
    slips = 0
    while not bell.asked:
        try:
            monitor.step()
            slips = 0
        except KeyboardInterrupt:
            return
        except ClinicError as error:
            slips += 1
            herald.event("failed", error.message, code=error.code)
            _survive(slips, bell)
        except Exception as error:  # noqa: BLE001 - a slip of the monitor must not leave the server unwatched
            slips += 1
            herald.event("slip", f"{type(error).__name__}: {error}")
            _survive(slips, bell)


def _survive(slips: int, bell: Bell) -> None:
    if slips >= _SLIPS:
        raise  # noqa: PLE0704 - called while an exception is handled
    bell.wait(_AFTER_SLIP)


def _stop(settings: Settings, monitor: Monitor) -> Status:
    child = monitor.ward.child if monitor.ward else None
    try:
        return manager.stop(settings)
    except KeyboardInterrupt:
        return manager.stop(settings, grace=0)
    finally:
        if child:
            with contextlib.suppress(OSError):
                child.wait(0)
        monitor.leave()


def _gaps(monitor: Monitor) -> tuple[float, ...]:
    moments = list(monitor.pulse.checked if monitor.pulse else deque[float]())
    return tuple(round(later - earlier, 3) for earlier, later in itertools.pairwise(moments))
