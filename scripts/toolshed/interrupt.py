"""Ctrl+C and polite requests to end: noted when they come, heeded where a step ends.

An exception in the middle of a step does harm: subprocess holds a lock of its own for moments, and one that is raised
just then leaves that locked for ever; a folder would be moved, and not be known to be.
"""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_noted: list[int] = []


def requests_to_end() -> list[signal.Signals]:
    """Return the signals, besides Ctrl+C, that ask a program to end here; not what nohup made us deaf to."""
    numbers = [signal.Signals[name] for name in ("SIGTERM", "SIGHUP") if name in signal.Signals.__members__]
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def heed() -> None:
    """Raise KeyboardInterrupt if somebody has asked for the end."""
    if _noted:
        raise KeyboardInterrupt


@contextlib.contextmanager
def noted() -> Iterator[None]:
    """Note what would interrupt; whoever works calls `heed` between steps. What came too late is heeded at the end."""
    _noted.clear()
    deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    numbers = [*([] if deaf else [signal.SIGINT]), *requests_to_end()]
    before = {number: signal.signal(number, lambda received, _frame: _noted.append(received)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if _noted:
        raise KeyboardInterrupt("the tools are whole")
