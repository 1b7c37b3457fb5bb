"""Stale, torn and foreign pid files, taken ports: nobody is touched who is not provably ours."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from clinic.errors import RefusedError
from clinic.service import identity, memory, pidfile, readiness
from clinic.service.pidfile import Record
from clinic.service.table import Identity

Until = Callable[..., Any]
posix_only = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def gone(pid: int | None) -> bool:
    assert pid
    return identity.identify(pid) is None


@posix_only
def test_a_killed_server_leaves_a_stale_file_and_the_next_start_recovers(project: Any, until: Until) -> None:
    p = project()
    pid = p.start().pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: gone(pid))
    now = p.status()
    assert (now.state, now.wanted, now.pid) == ("stale", "up", None)
    again = p.start()
    assert (again.state, again.changed) == ("running", True)
    assert again.pid != pid


@posix_only
def test_what_a_killed_server_left_behind_does_not_hold_the_port(project: Any, until: Until) -> None:
    p = project({"APP_CHILDREN": "1"})
    pid = p.start().pid
    until(lambda: len(p.family()) == 3)
    os.kill(pid, signal.SIGKILL)
    again = p.start()
    assert "left by an earlier server" in again.notes[0]
    assert len([each for each in p.family()[:3] if gone(each)]) == 2


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"\xff\xfegarbage", b"12"[:0]], ids=["e", "nul", "bin", "e2"])
def test_a_torn_file_neither_stops_a_start_nor_is_acted_upon(project: Any, content: bytes) -> None:
    p = project()
    p.service.pid_file.write_bytes(content)
    assert p.status().state == "stale"
    assert p.stop().state == "stopped"
    p.service.pid_file.write_bytes(content)
    assert p.start().state == "running"


def planted(p: Any, who: Identity) -> Record:
    record = Record(who, who, "f00d", p.service.port)
    pidfile.write(p.service.pid_file, record)
    return record


def test_a_recycled_pid_is_never_signalled(project: Any, bystander: Identity) -> None:
    p = project()
    planted(p, replace(bystander, started="an earlier boot/1"))
    assert p.status().state == "foreign"
    p.stop()
    assert identity.alive(bystander)
    assert not p.service.pid_file.exists()  # it provably names nobody
    planted(p, replace(bystander, started="an earlier boot/1"))
    assert p.start().state == "running"


def test_a_bare_pid_of_a_stranger_is_never_signalled(project: Any, bystander: Identity) -> None:
    p = project()
    p.service.pid_file.write_text(str(bystander.pid), "ascii")
    assert p.status().state == "foreign"
    stopped = p.stop()
    assert "not touched" in stopped.notes[0]
    assert p.service.pid_file.read_text("ascii") == str(bystander.pid)
    assert p.start().state == "running"
    kept = [each.read_text("ascii") for each in (p.settings.records / "service").glob("bridge.pid.*")]
    assert kept == [str(bystander.pid)]


def test_a_taken_port_is_refused_with_the_holders_name(project: Any) -> None:
    p = project()
    with socket.create_server(("127.0.0.1", p.service.port)) as stranger:
        stranger.settimeout(5)
        with pytest.raises(RefusedError) as refused:
            p.start()
        assert refused.value.code == "port-taken"
        assert f"process {os.getpid()} (" in refused.value.message
        now = p.status()
        assert (now.state, now.port_holder.pid, now.port_holder.ours) == ("foreign", os.getpid(), False)
        p.stop()
    assert p.family() == []
    assert not p.service.pid_file.exists()


def test_a_strangers_good_answer_does_not_pass_for_ours(project: Any) -> None:
    stranger, p = project(), project()
    other = stranger.start()
    p.settings = replace(p.settings, service=replace(p.service, port=stranger.service.port))
    now = p.status()
    assert (now.state, now.health.healthy, now.port_holder.pid) == ("foreign", False, other.pid)
    p.stop()
    assert stranger.status().state == "running"


def test_a_server_that_does_not_sign_is_known_by_who_listens(project: Any, bystander: Identity) -> None:
    p = project({"APP_SIGN": "0"})
    begun = p.start()
    assert (begun.state, begun.health.launch) == ("running", None)
    assert p.status().state == "running"
    mine = pidfile.read(p.service).record
    assert mine
    assert not readiness.is_strangers(begun.health, mine)
    assert readiness.is_strangers(begun.health, replace(mine, leader=bystander))


def test_a_deleted_pid_file_loses_nobody(project: Any) -> None:
    p = project()
    pid = p.start().pid
    p.service.pid_file.unlink()
    assert p.status().pid == pid
    again = p.start()
    assert (again.changed, again.pid) == (False, pid)
    assert p.service.pid_file.read_text("utf-8").startswith(f"{pid}\n")
    p.service.pid_file.unlink()
    assert p.stop().changed
    assert gone(pid)


def test_a_server_of_which_all_traces_are_deleted_is_a_stranger(project: Any) -> None:
    p = project()
    pid = p.start().pid
    p.service.pid_file.rename(p.settings.root / "kept")
    memory.place(p.settings, ".json").unlink()
    with pytest.raises(RefusedError) as refused:
        p.start()
    assert f"process {pid}" in refused.value.message
    p.stop()
    assert not gone(pid)
    (p.settings.root / "kept").rename(p.service.pid_file)
    assert p.stop().changed
