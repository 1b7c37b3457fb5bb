"""A server under watch: its end is an event, whoever started it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from clinic.service import identity

if TYPE_CHECKING:
    from clinic.service.pidfile import Record
    from clinic.service.process import Child

_LONG = 3600.0  # seconds; the waiting thread then waits on


class Ward:
    """One server. `descriptor` becomes readable when it ends; where there is none, `ring` is called."""

    def __init__(self, record: Record, child: Child | None, ring: Callable[[], None]) -> None:
        self.record, self.child = record, child
        self.descriptor: int | None = None
        self._ended = threading.Event()
        self._left = False
        try:
            self.descriptor = identity.open_pidfd(record.server)
            if self.descriptor is None:
                self._ended.set()
        except OSError:
            threading.Thread(target=self._wait, args=(ring,), daemon=True).start()

    @property
    def pid(self) -> int:
        """The process that serves."""
        return self.record.server.pid

    def ended(self) -> bool:
        """Whether it has ended; a zombie has."""
        if self.descriptor is not None:
            return identity.readable(self.descriptor, 0)
        return self._ended.is_set()

    def exit_code(self) -> int | None:
        """Tell how it ended, which only its parent learns; it also takes the zombie away."""
        return self.child.wait(0) if self.child else None

    def leave(self) -> None:
        """Watch it no more; it may live on."""
        self._left = True
        if self.child:
            self.child.release()
            self.child = None
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def _wait(self, ring: Callable[[], None]) -> None:
        while not self._left:
            if identity.wait_gone(self.record.server, _LONG):
                break
        self._ended.set()
        ring()
