"""Starts and stops that cannot go well: explained, and everything put back."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clinic import fs
from clinic.errors import FailedError, RefusedError
from clinic.service import identity, launch, manager
from clinic.service.pidfile import Record
from clinic.service.table import Identity, look

Until = Callable[..., Any]
posix_only = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def gone(pid: int | None) -> bool:
    assert pid
    return identity.identify(pid) is None


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
def test_an_early_death_is_seen_at_once_and_explained(project: Any, variables: dict[str, str], code: str) -> None:
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
    inside = [pid for pid in p.family() if look(pid)]
    # The one in a session of its own can't be told from a program that was meant to stay.
    until(lambda: len([pid for pid in inside if not gone(pid)]) <= 1)


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


def test_where_nothing_can_be_written_it_is_started_and_stopped_all_the_same(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    p = project()

    def full(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fs, "write_atomically", full)
    started = p.start()
    assert started.state == "running"
    assert len(started.notes) == 2, "each file is named once"
    assert all("No space left" in note for note in started.notes)
    assert p.status().pid == started.pid
    assert (p.start().changed, p.restart().state) == (False, "running")
    assert gone(started.pid)
    stopped = p.stop()
    assert (stopped.state, stopped.changed) == ("stopped", True)
    assert "No space left" in stopped.notes[0]
    assert all(gone(pid) for pid in p.family())


@pytest.mark.parametrize("fails", ["pid file", "state"])
def test_a_healthy_server_is_not_ended_for_a_file_that_cannot_be_written(
    project: Any, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    p = project()
    write = fs.write_atomically

    def busy(path: Path, data: bytes, **options: Any) -> None:
        ready = b"ready=1" in data
        if ready and (path == p.settings.service.pid_file) == (fails == "pid file"):
            raise PermissionError(13, "used by another process")
        write(path, data, **options)

    monkeypatch.setattr(fs, "write_atomically", busy)
    started = p.start()
    (note,) = started.notes
    assert "could not be written (used by another process)" in note
    monkeypatch.undo()
    now = p.status()
    assert (now.state, now.pid) == ("running", started.pid)
    p.stop()
    assert gone(started.pid)


def test_a_log_that_cannot_be_read_is_not_said_to_be_empty(project: Any) -> None:
    p = project()
    p.service.log_file.mkdir()
    me = Identity(os.getpid(), "0")
    reason, told = launch._reason(p.settings, Record(server=me, leader=me), None)
    assert reason is None
    assert told == f" The log {p.service.log_file} cannot be read: it is a folder."
