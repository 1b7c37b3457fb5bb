"""The only room that changes files of an environment: whole or not at all, on the same filesystem."""

from __future__ import annotations

import contextlib
import errno
import ntpath
import os
import re
import shutil
import stat
import sys
import time
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from clinic import ownership
from clinic.errors import OPEN_ELSEWHERE
from toolshed.files import rename_by_flag as _rename_by_flag

_Result = TypeVar("_Result")

_IN_USE = OPEN_ELSEWHERE | {5, 145}  # renaming and deleting also say ERROR_ACCESS_DENIED, ERROR_DIR_NOT_EMPTY
_AS_IT_IS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_RETRY_FOR = 2.0  # seconds
_RETRY_EVERY = 0.002  # seconds; short, since a program that reads over and over lets go for moments only


def retrying(action: Callable[[], _Result], busy: frozenset[int] = _IN_USE) -> _Result:
    """Call `action` until it succeeds, for two seconds at most, while Windows refuses because a file is in use.

    Virus scanners, indexers, editors and backups open files for moments; without FILE_SHARE_DELETE nobody can replace,
    rename or delete them meanwhile, nor rename a folder above them. Other errors are raised at once; no other system
    sets `winerror`.
    """
    deadline = time.monotonic() + _RETRY_FOR
    while True:
        try:
            return action()
        except OSError as error:
            if getattr(error, "winerror", None) not in busy or time.monotonic() >= deadline:
                raise
        time.sleep(_RETRY_EVERY)


if sys.platform == "win32":  # pragma: no cover - tests/windows/test_files.py tries it

    def open_shared(path: str | Path, flags: int) -> int:
        """Open a file for reading or appending so that others can replace, rename or delete it meanwhile.

        `open` of the C runtime does not share the deletion, and it appends by seeking to the end before each write:
        processes overwrite each other, and one that inherits the handle as its stdout does not even seek. With
        FILE_APPEND_DATA and without FILE_WRITE_DATA the system appends, whoever has the handle; libuv's fs__open and
        Rust's OpenOptions do the same.
        """
        return retrying(lambda: _create_file(os.fspath(path), flags), OPEN_ELSEWHERE)

    def _create_file(path: str, flags: int) -> int:
        import ctypes
        import msvcrt
        from ctypes import wintypes

        read = 0x80000000  # GENERIC_READ
        append = 0x00120194  # FILE_GENERIC_WRITE without FILE_WRITE_DATA, and FILE_READ_ATTRIBUTES for fstat
        shared = 0x1 | 0x2 | 0x4  # FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_SHARE_DELETE
        disposition = 4 if flags & os.O_CREAT else 3  # OPEN_ALWAYS, OPEN_EXISTING
        word = wintypes.DWORD
        create = ctypes.WinDLL("kernel32", use_last_error=True).CreateFileW
        create.argtypes = [wintypes.LPCWSTR, word, word, wintypes.LPVOID, word, word, wintypes.HANDLE]
        create.restype = wintypes.HANDLE
        handle = create(path, append if flags & os.O_APPEND else read, shared, None, disposition, 0x80, None)
        if handle == wintypes.HANDLE(-1).value:  # INVALID_HANDLE_VALUE
            code = ctypes.get_last_error()
            raise OSError(0, ctypes.FormatError(code), path, code)
        return msvcrt.open_osfhandle(handle, flags)

else:

    def open_shared(path: str | Path, flags: int) -> int:
        """Open a file with the flags of `os.open`; others can replace, rename or delete it meanwhile."""
        return os.open(path, flags, 0o644)


def read_bytes(path: Path, start: int = 0, length: int = -1) -> bytes:
    """Read a file that others replace, rename or delete at any time, from `start` on.

    Raises OSError, also for a pipe or a device in its place: reading it might never end.
    """
    with open(path, "rb", opener=_open_regular) as stream:
        stream.seek(start)
        return stream.read(length)


