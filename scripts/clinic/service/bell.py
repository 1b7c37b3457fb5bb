"""What the monitor waits on: a process's end, a signal, a thread's word or the time, whichever comes first."""

from __future__ import annotations

import contextlib
import math
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from clinic.service import console

if TYPE_CHECKING:
    from types import FrameType, TracebackType

# Ctrl+C, `kill`, the closed terminal; on Windows Ctrl+Break, which also stands for the closed console.
_ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


class Bell:
    """Rings when there is something to do. As a context manager it answers to the signals that ask us to end.

    The first one only rings; the second Ctrl+C, or `kill`, is a KeyboardInterrupt. `requested` tells whether somebody
    asked by other means.
    """

    def __init__(self, requested: Callable[[], bool] = lambda: False) -> None:
        self._ear, self._hand = socket.socketpair()
        for end in (self._ear, self._hand):
            end.setblocking(False)  # noqa: FBT003 - the standard library's own way
        self._before: dict[int, Any] = {}
        self._wakeup = -1
        self._over = threading.Event()
        self._look_for_request = requested
        self._requested = False
        self._signals = 0
        self._interrupts = math.inf

    @property
    def asked(self) -> int:
        """How often we were asked to end. Read once a second at least, since no wait of the monitor is longer."""
        self._requested = self._requested or self._look_for_request()
        return self._signals + self._requested

    def interrupt_once(self) -> None:
        """Have one more request be a KeyboardInterrupt, and no other: what that one begins is not to be interrupted."""
        self._interrupts = 1

    def ring(self) -> None:
        """Wake the one who waits; from any thread."""
        with contextlib.suppress(OSError):  # full: it rings already; closed: nobody waits any more
            self._hand.send(b"\0")

    def wait(self, timeout: float, descriptor: int | None = None) -> float:
        """Wait for a ring, for a descriptor to be readable, or `timeout` seconds.

        Returns by how many seconds that was overslept: a machine that was suspended, or we were.
        """
        begun, slept = time.monotonic(), _suspended()
        _ready(self._ear, descriptor, max(0.0, timeout))
        with contextlib.suppress(BlockingIOError):
            while self._ear.recv(4096):
                pass
        return max(time.monotonic() - begun - timeout, 0.0) + max(_suspended() - slept, 0.0)

    def __enter__(self) -> Self:
        # On Windows no handler runs while a select waits; the byte written to this descriptor ends the waiting.
        self._wakeup = signal.set_wakeup_fd(self._hand.fileno(), warn_on_full_buffer=False)
        for name in _ENDING:
            number = getattr(signal, name, None)
            # Ignored on purpose: by nohup (SIGHUP), for a background job of a script (SIGINT).
            if number is None or (name in {"SIGHUP", "SIGINT"} and signal.getsignal(number) is signal.SIG_IGN):
                continue
            self._before[number] = signal.signal(number, self._ask)
        console.hold_close(self._closed, self._over)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._over.set()
        self._ear.close()
        self._hand.close()

    def _closed(self) -> None:
        self._signals += 1
        self.ring()

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        again = self._requested or self._signals > 0
        self._signals += 1
        self.ring()
        # A terminal that is closed may say so twice, itself and through its shell: that is no impatience.
        if again and number != getattr(signal, "SIGHUP", None) and self._interrupts:
            self._interrupts -= 1
            raise KeyboardInterrupt


def _ready(ear: socket.socket, descriptor: int | None, timeout: float) -> None:
    if sys.platform == "win32":
        select.select([ear], [], [], timeout)
        return
    poller = select.poll()
    poller.register(ear, select.POLLIN)
    if descriptor is not None:
        poller.register(descriptor, select.POLLIN)
    poller.poll(timeout * 1000)


def _suspended() -> float:
    """Return the seconds that this machine slept since it was switched on, where the system counts them."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    return 0.0
