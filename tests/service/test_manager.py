"""The server's life, with real processes: started, known, restarted, stopped."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from clinic.errors import BusyError, FailedError, RefusedError
from clinic.service import health, identity, manager, memory, stopping
from clinic.service.table import look

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


def test_a_folder_in_the_pid_files_place_is_named_and_left(project: Any) -> None:
    p = project()
    p.service.pid_file.mkdir()
    (p.service.pid_file / "notes").touch()
    now = p.status()
    assert (now.state, now.notes) == (
        "stopped",
        (f"clinic.service.pid_file names something else: {p.service.pid_file} is not a plain file.",),
    )
    for act in (p.stop, p.start):
        with pytest.raises(RefusedError) as refused:
            act()
        assert refused.value.code == "pid-file-in-the-way"
    assert (p.service.pid_file / "notes").is_file()


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
    assert f"process {os.getpid()}" in busy.value.message
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
def test_a_halted_server_is_hung_and_can_be_restarted(
    project: Any, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    p = project()
    pid = p.start().pid
    os.kill(pid, signal.SIGSTOP)
    until(lambda: "T" in [row.state for row in [look(pid)] if row])
    with monkeypatch.context() as unasked:
        unasked.setattr(health, "check", None)  # it is certain without
        assert p.status().state == "hung"
    with pytest.raises(FailedError) as hung:
        p.start()
    assert (hung.value.code, hung.value.hint) == ("server-hung", "invoke restart")
    again = p.restart()
    assert again.state == "running"
    assert again.pid != pid
    assert gone(pid)


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


def test_a_stop_that_is_refused_leaves_the_server_wanted(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_options: object) -> stopping.Ended:
        raise PermissionError(1, "Operation not permitted")

    p = project()
    p.start()
    with monkeypatch.context() as patch:
        patch.setattr(stopping, "end", refuse)
        with pytest.raises(RefusedError, match="may not signal"):
            p.stop()
    known = memory.recall(p.settings)
    assert known.wanted == "up", "else a monitor would not bring it back when it dies"
    assert known.ended != known.launch, "nor count its death"