def _open_regular(path: str, flags: int) -> int:
    unfollowed = getattr(os, "O_NOFOLLOW", 0) if flags & os.O_CREAT else 0
    descriptor = open_shared(path, flags | unfollowed | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # of a folder, `open` itself says that it is one
        os.close(descriptor)
        raise OSError(errno.ENXIO, "it is not a regular file", path)
    return descriptor


def read_plain(path: Path, most: int) -> tuple[bytes, os.stat_result]:
    """Read at most `most` bytes of a file, and its status. Raises OSError, also for a link, a pipe or a device."""
    descriptor = _open_regular(os.fspath(path), os.O_RDONLY | _AS_IT_IS)
    try:
        return os.read(descriptor, most), os.fstat(descriptor)
    finally:
        os.close(descriptor)


def append(path: Path, data: bytes) -> None:
    """Add `data` to the end of a file in one write, so that what other processes add stays whole.

    Raises OSError, also for a link, a pipe or a device in its place.
    """
    with open(path, "ab", buffering=0, opener=_open_regular) as stream:
        if not stream.tell():
            ownership.follow_folder(path)
        stream.write(data)


def write_atomically(
    path: Path,
    data: bytes,
    *,
    mode: int | None = None,
    durable: bool = True,
    staged: Path | None = None,
    given: bool = True,
) -> None:
    """Replace `path` by a file holding `data`: written beside it, flushed to disk, then renamed over it.

    A reader sees the old file or the new one. Without `durable` the flush is left out: a killed process loses
    nothing then, a power cut may. Permission bits are those of `mode`, else of the old file, else the
    umask's; owner and group are those of the old file where the system lets us, unless it is not to be `given` away.
    `staged` names the temporary file (see `temporary`) if it is on record; else those that killed runs left are swept
    up. Raises OSError and leaves `path` as it was when the disk is full or the folder is read-only.
    """
    if staged is None:
        sweep(path)
        staged = temporary(path)
    handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _AS_IT_IS, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        if given:
            ownership.give_to_owner(staged, path)
        staged.chmod(mode if mode is not None else ownership.mode_for(path))
        if os.name == "nt" and exists(path) and not os.access(path, os.W_OK):
            path.chmod(stat.S_IWRITE)  # Windows does not replace a read-only file
        retrying(lambda: staged.replace(path))
    except BaseException:
        remove(staged)
        raise
    if durable:
        sync_folder(path.parent)


_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}\.new", re.DOTALL)


def temporary(path: Path) -> Path:
    """A new name beside `path` for the file that is to replace it; `is_temporary` knows it again."""
    return path.with_name(f".{path.name[:60]}.{os.urandom(8).hex()}.new")


def is_temporary(name: str) -> bool:
    """Whether a file is named as only `temporary` names files."""
    return bool(_TEMPORARY.fullmatch(name))


def sweep(path: Path, older: float = 60.0) -> None:
    """Remove the temporary files that killed writers of `path` left: those older than so many seconds.

    Without an age only while a lock keeps all others from writing to `path`. What can't be removed is left.
    """
    for left in temporaries(path):
        with contextlib.suppress(OSError):
            if time.time() - left.lstat().st_mtime >= older:
                left.unlink()


def temporaries(path: Path) -> list[Path]:
    """The temporary files of writers of `path`: at work, or killed."""
    try:
        names = os.listdir(path.parent)  # noqa: PTH208 - the names are enough
    except OSError:
        return []
    mark = f".{path.name[:60]}."
    return [path.with_name(name) for name in names if name.startswith(mark) and is_temporary(name)]


def link(path: Path, target: str) -> None:
    """Make `path` a link that says `target`, word for word; nothing may be there. Raises OSError."""
    ownership.make_folder(path.parent)
    path.symlink_to(target)
    ownership.follow_folder(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk where the platform can (not Windows, not every network mount)."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def move(source: Path, target: Path) -> None:
    """Move a file, link or folder whole; nothing may be at `target`, and nothing there is replaced.

    Across filesystems it is copied beside the target and renamed, so that what lies at `target` is always whole;
    only then is the source renamed away and removed. So it is with a folder of a container image's layer: overlayfs
    does not rename it (EXDEV; Documentation/filesystems/overlayfs.rst, "redirect_dir"), and it is removed in place.
    Raises OSError with the source untouched.
    """
    ownership.make_folder(target.parent)
    try:
        _rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV or exists(target):
            raise
        _move_by_copy(source, target)


def _rename(source: Path, target: Path) -> None:
    """Rename where nothing is at `target`: os.rename replaces a file there without a word (not on Windows)."""
    if _rename_by_flag(source, target, "new"):
        return
    if exists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(source), None, str(target))
    retrying(lambda: source.rename(target))


def exchange(one: Path, other: Path) -> bool:
    """Let two entries change places in one step; False where the system can't. Raises OSError."""
    return _rename_by_flag(one, other, "exchange")


def remains(source: Path, target: Path) -> tuple[Path, Path]:
    """What a killed `move` across filesystems may leave: the copy half done; the source that was to be removed."""
    token = f"{zlib.crc32(os.fsencode(target)):08x}"
    return target.with_name(f"{target.name}.part-{token}"), source.with_name(f".{source.name}.gone-{token}")


