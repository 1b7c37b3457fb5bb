"""The server's log: rotated at start-up, read from its end, followed, in whatever encoding its lines are."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import time
from typing import TYPE_CHECKING

from clinic import fs
from clinic.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CAP = 5 << 20  # bytes; a log larger than this is put aside when the server starts
KEPT = 3  # older logs: .1 is the youngest
MOST = 8 << 20  # bytes that are read from the end at once
_WIDE_NEWLINE = b"\n\0"  # of UTF-16LE, which `*>` of PowerShell 5.1 writes
_LOOK_AGAIN = 0.2  # seconds; there is no portable event for "the file grew"


def open_for_append(path: Path) -> int:
    """Open the log to be handed to the server, the old one put aside when it is large; returns a descriptor.

    Raises RefusedError where nothing can be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            mode = path.stat().st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISCHR(mode):  # a FIFO would hold us until somebody reads
                raise IsADirectoryError(0, "it is neither a file nor a device")
        rotate(path)
        return fs.open_shared(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise RefusedError(
            "log-not-writable",
            f"The log {path} cannot be written: {error.strerror}.",
            f"look at {path}, or set clinic.service.log_file in invoke.yaml",
        ) from error


def rotate(path: Path, cap: int = CAP, kept: int = KEPT) -> bool:
    """Put a log of more than `cap` bytes aside as NAME.1, older ones moved on; whether that was done.

    Windows does not rename a file that somebody reads: then it is copied and emptied. Where that fails too,
    the log stays as it is: a log that is too long is no reason not to start.
    """
    try:
        if path.stat().st_size <= cap:
            return False
        for number in range(kept - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                _numbered(path, number).replace(_numbered(path, number + 1))
        try:
            path.replace(_numbered(path, 1))
        except PermissionError:
            shutil.copyfile(path, _numbered(path, 1))
            os.truncate(path, 0)
    except OSError:
        return False
    return True


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def size(path: Path) -> int:
    """Return the log's length in bytes, 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def since(path: Path, start: int) -> str:
    """Read what was written since the log was `start` bytes long (the last 8 MB of it)."""
    length = size(path)
    start = start if start <= length else 0  # it was put aside meanwhile
    return decode(_read(path, max(start, length - MOST)))


def tail(path: Path, lines: int) -> list[str]:
    """Read the last lines; none where there is no log."""
    if lines <= 0:
        return []
    end, block, data = size(path), 64 << 10, b""
    while end > 0 and data.count(b"\n") <= lines and len(data) < MOST:
        begin = max(0, end - block)
        data = _read(path, begin, end - begin) + data
        end = begin
    return decode(data).splitlines()[-lines:]


def follow(path: Path, lines: int = 10) -> Iterator[str]:
    """Yield the last lines, then every line that comes, for ever; a log that is rotated is followed on.

    The file is not held open between looks, so that Windows can rename it. Ends by being closed or
    interrupted.
    """
    position, rest = size(path), b""
    yield from tail(path, lines)
    while True:
        length = size(path)
        if length < position:
            position, rest = 0, b""
        if length > position:
            data = _read(path, position, length - position)
            position += len(data)
            data = rest + data
            end = data.rfind(b"\n") + 1
            end += data[end - 1 : end + 1] == _WIDE_NEWLINE
            rest = data[end:]
            yield from (line.rstrip("\r") for line in decode(data[:end]).split("\n")[:-1])
        else:
            time.sleep(_LOOK_AGAIN)  # a file that grows is readable all the time, so select and poll do not wait for it


def _read(path: Path, start: int, length: int = MOST) -> bytes:
    try:
        return fs.read_bytes(path, start, min(length, MOST))
    except OSError:
        return b""


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
