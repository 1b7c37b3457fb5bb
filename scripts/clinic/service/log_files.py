"""Files of the server's log: opened so that nothing is followed and nothing hangs, told apart by identity, put aside.

Standard library only, and syntax of Python 3.7: the wrapper runs this in the server's own python.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time

_BLOCK = 1 << 20  # bytes that are copied at once
_LONG_LINE = 64 << 10  # bytes of an unfinished line that are passed on
_STALE = 60.0  # seconds after which a copy without a number is not another process's unfinished work
_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"))


class LogFile:
    """One file behind the log's name: a descriptor to read and empty it, and how far it has been dealt with."""

    def __init__(self, written: int, path: str) -> None:
        """`written` is the descriptor that is written to; the file at `path` may already be another one."""
        status = os.fstat(written)
        self.identity = identity_of(status)
        self.position = 0
        self.grown = 0.0
        self.log = -1  # no descriptor: what is tried with it fails
        with contextlib.suppress(OSError):
            log = open_checked(path, os.O_RDWR, status)
            if identity_of(os.fstat(log)) == self.identity:
                self.log = log
            else:
                os.close(log)

    def size(self) -> int:
        """Return its length in bytes."""
        return os.lseek(self.log, 0, os.SEEK_END)  # a tenth of the cost of fstat

    def new_lines(self) -> bytes:
        """Read the next lines behind `position`."""
        if os.fstat(self.log).st_size < self.position:
            self.position = 0  # somebody has emptied it
        data = _read(self.log, self.position)
        end = data.rfind(b"\n") + 1
        if not end and len(data) >= _LONG_LINE:
            end = len(data)
        if end:
            self.position += end
            self.grown = time.monotonic()
        return data[:end]

    def shrink(self, cap: int) -> bytes:
        """Empty a deleted file that has grown beyond the cap: no listing shows it. Return what was not read of it."""
        status = os.fstat(self.log)
        if status.st_nlink or status.st_size <= cap:
            return b""
        rest = []
        while True:
            rest.append(_read(self.log, self.position))
            self.position += len(rest[-1])
            if not rest[-1]:
                os.ftruncate(self.log, 0)
                self.position = 0
                return b"".join(rest)

    def close(self) -> None:
        """Let the file go."""
        if self.log >= 0:
            os.close(self.log)


def put_aside(log: int, path: str, cap: int, kept: int) -> None:
    """Copy the log to NAME.1, move older ones on, and empty it: others write to it and read it.

    `log` is a descriptor to read and write. Nothing is emptied that is not at `path` any more, and the copy gets its
    number last: whoever renames the log meanwhile may do so to NAME.1. Raises OSError.
    """
    staged = path + ".new"
    copy = _staged(path, staged, cap, kept)
    try:
        status = os.fstat(log)
        if sys.platform != "win32":
            os.fchmod(copy, stat.S_IMODE(status.st_mode))
            if os.geteuid() == 0:
                os.fchown(copy, status.st_uid, status.st_gid)
        position = 0
        while True:
            data = _read(log, position)
            position += len(data)
            if data:
                _write(copy, data)
                continue
            _require_at(path, identity_of(status))
            if os.fstat(log).st_size <= position:
                os.ftruncate(log, 0)
                break
    except BaseException:
        os.close(copy)
        os.remove(staged)
        raise
    os.close(copy)
    _number(path, staged, cap, kept)


def _staged(path: str, staged: str, cap: int, kept: int) -> int:
    """Make the copy's file, which other processes of the service do not do at the same time."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS
    try:
        return os.open(staged, flags, 0o644)
    except FileExistsError:
        status = os.lstat(staged)
        if not stat.S_ISREG(status.st_mode) or time.time() - status.st_mtime < _STALE:
            raise
        _number(path, staged, cap, kept)  # of a process that ended before it did this
        return os.open(staged, flags, 0o644)


def _number(path: str, staged: str, cap: int, kept: int) -> None:
    """Make the copy NAME.1, the one before it NAME.2, and remove those of ours beyond `kept`.

    Those that somebody else's rotation has numbered are smaller than any of ours: they are not ours to remove.
    """
    free = 1
    while os.path.lexists(_numbered(path, free)):
        free += 1
    for number in range(free - 1, 0, -1):
        os.rename(_numbered(path, number), _numbered(path, number + 1))
    os.rename(staged, _numbered(path, 1))
    for number in range(kept + 1, free + 1):
        status = os.lstat(_numbered(path, number))
        if stat.S_ISREG(status.st_mode) and status.st_size > least(cap):
            os.remove(_numbered(path, number))


def _numbered(path: str, number: int) -> str:
    return f"{path}.{number}"


def least(cap: int) -> int:
    """The bytes from which a log is put aside between two lines."""
    return cap - cap // 16


def _read(log: int, position: int) -> bytes:
    if sys.platform != "win32":
        return os.pread(log, _BLOCK, position)  # forked processes share the descriptor's own position
    os.lseek(log, position, os.SEEK_SET)
    return os.read(log, _BLOCK)


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def is_at(path: str, identity: tuple[int, int]) -> bool:
    """Whether the file at `path` is this one. Raises OSError where that can't be seen."""
    try:
        return identity_of(os.lstat(path)) == identity
    except FileNotFoundError:
        return False