def _move_by_copy(source: Path, target: Path) -> None:
    part, gone = remains(source, target)
    remove(part)
    try:
        copy(source, part)
        _rename(part, target)
    except BaseException:
        remove(part)
        raise
    try:
        retrying(lambda: source.rename(gone))
    except OSError as error:
        if error.errno != errno.EXDEV:
            remove(target)
            raise
        gone = source
    remove(gone)


def keep(path: Path, kept: Path) -> None:
    """Keep what is at `path` under another name, so that `path` may be replaced.

    A file stays where it is until it is replaced (a second name for it suffices); anything else is moved.
    """
    ownership.make_folder(kept.parent)
    if path.is_file() and not path.is_symlink():
        with contextlib.suppress(OSError, NotImplementedError):
            os.link(path, kept)
            return
    move(path, kept)


def copy(source: Path, target: Path) -> None:
    """Copy a file, a link (as a link) or a folder with all in it, with times and modes; nothing may be at `target`.

    A pipe, a socket (of gunicorn or supervisor) or a device has no content to read: it is made again, as `cp -a` does.
    """
    ownership.make_folder(target.parent)
    status = source.lstat()
    if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
        shutil.copy2(source, target, follow_symlinks=False)
        return
    if stat.S_ISDIR(status.st_mode):
        target.mkdir()
        # Not shutil.copytree: it goes on after an error, and then raises one that has no errno.
        with os.scandir(source) as entries:
            for entry in entries:
                copy(Path(entry.path), target / entry.name)
    elif sys.platform != "win32":
        try:
            os.mknod(target, status.st_mode, status.st_rdev)
        except OSError as error:  # only root makes devices, and on macOS sockets: the source can't be copied then
            raise OSError(error.errno, error.strerror, str(source)) from error
    shutil.copystat(source, target)


def remove(path: Path) -> None:
    """Remove a file, a link (never what it points to) or a folder with all in it; nothing there is fine."""
    if path.is_dir() and not path.is_symlink():
        _rmtree(path)
    elif exists(path):  # a read-only file system refuses to remove even what is not there
        with contextlib.suppress(FileNotFoundError):
            try:
                path.unlink()
            except OSError as error:
                _insist(os.unlink, str(path), error)


def unlimited(path: Path, *, windows: bool = os.name == "nt") -> Path:
    r"""An absolute path in the spelling that Windows takes at any length (`\\?\`); elsewhere as it is.

    A folder may be renamed to where the paths of its files are longer than 259 characters: an environment that is kept
    in the stash lies deeper than it lay. Source: learn.microsoft.com, "Maximum Path Length Limitation".
    """
    text = ntpath.normpath(path)
    if not windows or not ntpath.isabs(text) or text.startswith("\\\\?\\"):
        return path
    return Path(f"\\\\?\\UNC{text[1:]}" if text.startswith("\\\\") else f"\\\\?\\{text}")


def _rmtree(folder: Path) -> None:
    folder = unlimited(folder)
    insist = partial(_insist, within=folder)
    if sys.version_info >= (3, 12):
        shutil.rmtree(folder, onexc=insist)
    else:
        shutil.rmtree(folder, onerror=insist)


def _insist(
    function: Callable[..., object],
    name: str,
    _error: object,
    *,
    windows: bool = os.name == "nt",
    within: Path | None = None,
) -> None:
    """Delete an entry that could not be deleted: make it writable, and wait while another program has it open.

    Windows does not delete read-only files. Elsewhere that is up to the folder (one `within` that is to go itself is
    made writable), and a file may be another's as well (hard links of an installer's cache), or a link, which chmod
    follows; but a folder that may not be read could not be listed.
    """
    path = Path(name)
    if within and path.parent.is_relative_to(within):
        path.parent.chmod(stat.S_IRWXU)
    if not path.is_symlink() and (windows or path.is_dir()):
        path.chmod(stat.S_IRWXU)
    if function in {os.unlink, os.rmdir}:
        retrying(lambda: function(name))
    else:
        shutil.rmtree(name)


def exists(path: Path) -> bool:
    """Whether there is anything at `path`, a dangling link included; False too where we may not look."""
    try:
        path.lstat()
    except (OSError, ValueError):
        return False
    return True


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder (links counted as links)."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    entries = unlimited(path).rglob("*")
    return sum(entry.lstat().st_size for entry in entries if not entry.is_dir() or entry.is_symlink())
