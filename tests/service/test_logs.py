"""The log: rotated at start-up, read from its end, followed, decoded whatever wrote it."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinic.errors import RefusedError
from clinic.service import log_files, logs


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "bridge.log"


def test_a_small_log_is_appended_to(log: Path) -> None:
    for text in (b"one\n", b"two\n"):
        descriptor = logs.open_for_append(log)
        os.write(descriptor, text)
        os.close(descriptor)
    assert log.read_bytes() == b"one\ntwo\n"


def test_a_large_one_is_put_aside_and_three_are_kept(log: Path) -> None:
    for number in range(6):
        log.write_bytes(b"%d" % number * 100)
        assert logs.rotate(log, cap=99)
    assert log.read_bytes() == b""
    assert [(log.with_name(f"bridge.log.{n}")).read_bytes()[:1] for n in (1, 2, 3)] == [b"5", b"4", b"3"]
    assert sorted(each.name for each in log.parent.iterdir()) == ["bridge.log", *(f"bridge.log.{n}" for n in (1, 2, 3))]


def test_what_another_rotation_has_numbered_is_moved_on_and_not_removed(log: Path) -> None:
    for number in range(1, 6):
        log.with_name(f"bridge.log.{number}").write_bytes(b"theirs %d" % number)
    for number in range(6):
        log.write_bytes(b"%d" % number * 100)
        assert logs.rotate(log, cap=99)
    kept = sorted(path.read_bytes()[:8].decode() for path in log.parent.glob("bridge.log.*"))
    assert kept == ["33333333", "44444444", "55555555", *(f"theirs {number}" for number in range(1, 6))]


def test_an_old_log_that_cannot_be_moved_is_not_overwritten(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_source: str, _target: str) -> None:
        raise PermissionError(13, "used by another process")

    log.write_bytes(b"x" * 100)
    log.with_name("bridge.log.1").write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refuse)
        assert not logs.rotate(log, cap=99)
    assert (log.read_bytes(), log.with_name("bridge.log.1").read_bytes()) == (b"", b"old")
    copy = log.with_name("bridge.log.new")
    assert copy.read_bytes() == b"x" * 100
    log.write_bytes(b"y" * 100)
    assert not logs.rotate(log, cap=99), "another process may be at work on it"
    os.utime(copy, (0, 0))
    assert logs.rotate(log, cap=99)
    texts = [path.read_bytes()[:3] for path in sorted(log.parent.iterdir())]
    assert texts == [b"", b"yyy", b"xxx", b"old"]


def test_a_log_that_cannot_be_put_aside_is_no_reason_not_to_start(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    log.write_bytes(b"x" * 100)
    monkeypatch.setattr(os, "write", refuse)
    assert not logs.rotate(log, cap=99)
    assert [path.read_bytes() for path in log.parent.iterdir()] == [b"x" * 100]


def test_a_log_that_is_renamed_while_it_is_put_aside_is_left_alone(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def rename_too(descriptor: int, data: bytes) -> int:
        if log.stat().st_size:
            log.rename(log.with_name("theirs"))
            log.touch()
        return write(descriptor, data)

    log.write_bytes(b"x" * 100)
    monkeypatch.setattr(os, "write", rename_too)
    assert not logs.rotate(log, cap=99)
    assert {path.name: path.read_bytes() for path in log.parent.iterdir()} == {"theirs": b"x" * 100, "bridge.log": b""}


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as refused:
        logs.open_for_append(tmp_path)
    assert refused.value.code == "log-not-writable"


READ: list[Callable[[Path], object]] = [
    lambda path: logs.tail(path, 10),
    lambda path: logs.since(path, 0),
    lambda path: next(logs.follow(path)),
]


@pytest.mark.skipif(os.name == "nt", reason="FIFOs, devices and links of POSIX")
@pytest.mark.parametrize("kind", ["FIFO", "folder", "link", "socket"])
def test_what_stands_in_the_logs_place_is_refused_by_name(log: Path, kind: str) -> None:
    target = log.with_name("target")
    target.write_bytes(b"somebody's")
    with socket.socket(socket.AF_UNIX) as made, contextlib.chdir(log.parent):
        if kind == "FIFO":
            os.mkfifo(log)
        elif kind == "folder":
            log.mkdir()
        elif kind == "link":
            log.symlink_to(target)
        else:
            made.bind(log.name)
    for act in (logs.open_for_append, *READ):
        with pytest.raises(RefusedError, match=f"it is a {kind}") as refused:
            act(log)
        assert refused.value.code == ("log-not-writable" if act is logs.open_for_append else "log-not-readable")
        assert (str(target) in refused.value.hint) == (kind == "link")
    assert not logs.rotate(log, cap=0)
    assert target.read_bytes() == b"somebody's"
    assert "cannot be read" in logs.excerpt(log, 3)[0]


@pytest.mark.skipif(os.name == "nt", reason="links of POSIX")
def test_the_hint_names_the_target_of_a_relative_link_as_the_settings_need_it(log: Path) -> None:
    log.symlink_to("../var/b.log")
    with pytest.raises(RefusedError) as refused:
        logs.open_for_append(log)
    assert f" to {log.parent.parent / 'var' / 'b.log'}, or remove" in refused.value.hint


@pytest.mark.skipif(os.name == "nt", reason="devices of POSIX")
def test_a_device_may_be_the_log_and_keeps_nothing() -> None:
    os.close(logs.open_for_append(Path(os.devnull)))
    with pytest.raises(RefusedError, match="a device"):
        logs.tail(Path(os.devnull), 3)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can act for somebody else")
def test_the_log_that_root_makes_is_the_folders_owners(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    path = tmp_path / "service.log"
    os.close(logs.open_for_append(path))
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12345)


@pytest.mark.skipif(os.name == "nt" or os.getuid() != 0, reason="only root gives files away")
def test_another_users_log_is_not_ours_unless_the_folder_is_his(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write_bytes(b"text\n")
    monkeypatch.setattr(os, "geteuid", lambda: 4711)  # neither the file's owner nor root
    assert logs.tail(log, 1) == ["text"], "root's"
    os.chown(log.parent, 4712, -1)
    os.chown(log, 4712, -1)
    assert logs.tail(log, 1) == ["text"], "the folder's owner's"
    os.chown(log.parent, 4713, -1)
    assert logs.tail(log, 1) == ["text"], "its owner has put it there: nobody else can"
    log.parent.chmod(0o777)
    for act in (logs.open_for_append, *READ):
        with pytest.raises(RefusedError, match="another user"):
            act(log)


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
def test_a_log_that_cannot_be_read_is_not_shown_as_empty(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write_bytes(b"text\n")
    for number in (errno.EACCES, errno.EIO):

        def refuse(*_args: object, number: int = number) -> int:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(log_files, "_open", refuse)
        for act in READ:
            with pytest.raises(RefusedError, match=os.strerror(number)):
                act(log)
    assert not logs.is_missing(log)
    assert logs.is_missing(log.with_name("absent"))


@pytest.mark.parametrize("count", [0, 1, 3, 500, 100_000])
def test_the_tail_is_the_last_lines(log: Path, count: int) -> None:
    lines = [f"line {number} grüße" for number in range(20_000)]
    log.write_text("\n".join(lines) + "\n", "utf-8")
    assert logs.tail(log, count) == lines[-count:] if count else logs.tail(log, count) == []


def test_no_log_has_no_tail(log: Path) -> None:
    assert logs.tail(log, 10) == []
    assert logs.since(log, 0) == ""


def test_what_came_since_a_start_is_read_also_after_rotation(log: Path) -> None:
    log.write_bytes(b"old\nnew\n")
    assert logs.since(log, 4) == "new\n"
    assert logs.since(log, 400) == "old\nnew\n"


def test_following_goes_on_through_rotation(log: Path, until: Callable[..., Any]) -> None:
    log.write_bytes(b"one\ntwo\n")
    seen: list[str] = []
    enough = threading.Event()

    def read() -> None:
        for line in logs.follow(log, 1):
            seen.append(line)
            if line == "end":
                enough.set()
                return

    reader = threading.Thread(target=read)
    reader.start()
    until(lambda: seen == ["two"])
    with log.open("ab") as stream:
        stream.write(b"thr")
        stream.flush()
        stream.write("ee 🌉\r\nfour\n".encode())
    until(lambda: seen == ["two", "three 🌉", "four"])
    with log.open("ab") as theirs:
        log.rename(log.with_name("theirs"))
        theirs.write(b"five\n")  # a line that is as long as the new log
        theirs.flush()
        log.write_bytes(b"one\ntwo\nthree\nfour\nsix\n")
        until(lambda: seen[-1] == "six")
    log.unlink()
    log.write_bytes(b"7\n")
    until(lambda: seen[-1] == "7")
    assert logs.rotate(log, cap=1)
    with log.open("ab", buffering=0) as raw:
        until(lambda: raw.write(b"8\n") and seen[-1] == "8")
        raw.write(b"end\n")
    assert enough.wait(60)
    reader.join()
    assert seen[3:9] == ["five", "one", "two", "three", "four", "six"]


# What PowerShell 5.1 writes, with characters that have the byte of a newline or none of NUL in them.
WIDE = "2024-01-01 上午 Њ\r\n\r\n一二\r\nЖди\r\nready\r\n"


@pytest.mark.parametrize("before", ["", "=== 2024 start grün\nold\n"], ids=["whole", "appended"])
@pytest.mark.parametrize("after", ["", "=== 2024 start grün\n\nnew"], ids=["alone", "appended to"])
@pytest.mark.parametrize("mark", [b"", b"\xff\xfe"], ids=["plain", "mark"])
def test_lines_of_utf_16_are_read_among_others(log: Path, before: str, after: str, mark: bytes) -> None:
    log.write_bytes(before.encode() + mark + WIDE.encode("utf-16-le") + after.encode())
    text = before + WIDE + after
    assert logs.since(log, 0) == text
    for count in (1, 3, 5, 100):
        assert logs.tail(log, count) == text.splitlines()[-count:]


def test_half_a_character_at_either_end_costs_no_other(log: Path) -> None:
    log.write_bytes("grüße\r\nready\r\nmore".encode("utf-16-le"))
    assert logs.since(log, 1).splitlines()[1:] == ["ready", "more"]
    assert logs.decode(log.read_bytes()[:-1]).splitlines() == ["grüße", "ready", "mor"]


def test_a_hole_in_a_log_is_not_text(log: Path) -> None:
    log.write_bytes(b"\0" * 5001 + b"ready\n")
    assert logs.tail(log, 10) == ["ready"]


def test_utf_16_is_followed(log: Path, until: Callable[..., Any]) -> None:
    log.write_bytes(b"first\n")
    seen: list[str] = []

    def read() -> None:
        for line in logs.follow(log):
            seen.append(line)
            if line == "end":
                return

    reader = threading.Thread(target=read)
    reader.start()
    until(lambda: seen == ["first"])
    for data in (b"\xff\xfe", WIDE.encode("utf-16-le"), b"bytes\n", "ha".encode("utf-16-le")):
        with log.open("ab") as stream:
            stream.write(data)
    until(lambda: "bytes" in seen)
    with log.open("ab") as stream:
        stream.write("lf\r\nend\r\n".encode("utf-16-le"))
    reader.join(20)
    assert seen == ["first", *WIDE.splitlines(), "bytes", "half", "end"]


SPANISH = "No se encontró el archivo pyvenv.cfg: ubicación no válida"


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "cp850"])
def test_lines_of_any_code_page_are_read(encoding: str) -> None:
    data = "grün 🌉\n".encode() + SPANISH.encode(encoding)
    assert logs.decode(data) == f"grün 🌉\n{SPANISH}"
