"""The only room that changes files of an environment: whole or not at all, on the same filesystem."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: Path, data: bytes, *, mode: int | None = None, durable: bool = True) -> None:
    """Replace `path` by a file holding `data`: written beside it, flushed to disk, then renamed over it.

    A reader sees the old file or the new one. Without `durable` the flush is left out: a killed process loses
    nothing then, a power cut may. Permission bits are those of `mode`, else of the old file, else the
    umask's. Raises OSError and leaves `path` as it was when the disk is full or the folder is read-only.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    staged = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        staged.chmod(mode if mode is not None else mode_for(path))
        staged.replace(path)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def link(path: Path, target: str) -> None:
    """Make `path` a link that says `target`, word for word; nothing may be there. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    sync_folder(path.parent)


def mode_for(path: Path) -> int:
    """The permission bits of a file that replaces what is at `path`: of the old file, else the umask's."""
    with contextlib.suppress(OSError):
        old = path.lstat()
        if stat.S_ISREG(old.st_mode):
            return stat.S_IMODE(old.st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


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
    """Move a file, link or folder whole; nothing may be at `target`.

    Across filesystems it is copied beside the target and renamed, so that what lies at `target` is always whole;
    only then is the source renamed away and removed. Raises OSError with the source untouched.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV or exists(target):
            raise
        _move_by_copy(source, target)


def _move_by_copy(source: Path, target: Path) -> None:
    token = os.urandom(4).hex()
    part = target.with_name(f"{target.name}.part-{token}")
    try:
        copy(source, part)
        part.rename(target)
    except BaseException:
        remove(part)
        raise
    gone = source.with_name(f".{source.name}.gone-{token}")
    source.rename(gone)
    remove(gone)


def keep(path: Path, kept: Path) -> None:
    """Keep what is at `path` under another name, so that `path` may be replaced.

    A file stays where it is until it is replaced (a second name for it suffices); anything else is moved.
    """
    kept.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file() and not path.is_symlink():
        with contextlib.suppress(OSError, NotImplementedError):
            os.link(path, kept)
            return
    move(path, kept)


def copy(source: Path, target: Path) -> None:
    """Copy a file, a link (as a link) or a folder with all in it, with times and modes; nothing may be at `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink() or not source.is_dir():
        shutil.copy2(source, target, follow_symlinks=False)
    else:
        shutil.copytree(source, target, symlinks=True)


def remove(path: Path) -> None:
    """Remove a file, a link (never what it points to) or a folder with all in it; nothing there is fine."""
    if path.is_dir() and not path.is_symlink():
        _rmtree(path)
    elif exists(path):  # a read-only file system refuses to remove even what is not there
        path.unlink(missing_ok=True)


def _rmtree(folder: Path) -> None:
    if sys.version_info >= (3, 12):
        shutil.rmtree(folder, onexc=_retry_writable)
    else:
        shutil.rmtree(folder, onerror=_retry_writable)


def _retry_writable(function: Callable[[str], object], name: str, _error: object) -> None:
    """Windows does not delete read-only files: make it writable and try once more."""
    Path(name).chmod(stat.S_IRWXU)
    function(name)


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
    return sum(entry.lstat().st_size for entry in path.rglob("*") if not entry.is_dir() or entry.is_symlink())
