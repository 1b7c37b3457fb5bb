"""The server's log: opened for the server, rotated at start-up, read from its end, followed, in whatever encoding."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from typing import TYPE_CHECKING, BinaryIO

from clinic import fs
from clinic.errors import OPEN_ELSEWHERE, RefusedError
from clinic.service import log_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CAP = 5 << 20  # bytes; a log larger than this is put aside
KEPT = 3  # older logs: .1 is the youngest
MOST = 8 << 20  # bytes that are read from the end at once
_WIDE_NEWLINE = b"\n\0"  # of UTF-16LE, which `*>` of PowerShell 5.1 writes
_LOOK_AGAIN = 0.2  # seconds; there is no portable event for "the file grew"


def open_for_append(path: Path) -> int:
    """Open the log to be handed to the server, the old one put aside when it is large; returns a descriptor.

    Raises RefusedError where nothing can be written, and for a link or another user's file.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        rotate(path)
        return _open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    except OSError as error:
        raise _refused("log-not-writable", "written", path, error) from error


def rotate(path: Path, cap: int = CAP, kept: int = KEPT) -> bool:
    """Put a log of more than `cap` bytes aside as NAME.1, older ones moved on; whether that was done.

    A log that can't be put aside stays as it is: one that is too long is no reason not to start.
    """
    try:
        log = _open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        if os.fstat(log).st_size <= cap:
            return False
        log_files.put_aside(log, os.fspath(path), cap, kept)
    except OSError:
        return False
    finally:
        os.close(log)
    return True


def is_missing(path: Path) -> bool:
    """Whether there is no log; what can't be seen is not missing."""
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def since(path: Path, start: int) -> str:
    """Read what was written since the log was `start` bytes long (the last 8 MB of it); nothing if there is no log.

    Raises RefusedError if it can't be read.
    """
    try:
        with _reading(path) as log:
            length = log.seek(0, os.SEEK_END)
            start = start if start <= length else 0  # it was put aside meanwhile
            log.seek(max(start, length - MOST))
            return decode(log.read(MOST))
    except FileNotFoundError:
        return ""


def tail(path: Path, lines: int) -> list[str]:
    """Read the last lines; none if there is no log. Raises RefusedError if it can't be read."""
    try:
        with _reading(path) as log:
            return _tail(log, lines)
    except FileNotFoundError:
        return []


def excerpt(path: Path, lines: int) -> list[str]:
    """Read the last lines, or say in their place why they can't be read."""
    try:
        return tail(path, lines)
    except RefusedError as error:
        return [error.message]


def follow(path: Path, lines: int = 10) -> Iterator[str]:
    """Yield the last lines, then every line that comes, for ever; a log that is rotated is followed on.

    Ends by being closed or interrupted. Raises RefusedError if it can't be read.
    """
    begun = False
    while True:
        with contextlib.suppress(FileNotFoundError), _reading(path) as log:
            yield from [] if begun else _tail(log, lines)
            begun = True
            yield from _new_lines(path, log)
        time.sleep(_LOOK_AGAIN)


def _new_lines(path: Path, log: BinaryIO) -> Iterator[str]:
    """Yield every line that comes until another file is at `path`, and this one's last."""
    identity, moved, rest = log_files.identity_of(os.fstat(log.fileno())), False, b""
    while True:
        if data := rest + log.read(MOST):
            end = data.rfind(b"\n") + 1
            end += data[end - 1 : end + 1] == _WIDE_NEWLINE
            rest = data[end:]
            yield from (line.rstrip("\r") for line in decode(data[:end]).split("\n")[:-1])
        if len(data) > len(rest):
            continue
        if moved:
            break
        if os.fstat(log.fileno()).st_size < log.tell():
            log.seek(0)
            rest = b""
        elif log_files.is_at(os.fspath(path), identity):
            time.sleep(_LOOK_AGAIN)  # a file that grows is readable all the time: select and poll do not wait for it
        else:
            moved = True
    if rest:
        yield decode(rest)


def _tail(log: BinaryIO, lines: int) -> list[str]:
    """Read the last lines; what is read next is what comes behind them."""
    length = end = log.seek(0, os.SEEK_END)
    data = b""
    while lines > 0 and end > 0 and data.count(b"\n") <= lines and len(data) < MOST:
        begin = max(0, end - (64 << 10))
        log.seek(begin)
        data = log.read(end - begin) + data
        end = begin
    log.seek(length)
    return decode(data).splitlines()[-lines:] if data else []


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    """Open the log to read it. Raises FileNotFoundError, and RefusedError for every other reason."""
    try:
        with os.fdopen(_open(path, os.O_RDONLY), "rb") as log:
            if not stat.S_ISCHR(os.fstat(log.fileno()).st_mode):
                yield log
                return
            error = OSError(0, "it is a device, which keeps nothing")
    except FileNotFoundError:
        raise
    except OSError as failed:
        error = failed
    raise _refused("log-not-readable", "read", path, error) from error


def _open(path: Path, flags: int) -> int:
    return fs.retrying(lambda: log_files.open_checked(os.fspath(path), flags), OPEN_ELSEWHERE)


def _refused(code: str, done: str, path: Path, error: OSError) -> RefusedError:
    hint = f"look at {path}, or set clinic.service.log_file in invoke.yaml"
    with contextlib.suppress(OSError):
        target = os.path.normpath(path.parent / path.readlink())
        hint = f"set clinic.service.log_file in invoke.yaml to {target}, or remove {path}"
    return RefusedError(code, f"The log {path} cannot be {done}: {error.strerror}.", hint)


def decode(data: bytes) -> str:
    """Decode a log, in which each line may have another encoding: UTF-8, UTF-16LE, a code page of Windows."""
    if b"\0" not in data:
        return _decode_bytes(data)
    data = re.sub(rb"\0{4,}", b"", data)  # no text: what a power cut or a lost truncation leaves
    return "".join(_decode_part(part) for part in re.split(rb"(?<=\n\0)", data))


def _decode_part(part: bytes) -> str:
    """Decode lines of bytes and the line of UTF-16, if any, that follows them; its newline ends the part."""
    start = 0
    while (end := part.find(b"\n", start) + 1) and _is_bytes(part[start:end]):
        start = end
    wide = part[start:]
    if b"\0" not in wide:
        return _decode_bytes(part)
    odd = len(wide) % 2  # half of a character is missing: in front, unless the end is not written yet
    wide = wide[odd:] if wide.endswith(_WIDE_NEWLINE) else wide[: len(wide) - odd]
    return _decode_bytes(part[:start]) + wide.decode("utf-16-le", "replace").replace("\ufeff", "")


def _is_bytes(line: bytes) -> bool:
    """Whether a line is UTF-8; a newline alone is also the first byte of many a character of UTF-16."""
    try:
        return len(line) > 1 and "\0" not in line.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _decode_bytes(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return "\n".join(_decode_line(line) for line in data.split(b"\n"))


def _decode_line(line: bytes) -> str:
    with contextlib.suppress(UnicodeDecodeError):
        return line.decode("utf-8")
    # Launchers write in the console's code page, runtimes in the desktop's; what is a letter in one is a sign
    # in the other.
    readings = [line.decode("cp1252", "replace"), line.decode("cp850", "replace")]
    return max(readings, key=lambda text: sum(letter.isalpha() for letter in text))
