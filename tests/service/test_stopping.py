"""A server ends with all that it started: asked, waited for, forced; nobody else is touched."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from clinic.errors import RefusedError
from clinic.service import identity, stopping, table
from clinic.service.table import Identity, Row, everyone

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
Sleeper = Callable[..., Identity]

DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


def row(pid: int, parent: int, session: int = 0, begun: float = 1.0) -> Row:
    return Row(Identity(pid, f"{begun}"), "S", parent, session, begun)


def test_a_family_is_children_and_their_children() -> None:
    rows = [row(10, 1), row(11, 10), row(12, 11), row(20, 1), row(21, 20)]
    assert {each.pid for each in stopping.family(rows, rows[0].identity)} == {11, 12}


def test_a_family_is_whoever_is_in_the_session_that_it_leads() -> None:
    rows = [row(10, 1, session=10), row(11, 1, session=10), row(12, 1, session=9)]
    assert {each.pid for each in stopping.family(rows, rows[0].identity)} == {11}


def test_the_session_of_a_leader_that_ended_is_still_its_own_unless_somebody_else_has_the_number() -> None:
    gone = Identity(10, "1.0")
    member = row(11, 1, session=10)
    assert stopping.family([member], gone, led=True) == [member.identity]
    assert stopping.family([member], gone) == []
    assert stopping.family([member, row(10, 1, session=10, begun=9.0)], gone, led=True) == []


def test_a_child_older_than_its_parent_is_a_strangers() -> None:
    rows = [row(10, 1, begun=5.0), row(11, 10, begun=4.0)]
    assert stopping.family(rows, rows[0].identity) == []


def test_the_children_of_whoever_has_a_dead_ones_number_are_not_its_own() -> None:
    gone = Identity(10, "1.0")
    rows = [row(10, 1, begun=5.0), row(11, 10, begun=3.0), row(12, 10, begun=6.0), row(13, 12, begun=7.0)]
    assert stopping.family(rows, gone) == [rows[1].identity]


def test_a_forced_stop_walks_the_process_table_twice(
    sleeper: Sleeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: Callable[..., Any]
) -> None:
    note, walks = tmp_path / "pid", Mock(wraps=table.numbers)
    child = f"import signal, time; {DEAF}; open({str(note)!r}, 'w').write('up'); time.sleep(300)"
    who = sleeper(f"{DEAF}\nsubprocess.Popen([sys.executable, '-c', {child!r}])")
    until(note.exists)
    (kin,) = stopping.family(everyone(), who)
    monkeypatch.setattr(table, "numbers", walks)
    assert stopping.end(who, 0.1) == stopping.Ended(forced=True)
    assert walks.call_count == 2
    assert not identity.alive(kin)


def test_the_commands_that_are_named_work() -> None:
    assert stopping.force_command(7, windows=True) == "taskkill /F /PID 7", "without /F it closes windows only"
    assert stopping.force_command(7, windows=False) == "kill -9 7"
    assert stopping.look_command(7, windows=True) == 'tasklist /V /FI "PID eq 7"'
    shown = subprocess.run(shlex.split(stopping.look_command(os.getpid())), capture_output=True, text=True, check=True)
    assert str(os.getpid()) in shown.stdout


def test_it_is_asked_first(sleeper: Sleeper, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    polite = f"signal.signal(signal.SIGTERM, lambda *_: (open({str(mark)!r}, 'w').close(), sys.exit(0)))"
    who = sleeper(polite)
    assert stopping.end(who, 5) == stopping.Ended(forced=False)
    assert mark.exists()
    assert not identity.occupied(who.pid)  # it was our child: no zombie stays


def test_who_does_not_listen_is_forced(sleeper: Sleeper) -> None:
    who, begun = sleeper(DEAF), time.monotonic()
    assert stopping.end(who, 0.3).forced
    assert 0.3 <= time.monotonic() - begun < 3
    assert not identity.alive(who)


def test_a_stopped_process_is_woken_to_end(sleeper: Sleeper) -> None:
    who = sleeper()
    os.kill(who.pid, signal.SIGSTOP)
    begun = time.monotonic()
    assert not stopping.end(who, 5).forced
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("manners", ["", DEAF])
def test_children_end_too_in_whatever_session(
    sleeper: Sleeper, bystander: Identity, tmp_path: Path, manners: str, until: Callable[..., Any]
) -> None:
    note = tmp_path / "pids"
    child = (
        f"import os, signal, subprocess, sys, time; {manners or 'pass'}; "
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)']) if len(sys.argv) > 1 else 0; "
        f"open({str(note)!r}, 'a').write(f'{{os.getpid()}} '); time.sleep(300)"
    )
    who = sleeper(
        f"child = {child!r}\n"
        "subprocess.Popen([sys.executable, '-c', child])\n"
        "subprocess.Popen([sys.executable, '-c', child, 'parent'], start_new_session=True)"
    )
    until(lambda: note.exists() and len(note.read_text("ascii").split()) == 2)
    kin = stopping.family(everyone(), who)
    assert len(kin) == 3
    assert stopping.end(who, 0.3).left == ()
    assert not any(identity.alive(each) for each in [who, *kin])
    assert identity.alive(bystander)


def test_orphans_are_known_by_session_and_launch_id(
    sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BRIDGE_LAUNCH_ID", "token")
    note = tmp_path / "pid"
    leader = sleeper(
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))"
    )
    stranger = sleeper()  # the same variable, another session
    os.kill(leader.pid, signal.SIGKILL)
    assert identity.wait_gone(leader, 5)
    left = stopping.orphans(leader, "token")
    assert [each.pid for each in left] == [int(note.read_text("ascii"))]
    assert stopping.orphans(leader, "another token") == []
    assert stopping.orphans(leader, "") == []
    assert stopping.end_all(left, 2) == stopping.Ended(forced=False)
    assert identity.alive(stranger)


def test_we_never_end_those_we_run_under() -> None:
    above = identity.identify(os.getppid())
    assert above
    with pytest.raises(RefusedError):
        stopping.end(above, 0)


def test_somebody_elses_process_with_the_same_pid_is_left_alone(bystander: Identity) -> None:
    assert not stopping.end(Identity(bystander.pid, "another boot/1"), 0.1).forced
    assert identity.alive(bystander)
