"""The server's life, with real processes: started, known, stopped, and nobody else touched."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from clinic.errors import BusyError, FailedError, RefusedError
from clinic.service import identity, manager, memory, pidfile, readiness
from clinic.service.pidfile import Record
from clinic.service.table import Identity

Until = Callable[..., Any]
posix_only = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
KEYS = {
    *("state", "wanted", "pid", "uptime_seconds", "restarts", "last_reason", "mode", "stopgap", "health"),
    *("environment", "port_holder"),
}


def gone(pid: int | None) -> bool:
    assert pid
    return identity.identify(pid) is None


def test_a_life(project: Any) -> None:
    p = project({"APP_PRINT": "emoji 🌉"})
    assert p.status().state == "stopped"
    waits: list[float] = []
    begun = p.start(mode="production", on_wait=waits.append)
    assert (begun.state, begun.changed, begun.wanted, begun.mode) == ("running", True, "up", "production")
    assert waits == sorted(waits)
    assert p.service.pid_file.read_text("utf-8").splitlines()[0] == str(begun.pid) == str(p.family()[0])
    assert "emoji 🌉" in p.log()
    now = p.status()
    assert (now.state, now.pid, now.mode, now.stopgap) == ("running", begun.pid, "production", None)
    assert now.health.healthy
    assert now.health.pid == begun.pid
    assert now.environment == {"venv": str(p.venv), "python": str(p.python)}
    assert (now.port_holder.pid, now.port_holder.ours) == (begun.pid, True)
    ended = p.stop()
    assert (ended.state, ended.changed, ended.wanted, ended.pid) == ("stopped", True, "down", None)
    assert gone(begun.pid)
    assert not p.service.pid_file.exists()
    again = p.stop()
    assert (again.state, again.changed) == ("stopped", False)


def test_the_json_has_the_contracts_keys(project: Any) -> None:
    p = project()
    for status in (p.status(), p.start(), p.status(), p.stop()):
        assert set(status.as_json()) == KEYS
        json.dumps(status.as_json())


def test_the_second_start_starts_nothing(project: Any) -> None:
    p = project()
    first = p.start()
    second = p.start()
    assert (second.state, second.changed, second.pid) == ("running", False, first.pid)
    assert len(p.family()) == 1


def test_two_starts_at_once_start_one_server(project: Any, until: Until) -> None:
    p = project({"APP_BOOT": "1"})
    first: list[manager.Status] = []
    thread = threading.Thread(target=lambda: first.append(p.start()))
    thread.start()
    until(p.family)
    with pytest.raises(BusyError) as busy:
        p.start()
    assert f"Process {os.getpid()}" in busy.value.message
    assert p.status().state == "starting"
    thread.join()
    assert first[0].pid == p.family()[0]
    assert len(p.family()) == 1


def test_a_slow_boot_is_waited_for_and_the_return_is_not_late(project: Any) -> None:
    p = project({"APP_BOOT": "3"})
    begun = time.monotonic()
    status = p.start()
    assert status.state == "running"
    assert 3 < time.monotonic() - begun < 5


def test_a_larger_answer_and_odd_paths(project: Any) -> None:
    body = json.dumps({"status": "healthy", "parts": [{"name": "🌉" * 200}] * 20})
    assert project({"APP_BODY": body}).start().state == "running"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"APP_STATUS": "500"}, "status 500"),
        ({"APP_BODY": '{"status": "sick"}'}, "lacks"),
        ({"APP_BODY": "hello"}, "not JSON"),
        ({"APP_LAUNCH": "another"}, "another server answers"),
        ({"APP_BOOT": "60", "APP_PRINT": "loading the model"}, "loading the model"),
    ],
    ids=["500", "wrong body", "no json", "another launch id", "too slow"],
)
def test_a_start_that_never_gets_healthy_is_ended_and_explained(
    project: Any, variables: dict[str, str], words: str
) -> None:
    p = project(variables, start_timeout=0.7)
    with pytest.raises(FailedError) as failed:
        p.start()
    assert failed.value.code == "start-timeout"
    assert words in failed.value.message
    assert gone(p.family()[0])
    assert not p.service.pid_file.exists()
    now = p.status()
    assert (now.state, now.wanted) == ("failed", "up")
    assert words in now.last_reason


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"APP_BYTES": "No se encontró pyvenv.cfg: ubicación".encode("cp850").hex(), "APP_EXIT": "106"}, "cfg-error"),
        ({"APP_PRINT": "x: No module named fastapi", "APP_EXIT": "1"}, "package-missing"),
        ({"APP_PRINT": "[Errno 98] bind: schon belegt", "APP_EXIT": "3"}, "port-taken"),
        ({"APP_PRINT": "Fatal Python error: init_fs_encoding", "APP_EXIT": "1"}, "interpreter-broken"),
        ({"APP_PRINT": "good bye", "APP_EXIT": "0"}, "start-failed"),
    ],
    ids=["cfg in Spanish", "package", "port", "fatal", "done"],
)  # fmt: skip
def test_an_early_death_is_seen_at_once_and_explained(
    project: Any, variables: dict[str, str], code: str
) -> None:
    p = project(variables)
    p.service.log_file.write_text("pyvenv.cfg was bad in an earlier life\n", "utf-8")
    begun = time.monotonic()
    with pytest.raises(FailedError) as failed:
        p.start()
    assert failed.value.code == code
    assert failed.value.hint
    assert time.monotonic() - begun < 3
    assert not p.service.pid_file.exists()


def test_children_of_a_start_that_died_are_ended_too(project: Any, until: Until) -> None:
    p = project({"APP_CHILDREN": "1", "APP_EXIT": "1", "APP_BOOT": "0.5"})
    with pytest.raises(FailedError):
        p.start()
    inside = [pid for pid in p.family() if identity.look(pid)]
    # The one in a session of its own can't be told from a program that was meant to stay.
    until(lambda: len([pid for pid in inside if not gone(pid)]) <= 1)


@posix_only
def test_children_end_with_it(project: Any, until: Until) -> None:
    p = project({"APP_CHILDREN": "1"})
    p.start()
    until(lambda: len(p.family()) == 3)
    p.stop()
    assert all(gone(pid) for pid in p.family())


@posix_only
def test_who_does_not_listen_is_forced_after_stop_timeout(project: Any) -> None:
    p = project({"APP_DEAF": "1"}, stop_timeout=0.4)
    pid = p.start().pid
    begun = time.monotonic()
    ended = p.stop()
    assert 0.4 < time.monotonic() - begun < 2
    assert "forced" in ended.notes[0]
    assert gone(pid)


@posix_only
def test_a_halted_server_is_hung_and_can_be_restarted(project: Any) -> None:
    p = project()
    pid = p.start().pid
    os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    assert p.status().state == "hung"
    assert time.monotonic() - begun < 0.5  # certain at once
    with pytest.raises(FailedError) as hung:
        p.start()
    assert (hung.value.code, hung.value.hint) == ("server-hung", "invoke restart")
    again = p.restart()
    assert again.state == "running"
    assert again.pid != pid
    assert gone(pid)


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
    until(lambda: gone(pid))
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


def test_stop_wins_over_a_start_that_is_under_way(project: Any, until: Until) -> None:
    p = project({"APP_BOOT": "30"}, start_timeout=60.0)
    errors: list[str] = []

    def start() -> None:
        try:
            p.start()
        except FailedError as error:
            errors.append(error.code)

    thread = threading.Thread(target=start)
    thread.start()
    until(p.family)
    begun = time.monotonic()
    stopped = p.stop()
    assert (stopped.state, stopped.wanted) == ("stopped", "down")
    assert time.monotonic() - begun < 5
    thread.join()
    assert errors == ["stopped-meanwhile"]
    assert gone(p.family()[0])


def test_an_impossible_restart_leaves_the_old_server_running(project: Any) -> None:
    p = project()
    pid = p.start().pid
    broken = replace(p.settings, service=replace(p.service, cwd=p.settings.root / "nowhere"))
    with pytest.raises(RefusedError) as refused:
        manager.restart(broken, p.python, p.venv)
    assert refused.value.code == "cwd-missing"
    with pytest.raises(RefusedError) as refused:
        manager.restart(p.settings, p.settings.root / "no python", p.venv)
    assert refused.value.code == "python-missing"
    assert p.status().pid == pid


def test_a_restart_keeps_the_mode(project: Any) -> None:
    p = project()
    first = p.start(mode="production")
    second = p.restart()
    assert (second.mode, second.state) == ("production", "running")
    assert gone(first.pid)


def test_a_server_is_asked_on_the_port_that_it_was_started_with(project: Any) -> None:
    p = project()
    p.start()
    old = p.service.port
    p.settings = replace(p.settings, service=replace(p.service, port=project().service.port))
    now = p.status()
    assert now.state == "running"
    assert f"runs on port {old}" in now.notes[0]
    p.stop()
    assert p.status().state == "stopped"


def test_a_full_disk_under_the_records_does_not_keep_it_running(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    p = project()
    pid = p.start().pid

    def full(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(memory.fs, "write_atomically", full)
    assert "No space left" in p.stop().notes[0]
    assert gone(pid)
    with pytest.raises(FailedError) as failed:
        p.start()
    assert "No space left" in failed.value.message
    assert len(p.family()) == 1


def test_a_pid_file_that_cannot_be_written_ends_the_start(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    p = project()

    def full(*_args: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(pidfile, "write", full)
    with pytest.raises(FailedError) as failed:
        p.start()
    assert failed.value.code == "pid-file-not-writable"
    assert all(gone(pid) for pid in p.family())
