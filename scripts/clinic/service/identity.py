"""Which process is meant: a pid together with when it started, because pids are used again.

On Linux processes are watched and signalled through a pidfd, which cannot come to mean another process.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from typing import TYPE_CHECKING

from clinic.errors import RefusedError
from clinic.service.table import Identity, ancestors, look

if TYPE_CHECKING:
    from collections.abc import Container

_POLL = 0.02  # seconds; only where the kernel offers no event
_SAME_START = 0.05  # seconds by which psutil's creation time may differ from one reading to the next
_ENDING = 1.0  # seconds that a process may take to be gone once Windows refuses to end it, since it ends


def identify(pid: int) -> Identity | None:
    """Identify a living process; None where there is none (a zombie is dead) or it may not be seen."""
    row = look(pid)
    return row.identity if row and row.state not in "ZX" else None


def same(one: Identity, other: Identity) -> bool:
    """Whether both name the same process."""
    if one.pid != other.pid or one.started == other.started:
        return one == other
    try:
        return abs(float(one.started) - float(other.started)) < _SAME_START
    except ValueError:
        return False


def alive(identity: Identity) -> bool:
    """Whether this very process still runs; neither a zombie nor another process with its pid does."""
    now = identify(identity.pid)
    return now is not None and same(now, identity)


def stopped(identity: Identity) -> bool:
    """Whether it is alive but halted by a signal or a debugger."""
    row = look(identity.pid)
    return row is not None and row.state in "Tt" and same(row.identity, identity)


def occupied(pid: int) -> bool:
    """Whether any process has this pid, seen or not."""
    if look(pid) is not None:
        return True
    if os.name == "nt" or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError) as error:
        return isinstance(error, PermissionError)
    return True


def uptime(identity: Identity) -> float:
    """Return the seconds since it started."""
    _, _, ticks = identity.started.partition("/")
    if sys.platform == "linux" and ticks:
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - int(ticks) / os.sysconf("SC_CLK_TCK"))
    return max(0.0, time.time() - float(identity.started))


def wait_gone(identity: Identity, timeout: float) -> bool:
    """Wait at most `timeout` seconds for its end, as an event; True once it has ended. A zombie has ended."""
    if sys.platform != "linux":
        return _wait_psutil(identity, timeout)
    try:
        descriptor = open_pidfd(identity)
    except OSError:  # a kernel older than 5.3, or a sandbox without pidfds
        return _wait_polling(identity, timeout)
    if descriptor is None:
        return True
    try:
        return readable(descriptor, timeout)
    finally:
        os.close(descriptor)


def open_pidfd(identity: Identity) -> int | None:
    """Open a pidfd of this very process, to be closed by the caller; None when it has ended.

    Raises OSError where there are no pidfds.
    """
    if sys.platform != "linux":
        raise OSError("no pidfd on this platform")
    try:
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return None
    # Only now is it certain whom the descriptor means: the pid cannot change hands any more.
    if alive(identity):
        return descriptor
    os.close(descriptor)
    return None


def readable(descriptor: int, timeout: float) -> bool:
    """Wait at most `timeout` seconds until a descriptor is readable, as a pidfd can when its process ends."""
    if sys.platform == "win32":
        raise OSError("no pidfd on this platform")
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(max(0.0, timeout) * 1000))


def send(identity: Identity, number: int, safe: Container[int] | None = None) -> bool:
    """Signal this very process and nobody else; False when it has ended. `safe` are the protected, where known.

    Raises RefusedError for ourselves and those we run under, PermissionError where we may not.
    """
    refuse_protected(identity, protected() if safe is None else safe)
    if sys.platform == "linux":
        with contextlib.suppress(ProcessLookupError):
            try:
                descriptor = open_pidfd(identity)
            except OSError:
                return _send_pid(identity, number)
            if descriptor is None:
                return False
            try:
                signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)
            return True
        return False
    return _send_pid(identity, number)


def protected() -> set[int]:
    """Return the pids that are never signalled: ours, our ancestors', and the kernel's and init's."""
    return {0, 1, os.getpid(), *ancestors(os.getpid())}


def refuse_protected(identity: Identity, safe: Container[int]) -> None:
    """Raise RefusedError where a process to be ended is one of the protected."""
    if identity.pid in safe:
        raise RefusedError(
            "inside-the-server",
            f"This command runs below process {identity.pid}, the one to be ended.",
            "type it in a terminal that the server did not open",
        )


def _send_pid(identity: Identity, number: int) -> bool:
    if not alive(identity):
        return False
    try:
        os.kill(identity.pid, number)
    except OSError:
        # Windows denies access to a process that is just ending (5), and knows no pid that is gone (87).
        # https://learn.microsoft.com/en-us/windows/win32/api/processthreadsapi/nf-processthreadsapi-terminateprocess
        if wait_gone(identity, _ENDING):
            return False
        raise
    return True


def _wait_psutil(identity: Identity, timeout: float) -> bool:
    import psutil

    if not alive(identity):
        return True
    try:
        psutil.Process(identity.pid).wait(timeout)
    except psutil.TimeoutExpired:
        return not alive(identity)
    except psutil.AccessDenied:
        return _wait_polling(identity, timeout)
    except psutil.NoSuchProcess:
        return True
    return True


def _wait_polling(identity: Identity, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while alive(identity):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)  # not our child, and no pidfd: nothing would wake us
    return True
