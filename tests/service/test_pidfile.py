"""The pid file: whole or not at all, and only ours is acted upon."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clinic.service import identity, pidfile
from clinic.service.pidfile import Record
from clinic.service.table import Identity, command

Sleeper = Callable[..., Identity]
ME = identity.identify(os.getpid())
assert ME
RECORD = Record(ME, ME, "0a1b", 8123, "debug", "/odd/pröject 🌉/python", "/venv", "", 77, ready=True, signs=True)


def test_what_is_written_is_read(project: Any) -> None:
    service = project().service
    pidfile.write(service.pid_file, RECORD)
    reading = pidfile.read(service)
    assert (reading.kind, reading.record) == ("ours", replace(RECORD, place=str(service.pid_file)))
    assert service.pid_file.read_text("utf-8").splitlines()[0] == str(os.getpid())
    assert os.listdir(service.pid_file.parent) == [service.pid_file.name]  # noqa: PTH208 - nothing staged stays


def test_a_line_break_in_a_path_does_not_tear_it() -> None:
    assert pidfile.parse(pidfile.dump(replace(RECORD, venv="/a\nlaunch=b"))) == replace(RECORD, venv="/a launch=b")


TORN = {
    "empty": b"",
    "nuls": b"\0" * 200,
    "binary": bytes(range(256)),
    "words": b"not a pid\n",
    "zero": b"0\n",
    "negative": b"-1\n",
    "huge": b"9" * 40,
    "unicode digits": "१२३\n".encode(),
    "cut in the middle": pidfile.dump(RECORD)[:40],
    "only a key": b"started=x\n",
}


@pytest.mark.parametrize("data", TORN.values(), ids=TORN.keys())
def test_a_torn_file_is_recognised_and_put_away(project: Any, data: bytes, tmp_path: Path) -> None:
    service = project().service
    service.pid_file.write_bytes(data)
    assert pidfile.read(service).kind == "torn"
    assert pidfile.clear(service, tmp_path / "aside")
    assert pidfile.read(service).kind == "missing"
    kept = [each.read_bytes() for each in (tmp_path / "aside").glob("*")]
    assert kept == ([data] if data.strip(b"\0") else [])  # what might be somebody's is not thrown away


def test_what_is_no_file_is_torn_too(project: Any, tmp_path: Path) -> None:
    service = project().service
    path: Path = service.pid_file
    path.mkdir()
    (path / "a file").write_text("precious", "ascii")
    assert pidfile.read(service).kind == "torn"
    assert not pidfile.clear(service, tmp_path / "aside")
    assert (path / "a file").read_text("ascii") == "precious"
    assert "not a plain file" in pidfile.in_the_way(service)


def test_a_text_of_somebody_stays_where_the_setting_names_it(project: Any, tmp_path: Path) -> None:
    service = replace(project().service, pid_file=tmp_path / "thesis.txt")
    service.pid_file.write_text("years of work", "ascii")
    assert not pidfile.clear(service, tmp_path / "aside")
    assert "thesis.txt is not a pid file" in pidfile.in_the_way(service)
    assert service.pid_file.read_text("ascii") == "years of work"


def test_the_pid_file_of_a_copied_project_is_nobodys_server(project: Any, sleeper: Sleeper, tmp_path: Path) -> None:
    service, who = project().service, sleeper()
    pidfile.write(service.pid_file, replace(RECORD, server=who, leader=who))
    copy = replace(service, pid_file=tmp_path / "copy.pid")
    copy.pid_file.write_bytes(service.pid_file.read_bytes())
    reading = pidfile.read(copy)
    assert (reading.kind, reading.record) == ("foreign", None)
    assert "another project" in reading.why
    service.pid_file.unlink()  # moved, not copied
    assert pidfile.read(copy).kind == "ours"


@pytest.mark.skipif(os.name == "nt", reason="links and FIFOs of POSIX")
def test_links_and_fifos_are_torn_and_nothing_hangs(project: Any, tmp_path: Path) -> None:
    service = project().service
    target = tmp_path / "target"
    target.write_bytes(pidfile.dump(RECORD))
    service.pid_file.symlink_to(target)
    assert pidfile.read(service).kind == "torn"
    assert not pidfile.clear(service, tmp_path / "aside")
    assert target.exists()
    service.pid_file.unlink()
    os.mkfifo(service.pid_file)
    assert pidfile.read(service).kind == "torn"


def test_a_dead_process_is_stale(project: Any, sleeper: Sleeper, tmp_path: Path) -> None:
    service, who = project().service, sleeper()
    pidfile.write(service.pid_file, replace(RECORD, server=who, leader=who))
    assert pidfile.read(service).kind == "ours"
    assert not pidfile.clear(service, tmp_path)
    identity.send(who, 9)
    identity.wait_gone(who, 5)
    assert pidfile.read(service).kind in {"stale", "foreign"}  # a zombie until its parent looks
    assert pidfile.clear(service, tmp_path)


def test_a_recycled_pid_is_foreign_but_provably_not_our_server(project: Any, bystander: Identity) -> None:
    service = project().service
    old = Identity(bystander.pid, "an earlier boot/17")
    pidfile.write(service.pid_file, replace(RECORD, server=old, leader=old))
    reading = pidfile.read(service)
    assert (reading.kind, reading.replaceable) == ("foreign", True)
    assert "another process" in reading.why


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="needs another user's file")
def test_a_file_that_another_user_wrote_proves_nothing(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    service = project().service
    pidfile.write(service.pid_file, RECORD)
    os.chown(service.pid_file, 54321, 54321)
    reading = pidfile.read(service)
    assert (reading.kind, reading.replaceable) == ("foreign", False)
    monkeypatch.setenv("SUDO_UID", "54321")
    assert pidfile.read(service).kind == "ours", "who typed sudo may say so, as with safe.directory of git"


def test_an_older_managers_bare_pid_is_ours_if_the_command_line_says_so(project: Any, sleeper: Sleeper) -> None:
    who = sleeper("x = f'{1 + 1} '")
    words = [word.replace("{", "{{").replace("}", "}}") for word in command(who.pid)[1:]]
    service = replace(project().service, command=("{python}", *words))
    service.pid_file.write_text(f"{who.pid}\n", "ascii")
    reading = pidfile.read(service)
    assert (reading.kind, reading.pid) == ("ours", who.pid)


def test_a_bare_pid_of_another_program_is_foreign(project: Any, bystander: Identity, tmp_path: Path) -> None:
    service = project().service
    service.pid_file.write_text(str(bystander.pid), "ascii")
    reading = pidfile.read(service)
    assert reading.kind == "foreign"
    assert "runs something else" in reading.why
    assert pidfile.clear(service, tmp_path / "aside")
    assert (tmp_path / "aside" / "bridge.pid.1").read_text("ascii") == str(bystander.pid)


def test_a_process_younger_than_the_bare_file_is_a_recycled_pid(project: Any, bystander: Identity) -> None:
    service = project().service
    service.pid_file.write_text(str(bystander.pid), "ascii")
    old = time.time() - 3600
    os.utime(service.pid_file, (old, old))
    reading = pidfile.read(service)
    assert reading.kind == "foreign"
    assert "used again" in reading.why


def test_a_bare_pid_of_nobody_is_stale(project: Any) -> None:
    service = project().service
    service.pid_file.write_text("2147483646", "ascii")
    assert pidfile.read(service).kind == "stale"


def test_commands_are_compared_with_any_interpreter_and_environment(project: Any) -> None:
    service = replace(
        project().service,
        port=8000,
        command=("{python}", "-m", "uvicorn", "a.b:app", "--port", "{port}", "--x={venv}/y"),
    )
    good = ("/any/python3.11", "-m", "uvicorn", "a.b:app", "--port", "8000", "--x=/v/y")
    assert pidfile.runs(good, service)
    assert not pidfile.runs((*good, "--reload"), service)
    assert not pidfile.runs(tuple(word.replace("8000", "8001") for word in good), service)
    assert not pidfile.runs((sys.executable,), service)
