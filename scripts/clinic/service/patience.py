"""Waiting while there is no server: for the time to come, or for somebody to do what lets it start."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from clinic.errors import RefusedError
from clinic.service import memory, ports

if TYPE_CHECKING:
    from clinic.service.care import Care
    from clinic.settings import Settings

_TURN = 0.5  # seconds between two looks


class Patience:
    """One wait. Over when its `seconds` have passed (None: never), or somebody typed start, stop or restart.

    With `care`, also when something of the environment, the settings or the service was changed since `traces`
    (now, when they are not given); with `for_port`, when the port becomes free.
    """

    def __init__(
        self,
        settings: Settings,
        phase: str,
        message: str,
        seconds: float | None = None,
        care: Care | None = None,
        traces: object = None,
    ) -> None:
        self.phase, self.message = phase, message
        self.for_port = False
        self.mended = False
        self._settings, self._care = settings, care
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._said = self._orders()
        self._first = self._last = care.traces() if care and traces is None else traces

    def left(self) -> float | None:
        """Return the seconds that are left, None for no end."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def turn(self) -> float:
        """Return the seconds until the next look."""
        left = self.left()
        return _TURN if left is None else min(_TURN, left)

    def over(self) -> bool:
        """Look whether there is something to go on with."""
        if self.left() == 0 or self._orders() != self._said or (self.for_port and self._port_is_free()):
            return True
        self.mended = self._is_mended()
        return self.mended

    def _is_mended(self) -> bool:
        """Whether something was changed, and whoever changes it is done: nothing more came since the last look."""
        if self._care is None:
            return False
        now, before = self._care.traces(), self._last
        self._last = now
        return now == before != self._first

    def _orders(self) -> tuple[float, ...]:
        """Return what changes when somebody types start, stop or restart."""
        return (*memory.touched(self._settings), _touched(self._settings.service.pid_file))

    def _port_is_free(self) -> bool:
        try:
            return ports.is_free(self._settings.service.host, self._settings.service.port)
        except RefusedError:
            return False


def _touched(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
