"""Whether a server that runs is well: asked at the interval, after a failure every second, until it is certain.

The asking happens in a thread of its own, so that a death, a halt or Ctrl+C is noticed while an answer is
overdue.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from clinic.service import find, health, identity
from clinic.service.table import Identity, look

if TYPE_CHECKING:
    from clinic.service.pidfile import Record
    from clinic.settings import Settings

LOOK = 1.0  # seconds between two looks at the process's state
_AGAIN = 0.25  # seconds until a halt is believed: tools that take a picture of a process halt it for a moment
_RECHECK = 1.0  # seconds between two checks once one has failed
_STARTING = 0.25  # seconds between two checks of a server that has not been healthy yet
_KEPT = 100  # moments of checks that are remembered


class _Question:
    """One health check on its way."""

    def __init__(self, ask: Callable[[], health.Answer], ring: Callable[[], None]) -> None:
        self.answer: health.Answer | None = None
        self._ask, self._ring = ask, ring
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        self.answer = self._ask()
        self._ring()


class Pulse:
    """The checks of one server. `checked` holds when the last ones began, on the monotonic clock."""

    def __init__(self, settings: Settings, record: Record, ring: Callable[[], None], now: float) -> None:
        self._figures, self._record, self._ring = settings.keep_alive, record, ring
        self._service = find.as_run(settings.service, record)
        self._signs = record.signs
        self._ready = record.ready
        self._limit = now + max(0.0, self._service.start_timeout - identity.uptime(record.server))
        self._question: _Question | None = None
        self._next_check = now
        self._next_look = now + LOOK
        self._halted = False
        self.answer: health.Answer | None = None
        self.answered = now
        self.strikes = 0
        self._told = 0
        self.count = 0
        self.checked: deque[float] = deque(maxlen=_KEPT)

    def known_good(self, answer: health.Answer, now: float) -> None:
        """It has just answered: the next check is due an interval later."""
        self.answer, self.answered, self._ready = answer, now, True
        self._signs = self._signs or answer.launch is not None
        self._next_check = now + self._figures.interval

    def due(self, now: float) -> float:
        """Return the seconds until there is something to do."""
        soonest = self._next_look if self._question else min(self._next_look, self._next_check)
        return max(0.0, soonest - now)

    def afresh(self, now: float) -> None:
        """Forget what was counted: the time that passed was nobody's."""
        self.strikes, self._told, self._question, self._halted = 0, 0, None, False
        self._next_check, self._next_look = now + _RECHECK, now + LOOK

    def news(self) -> str:
        """Say once that a check failed."""
        if self.strikes == self._told:
            return ""
        self._told = self.strikes
        if not self.strikes or self.answer is None:
            return ""
        return f"check {self.strikes} of {self._figures.failures} failed: {self.answer.reason}"

    def turn(self, now: float) -> str:
        """Do what is due; returns why the server must be replaced, or nothing."""
        if halted := self._look(now):
            return halted
        if self._question and self._question.answer:
            answer, self._question = self._question.answer, None
            if verdict := self._judge(answer, now):
                return verdict
        if self._question is None and now >= self._next_check:
            self._begin(now)
        return ""

    def _look(self, now: float) -> str:
        if now < self._next_look:
            return ""
        halted = _halted(self._record.server)
        if halted and self._halted:
            return "its process is halted (SIGSTOP)"
        self._halted = halted
        self._next_look = now + (_AGAIN if halted else LOOK)
        return ""

    def _begin(self, now: float) -> None:
        expected = health.Expected(self._record.launch, signed=self._signs)
        self.checked.append(now)
        self.count += 1
        self._next_check = now + self._figures.interval
        self._question = _Question(lambda: health.check(self._service, expected), self._ring)

    def _judge(self, answer: health.Answer, now: float) -> str:
        self.answer, self.answered = answer, now
        if answer.healthy:
            self.strikes, self._ready = 0, True
            self._signs = self._signs or answer.launch is not None
            return ""
        if not self._ready and now < self._limit:  # no liveness before the first success
            self._next_check = now + _STARTING
            return ""
        self.strikes += 1
        self._next_check = now + _RECHECK
        return answer.reason if self.strikes >= self._figures.failures else ""


def _halted(process: Identity) -> bool:
    """Whether a signal halted it; one that a debugger holds ("t") is somebody's business."""
    row = look(process.pid)
    return row is not None and row.state == "T" and identity.same(row.identity, process)
