"""The log: rotated at start-up, read from its end, followed, decoded whatever wrote it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinic.errors import RefusedError
from clinic.service import logs


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
    assert not log.exists()
    assert [(log.with_name(f"bridge.log.{n}")).read_bytes()[:1] for n in (1, 2, 3)] == [b"5", b"4", b"3"]
    assert sorted(each.name for each in log.parent.iterdir()) == [f"bridge.log.{n}" for n in (1, 2, 3)]


def test_a_log_that_somebody_reads_on_windows_is_copied_and_emptied(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if self == log:
            raise PermissionError(13, "used by another process")
        return replace(self, target)

    log.write_bytes(b"x" * 100)
    log.with_name("bridge.log.1").write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", refuse)
    assert logs.rotate(log, cap=99)
    assert log.read_bytes() == b""
    assert log.with_name("bridge.log.1").read_bytes() == b"x" * 100
    assert log.with_name("bridge.log.2").read_bytes() == b"old"


def test_an_old_log_that_cannot_be_moved_is_not_overwritten(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Path, _target: Path) -> Path:
        raise PermissionError(13, "used by another process")

    log.write_bytes(b"x" * 100)
    log.with_name("bridge.log.1").write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", refuse)
    assert not logs.rotate(log, cap=99)
    assert (log.read_bytes(), log.with_name("bridge.log.1").read_bytes()) == (b"x" * 100, b"old")


def test_a_log_that_cannot_be_put_aside_is_no_reason_not_to_start(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    log.write_bytes(b"x" * 100)
    monkeypatch.setattr(Path, "replace", refuse)
    assert not logs.rotate(log, cap=99)
    assert log.read_bytes() == b"x" * 100


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as refused:
        logs.open_for_append(tmp_path)
    assert refused.value.code == "log-not-writable"


@pytest.mark.skipif(os.name == "nt", reason="FIFOs of POSIX")
def test_a_fifo_does_not_hold_us(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(RefusedError):
        logs.open_for_append(tmp_path / "fifo")


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
    assert logs.rotate(log, cap=0)
    log.write_bytes(b"end\n")
    assert enough.wait(5)
    reader.join()
    assert seen == ["two", "three 🌉", "four", "end"]


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
