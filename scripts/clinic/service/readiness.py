"""Waiting for the first healthy answer: the port is polled, the process's end is an event."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from clinic.errors import FailedError
from clinic.service import health, identity, memory, ports, stopping
from clinic.service.table import near

if TYPE_CHECKING:
    from clinic.service.pidfile import Record
    from clinic.settings import Settings

OnWait = Callable[[float], None] | None

_POLL = 0.01  # seconds between two looks at the port
_CONNECT = 0.2  # seconds; Windows tries a refused port again for two


def await_healthy(
    settings: Settings, record: Record, ended: Callable[[float], bool], on_wait: OnWait = None
) -> health.Answer | None:
    """Wait for a healthy answer at most `start_timeout`: the answer, the last bad one, or None when it died.

    `ended` waits the given seconds for the process's end and tells whether it came. Raises FailedError when a
    `stop` came in between.
    """
    service, begun = settings.service, time.monotonic()
    expected = health.Expected(record.launch)
    stop_asked = _stop_watch(settings)
    while not ended(_POLL):
        waited = time.monotonic() - begun
        if on_wait:
            on_wait(waited)
        if stop_asked():
            raise FailedError("stopped-meanwhile", "The server was stopped while it started.", "invoke start")
        limit = min(service.health.timeout, max(_CONNECT, service.start_timeout - waited))
        answer = health.check(service, expected, limit, _CONNECT)
        if answer.healthy and not is_strangers(answer, record):
            return answer
        if time.monotonic() - begun >= service.start_timeout:
            return answer if not answer.healthy else replace(answer, kind="foreign", reason="a stranger answers")
    return None


def is_strangers(answer: health.Answer, record: Record) -> bool:
    """Whether a good answer without a launch id comes from somebody else: the port's holder decides."""
    if answer.launch is not None:
        return False  # compared already
    leader = record.leader
    kin = {leader.pid, *(each.pid for each in stopping.family(near([leader.pid]), leader))}
    holder = ports.holder(record.port, kin)
    return holder is not None and holder.pid is not None and not holder.ours


def adopted(settings: Settings, record: Record, on_wait: OnWait = None) -> health.Answer | None:
    """Wait for a server that another run began to start, as `await_healthy` does."""
    return await_healthy(settings, record, lambda seconds: identity.wait_gone(record.server, seconds), on_wait)


def _stop_watch(settings: Settings) -> Callable[[], bool]:
    """Tell whether a `stop` was typed; what is remembered is read only when it changed."""
    seen: list[tuple[int, ...]] = []

    def asked() -> bool:
        now = memory.touched(settings)
        if [now] == seen:
            return False
        seen[:] = [now]
        return memory.recall(settings).wanted == "down"

    return asked
