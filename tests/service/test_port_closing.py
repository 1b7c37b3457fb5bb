"""A port that nobody listens on and that still cannot be bound: connections of a server that has ended."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clinic.errors import FailedError, RefusedError
from clinic.service import manager, memory, ports

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows lets such a port be bound")
Until = Callable[..., Any]


class Lingering:
    """A connection of a listener that is gone: it keeps the port as one in TIME_WAIT does, until `end`."""

    def __init__(self, port: int) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", port))  # without SO_REUSEADDR, as socketserver does
            listener.listen()
            self._client = socket.create_connection(("127.0.0.1", port))
            self._server, _ = listener.accept()

    def end(self) -> None:
        """Let it go at once: a reset has no TIME_WAIT."""
        for each in (self._server, self._client):
            if each.fileno() >= 0:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                each.close()


@pytest.fixture
def closing(project: Any) -> Iterator[tuple[Any, Lingering]]:
    p = project()
    left = Lingering(p.service.port)
    yield p, left
    left.end()


def test_such_a_port_is_told_from_one_that_somebody_listens_on(closing: tuple[Any, Lingering]) -> None:
    p, left = closing
    assert not ports.is_free("127.0.0.1", p.service.port)
    assert ports.held_by(p.service.port) is None
    left.end()
    with socket.create_server(("127.0.0.1", p.service.port)):
        holder = ports.held_by(p.service.port)
        assert holder
        assert holder.pid == os.getpid()


def test_what_cannot_be_seen_is_still_somebody(project: Any) -> None:
    holder = ports.held_by(project().service.port)
    assert holder
    assert "may not be seen" in str(holder)


def test_a_start_waits_until_the_port_can_be_bound_and_says_so(closing: tuple[Any, Lingering]) -> None:
    p, left = closing
    seen: list[float] = []

    def wait(seconds: float) -> None:
        seen.append(seconds)
        if seconds > 1:
            left.end()

    started = p.start(on_wait=wait)
    assert started.state == "running"
    assert len(seen) > 1
    assert "TIME_WAIT" in started.notes[0]


def test_a_wait_has_an_end_and_names_no_process(
    closing: tuple[Any, Lingering], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager, "_LINGERING", 0.1)
    p, _ = closing
    with pytest.raises(RefusedError) as refused:
        p.start()
    assert refused.value.code == "port-closing"
    assert "taken by" not in refused.value.message


def test_a_stop_ends_the_wait(closing: tuple[Any, Lingering], until: Until) -> None:
    p, _ = closing
    errors: list[str] = []

    def start() -> None:
        try:
            p.start()
        except FailedError as error:
            errors.append(error.code)

    thread = threading.Thread(target=start)
    thread.start()
    until(lambda: memory.recall(p.settings).wanted == "up")
    assert p.stop().wanted == "down"
    thread.join(60)
    assert errors == ["stopped-meanwhile"]


def test_the_monitor_that_waits_can_be_asked_to_end(closing: tuple[Any, Lingering]) -> None:
    from clinic.service import revive
    from clinic.service.launch import With

    p, _ = closing
    memory.keep(p.settings, wanted="up")

    def asked(_seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        revive.revive(p.settings, With(p.python, p.venv), "", asked)
