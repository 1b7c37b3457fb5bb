"""Starts that failed: how long to wait for the next one, and when they are a crash loop. Knows only figures."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinic.settings import KeepAlive

_SPREAD = 0.1  # of a delay, so that services that died of one cause do not all come back at one moment
_MOST_DEATHS = 15  # within the window; a server may be killed often and is still replaced at once


class Failures:
    """Counts starts that never became healthy: only these are slowed down.

    A server that was healthy and is killed is replaced at once, ten times a minute too; one that becomes
    healthy and dies again and again without end is slowed down at last.
    """

    def __init__(
        self,
        figures: KeepAlive,
        clock: Callable[[], float] = time.monotonic,
        spread: Callable[[], float] | None = None,
    ) -> None:
        self._figures, self._clock, self._spread = figures, clock, spread or _by_chance
        self._starts: deque[float] = deque(maxlen=figures.crash_loop_starts)
        self._deaths: deque[float] = deque(maxlen=_MOST_DEATHS)
        self.in_a_row = 0

    def note(self) -> None:
        """Count a start that failed."""
        self.in_a_row += 1
        self._starts.append(self._clock())

    def note_death(self) -> None:
        """Count the death of a server that had been healthy."""
        self._deaths.append(self._clock())

    def forget(self) -> None:
        """It became healthy, or the cause was mended: the next failure is the first one again."""
        self.in_a_row = 0

    @property
    def looping(self) -> bool:
        """Whether these are too many failed starts, in a row or within the window."""
        many = self._figures.crash_loop_starts
        return self.in_a_row >= many or self._crowded(self._starts)

    @property
    def storm(self) -> bool:
        """Whether healthy servers die so often that replacing them at once is no help any more."""
        return self._crowded(self._deaths)

    def end_loop(self) -> None:
        """The loop has been dealt with: it takes as many failures again to be the next one."""
        self._starts.clear()
        self.in_a_row = 0

    def delay(self) -> float:
        """Return the seconds to wait now: doubled with each failure in a row, and never the same for two."""
        doubled = self._figures.backoff_first * 2.0 ** min(max(self.in_a_row - 1, 0), 30)
        return min(doubled, self._figures.backoff_limit) * self._spread()

    def long_delay(self) -> float:
        """Return the longest delay."""
        return self._figures.backoff_limit * self._spread()

    def _crowded(self, moments: deque[float]) -> bool:
        window = self._figures.crash_loop_window
        return len(moments) == moments.maxlen and self._clock() - moments[0] <= window


def _by_chance() -> float:
    chance = int.from_bytes(os.urandom(2), "big") / 0xFFFF  # the module random costs 10 ms: it brings hashlib
    return 1 - _SPREAD + 2 * _SPREAD * chance