def _require_at(path: str, identity: tuple[int, int]) -> None:
    if not is_at(path, identity):
        raise FileNotFoundError(errno.ENOENT, "somebody else has moved it", path)


def identity_of(status: os.stat_result) -> tuple[int, int]:
    """What tells a file from every other one that exists at the same time.

    On Windows nothing is renamed to another volume, and wine forgets the volume of an open file that is renamed.
    """
    return 0 if os.name == "nt" else status.st_dev, status.st_ino


def give_descriptors(opened: int, old: tuple[int, int] | None = None) -> None:
    """Make a file descriptors 1 and 2, which programs inherit; with `old`, only those that still lead to that file."""
    for number in (1, 2):
        if old is not None:
            try:
                if identity_of(os.fstat(number)) != old:
                    continue
            except OSError:
                continue  # the service has closed it
        os.dup2(opened, number)
        os.set_inheritable(number, True)  # noqa: FBT003 - dup2 of a number to itself leaves it as it is
        if sys.platform == "win32":  # pragma: no cover - tests/windows/test_files.py tries it
            _set_standard_handle(number)


def open_checked(path: str, flags: int, like: os.stat_result | None = None) -> int:
    """Open a device, or a file of ours, of root or of its folder's owner. Links are not followed.

    In a folder that only its owner can write to it may be anybody's. `like` is of the file that was there before: its
    owner may own the new one too, and a new one gets its mode. What root makes belongs to that owner, else to the
    folder's. Raises OSError, whose `strerror` says what it is instead. Nothing waits for the other end of a FIFO.
    """
    made = 0
    try:
        _check(path, os.lstat(path), like)
    except FileNotFoundError:
        made = flags & os.O_CREAT and os.O_EXCL
    try:
        descriptor = _open(path, flags | made | _FLAGS, stat.S_IMODE(like.st_mode) if like else 0o644)
    except FileExistsError:  # made by another process meanwhile
        return open_checked(path, flags, like)
    try:
        if made and sys.platform != "win32" and os.geteuid() == 0:
            owner = like or os.stat(os.path.dirname(path) or ".")
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        _check(path, os.fstat(descriptor), like)
        if sys.platform != "win32":
            os.set_blocking(descriptor, True)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check(path: str, status: os.stat_result, like: os.stat_result | None) -> None:
    mode = status.st_mode
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, f"it is a link to {os.readlink(path)}, and links are not followed", path)
    if stat.S_ISCHR(mode):
        return
    if not stat.S_ISREG(mode):
        kind = next((text for is_kind, text in _KINDS if is_kind(mode)), "a block device")
        raise OSError(errno.EINVAL, f"it is {kind}", path)
    if sys.platform != "win32":
        folder = os.stat(os.path.dirname(path) or ".")
        planted = folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH)  # else its owner has put it there: /var/log
        if planted and status.st_uid not in {os.geteuid(), 0, folder.st_uid, (like or folder).st_uid}:
            raise OSError(errno.EPERM, f"it belongs to another user (uid {status.st_uid})", path)


if sys.platform == "win32":  # pragma: no cover - tests/windows/test_files.py tries it

    def _open(path: str, flags: int, _mode: int) -> int:
        """Open as `open_shared` of clinic/fs.py does and says why; the server's python can't import it."""
        import ctypes
        import msvcrt
        from ctypes import wintypes

        word = wintypes.DWORD
        create = ctypes.WinDLL("kernel32", use_last_error=True).CreateFileW
        create.argtypes = [wintypes.LPCWSTR, word, word, wintypes.LPVOID, word, word, wintypes.HANDLE]
        create.restype = wintypes.HANDLE
        access = 0x00120194 if flags & os.O_APPEND else 0xC0000000 if flags & os.O_RDWR else 0x80000000
        shared, disposition = 7, 4 if flags & os.O_CREAT else 3
        handle = create(path, access, shared, None, disposition, 0x80, None)
        if handle == wintypes.HANDLE(-1).value:
            raise ctypes.WinError(ctypes.get_last_error())
        return msvcrt.open_osfhandle(handle, flags)

    def _set_standard_handle(number: int) -> None:
        """Let programs inherit it that are started with other handles given; the C runtime of pythonw does not."""
        import ctypes
        import msvcrt
        from ctypes import wintypes

        kernel = ctypes.WinDLL("kernel32")
        kernel.SetStdHandle.argtypes = [wintypes.DWORD, wintypes.HANDLE]
        kernel.SetStdHandle(0xFFFFFFF5 - (number - 1), msvcrt.get_osfhandle(number))  # STD_OUTPUT_HANDLE is -11

else:

    def _open(path: str, flags: int, mode: int) -> int:
        return os.open(path, flags, mode)
