"""Terminals and consoles as the checks use them: whoever holds them may die, and what they say is judged alike."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from clinic.checklist import UnavailableError, actors, shadow, stage
from clinic.service import identity, process
from clinic.service.table import Identity, Row

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


def test_a_terminal_closes_when_its_holder_is_gone(tmp_path: Path) -> None:
    """The end of stdin is all that a killed `validate` leaves; nothing may go on behind it."""
    with stage.terminal(tmp_path, SLEEP) as window:
        assert stage.until(lambda: "up" in window.shown(), stage.SLACK)
        company = window.company()
        with Path(os.devnull).open("w", encoding="ascii") as nothing:
            os.dup2(nothing.fileno(), window.keyboard)  # the pipe is closed
        assert window.event("closed", stage.SLACK)["reached"]
        assert all(identity.wait_gone(each, stage.SLACK) for each in company)


def test_what_was_typed_after_the_end_is_no_error(tmp_path: Path) -> None:
    with stage.terminal(tmp_path, SLEEP) as window:
        assert window.code() is None
        window.kill()
        window.ctrl_c()
        with pytest.raises(TimeoutError, match="ended"):
            window.event("ended", 0)


def test_a_machine_without_terminals_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Any:
        raise OSError(2, "out of pty devices")

    monkeypatch.setattr(os, "openpty", refuse)
    reads, out = os.pipe()
    actors.terminal(SLEEP, str(tmp_path / "shown"), out)
    os.close(out)
    with os.fdopen(reads) as told:
        assert json.load(told) == {
            "event": "unavailable",
            "why": "no terminal can be opened here: out of pty devices",
        }


def console(tmp_path: Path, attached: list[int]) -> stage.Console:
    """A console whose program has ended, with these processes still attached to it."""
    script = tmp_path / "events"
    script.write_text(json.dumps({"event": "ended", "code": 0, "console": attached}) + "\n", encoding="ascii")
    me = identity.identify(os.getpid())
    assert me
    child = process.Child(me, None)  # type: ignore[arg-type]
    return stage.Console(child, script, tmp_path / "shown", -1)


@pytest.mark.parametrize(
    ("attached", "parent", "tied"),
    [
        ([100, 101], 1, []),
        ([100, 4711], 1, ["it is one of them"]),
        ([100, 101], os.getpid(), ["its parent is the launcher's"]),
    ],
    ids=["apart", "on its console", "below it"],
)
def test_what_ties_a_server_to_a_console(tmp_path: Path, attached: list[int], parent: int, tied: list[str]) -> None:
    row = Row(Identity(4711, "1"), "R", parent, 0, 0.0)
    facts, ties = console(tmp_path, attached).ties(row)
    assert facts == f"parent {parent}; on the launcher's console are 2 processes"
    assert ties == tied


def test_a_console_that_is_not_told_proves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="does not say"):
        console(tmp_path, []).ties(Row(Identity(4711, "1"), "R", 1, 0, 0.0))


def test_only_the_host_of_a_console_is_killed(tmp_path: Path) -> None:
    """The others are for its job to end: that is what is tried."""
    mine = console(tmp_path, [100])
    assert mine._to_kill({mine.child.identity, Identity(4711, "1")}) == {mine.child.identity}


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost", "::", "::1"])  # noqa: S104 - for a moment
def test_a_port_of_any_family_is_free(host: str) -> None:
    if ":" in host:
        try:
            socket.create_server((host, 0), family=socket.AF_INET6).close()
        except OSError as error:
            pytest.skip(f"no IPv6 here: {error}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socket.create_server((host, shadow.free_port(host)), family=family).close()
