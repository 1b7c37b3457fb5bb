"""A pid together with its start names a process; nobody else is ever meant."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from clinic.errors import RefusedError
from clinic.service import identity, stopping, table
from clinic.service.table import Identity, Row

Sleeper = Callable[..., Identity]
posix_only = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def test_we_are_alive_and_were_started_a_while_ago() -> None:
    me = identity.identify(os.getpid())
    assert me is not None
    assert identity.alive(me)
    assert 0 < identity.uptime(me) < 24 * 3600


def test_another_start_is_another_process(bystander: Identity) -> None:
    recycled = replace(bystander, started="another boot/1")
    assert identity.occupied(recycled.pid)
    assert not identity.alive(recycled)
    assert identity.wait_gone(recycled, 5)
    assert not identity.send(recycled, signal.SIGTERM)


def test_creation_times_may_differ_a_little_but_not_more() -> None:
    assert identity.same(Identity(7, "1700000000.10"), Identity(7, "1700000000.12"))
    assert not identity.same(Identity(7, "1700000000.10"), Identity(7, "1700000001.10"))
    assert not identity.same(Identity(7, "1700000000.10"), Identity(8, "1700000000.10"))


@posix_only
def test_a_zombie_is_dead() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    who = identity.identify(process.pid)
    assert who
    assert process.stdin is not None
    process.stdin.close()
    assert identity.wait_gone(who, 10)
    assert identity.occupied(who.pid)
    assert not identity.alive(who)
    process.wait()
    assert not identity.occupied(who.pid)


@posix_only
def test_the_end_of_a_process_that_is_not_our_child_is_an_event(sleeper: Sleeper, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))"
    )
    sleeper(code)
    grandchild = identity.identify(int(note.read_text("ascii")))
    assert grandchild
    killed: list[float] = []

    def kill() -> None:
        killed.append(time.monotonic())
        identity.send(grandchild, signal.SIGKILL)

    timer = threading.Timer(0.2, kill)
    timer.start()
    assert identity.wait_gone(grandchild, 10)
    assert time.monotonic() - killed[0] < 1  # an event: nothing is waited out
    timer.join()


def test_waiting_ends_with_the_time(bystander: Identity) -> None:
    begun = time.monotonic()
    assert not identity.wait_gone(bystander, 0.1)
    assert 0.09 < time.monotonic() - begun < 2


@posix_only
def test_where_there_are_no_pidfds_it_is_looked_again(sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int, _flags: int = 0) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    who = sleeper()
    assert not identity.wait_gone(who, 0.05)
    assert identity.send(who, signal.SIGKILL)
    assert identity.wait_gone(who, 5)


@pytest.mark.parametrize("who", [lambda: 0, lambda: 1, os.getpid, os.getppid], ids=["0", "1", "we", "above"])
def test_we_and_those_above_us_are_never_signalled(who: Callable[[], int]) -> None:
    pid = who()
    with pytest.raises(RefusedError) as refused:
        identity.send(Identity(pid, "whatever"), signal.SIGTERM)
    assert refused.value.code == "inside-the-server"


def test_an_ancestor_is_older_than_its_child(monkeypatch: pytest.MonkeyPatch) -> None:
    parents, begun = {40: 30, 30: 20, 20: 10, 10: 0}, {40: 9.0, 30: 5.0, 20: 7.0, 10: 1.0}
    rows = {pid: Row(Identity(pid, "1.00"), "R", 0, 0, since) for pid, since in begun.items()}
    monkeypatch.setattr(table, "_parents", lambda: parents)
    monkeypatch.setattr(table, "look", rows.get)
    assert table.ancestors(40, "win32") == [30], "20 ended, and a younger program has its number"
    begun_again = rows | {20: replace(rows[20], begun=3.0)}
    monkeypatch.setattr(table, "look", begun_again.get)
    assert table.ancestors(40, "win32") == [30, 20, 10]


def test_a_walk_on_windows_looks_at_descendants_only(sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch) -> None:
    who = sleeper("subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])")
    (child,) = stopping.family(table.everyone(), who)
    walks, looks = Mock(wraps=table._parents), Mock(wraps=table.look)
    monkeypatch.setattr(table, "_parents", walks)
    monkeypatch.setattr(table, "look", looks)
    assert stopping.family(table.near([who.pid], "win32"), who) == [child]
    assert (walks.call_count, looks.call_count) == (1, 2)
    assert {who.pid, child.pid} < {row.identity.pid for row in table.everyone("win32")}


@pytest.mark.parametrize(
    "refused", [PermissionError(13, "Access is denied"), OSError(22, "The parameter is incorrect")]
)
def test_windows_refuses_to_end_what_is_just_ending(
    sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch, refused: OSError
) -> None:
    who, kill = sleeper(), os.kill

    def end(pid: int, _number: int) -> None:
        kill(pid, signal.SIGKILL)
        raise refused

    monkeypatch.setattr(os, "kill", end)
    assert not identity._send_pid(who, signal.SIGTERM)

    def deny(_pid: int, _number: int) -> None:
        raise refused

    other = sleeper()
    monkeypatch.setattr(os, "kill", deny)
    monkeypatch.setattr(identity, "_ENDING", 0.1)
    with pytest.raises(type(refused)):
        identity._send_pid(other, signal.SIGTERM)


@posix_only
def test_a_stopped_process_is_told(sleeper: Sleeper) -> None:
    who = sleeper()
    assert not identity.stopped(who)
    os.kill(who.pid, signal.SIGSTOP)
    deadline = time.monotonic() + 5
    while not identity.stopped(who):
        assert time.monotonic() < deadline
    assert identity.alive(who)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_program_name_may_hold_brackets_and_blanks(sleeper: Sleeper, tmp_path: Path) -> None:
    odd = tmp_path / "a) R 1 (b"
    odd.symlink_to(Path(sys.executable).resolve())
    who = sleeper(argv0=str(odd))
    row = table.look(who.pid)
    assert row is not None
    assert row.parent == os.getpid()
    assert table.command(who.pid)[0] == str(odd)


def test_nobody_has_an_impossible_pid() -> None:
    for pid in (-1, 0, 2**31 - 1, 2**40):
        assert identity.identify(pid) is None
    assert not identity.occupied(2**40)


def test_variables_of_others_are_read(sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINIC_MARK", "a=b")
    who = sleeper()
    assert table.variable(who.pid, "CLINIC_MARK") == "a=b"
    assert table.variable(who.pid, "CLINIC_MAR") is None
