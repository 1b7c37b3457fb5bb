"""The server while its environment is replaced: it serves on, is restarted, and is not lost to a failure."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from clinic import flow
from clinic.errors import FailedError
from clinic.service import manager
from tests.real.wheels import Site, server

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="folders are renamed under a running server")


@pytest.fixture
def site(tmp_path: Path, free_port: int) -> Iterator[Site]:
    """A project whose server is stopped in the end."""
    site = Site(tmp_path / "project", port=free_port)
    flow.rebuild(site.settings, wheelhouse=site.wheelhouse)
    yield site
    manager.stop(site.settings)


def answer(site: Site) -> dict[str, str] | None:
    """What the server says; None where it says nothing."""
    try:
        told: dict[str, str] = requests.get(f"http://127.0.0.1:{site.port}/health", timeout=1).json()
    except requests.RequestException:
        return None
    return told


class Poll(threading.Thread):
    """Asks for the server's health again and again; `gap` is the longest time without an answer."""

    def __init__(self, site: Site) -> None:
        super().__init__(daemon=True)
        self.site, self.gap, self.over = site, 0.0, threading.Event()

    def run(self) -> None:
        """Until it is over."""
        last = time.monotonic()
        while not self.over.wait(0.02):
            if answer(self.site):
                now = time.monotonic()
                self.gap, last = max(self.gap, now - last), now


def test_it_serves_on_and_is_restarted_from_the_new_one(site: Site) -> None:
    pid = flow.start_server(site.settings).data["pid"]
    site.wheels[1] = server(site.wheelhouse, "2.0")
    site.relock()
    begun, poll = time.monotonic(), Poll(site)
    poll.start()
    assert flow.rebuild(site.settings, wheelhouse=site.wheelhouse).outcome == "cured"
    took = time.monotonic() - begun
    poll.over.set()
    poll.join()
    told = answer(site)
    assert told
    assert told["version"] == "2.0"
    assert told["prefix"] == str(site.venv)
    assert manager.status(site.settings).pid != pid
    assert poll.gap < took, "it served while the new environment was made"
    assert flow.undo(site.settings, yes=True).outcome == "cured"
    told = answer(site)
    assert told
    assert told["version"] == "1.0"


def test_one_that_does_not_run_is_not_started(site: Site) -> None:
    flow.rebuild(site.settings, wheelhouse=site.wheelhouse)
    assert answer(site) is None
    flow.start_server(site.settings)
    flow.stop_server(site.settings)
    flow.rebuild(site.settings, wheelhouse=site.wheelhouse)
    assert answer(site) is None


def test_a_server_that_does_not_come_up_from_the_new_one_is_back_on_the_old_one(site: Site) -> None:
    flow.start_server(site.settings)
    text = (
        "import sys\nif '--version' in sys.argv:\n    raise SystemExit(print('bad'))\nraise RuntimeError('bad day')\n"
    )
    site.wheels[1] = server(site.wheelhouse, "3.0", text=text)
    site.relock()
    with pytest.raises(FailedError, match="old environment again"):
        flow.rebuild(site.settings, wheelhouse=site.wheelhouse)
    told = answer(site)
    assert told
    assert told["version"] == "1.0"


def test_another_environment_is_not_the_servers_business(site: Site) -> None:
    pid = flow.start_server(site.settings).data["pid"]
    flow.rebuild(site.settings, site.root / "another", wheelhouse=site.wheelhouse)
    assert manager.status(site.settings).pid == pid
