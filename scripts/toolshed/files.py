"""Renaming and deleting, although Windows refuses both while another program has a file open.

`clinic.fs` knows more of it; what makes the tool environment can't import what needs it.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# winerror of ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION, ERROR_DIR_NOT_EMPTY
IN_USE = frozenset({5, 32, 33, 145})
RETRY_FOR = 2.0  # seconds; virus scanners and indexers hold files open for moments
RETRY_EVERY = 0.01  # seconds


def retrying(action: Callable[[], object]) -> None:
    """Call `action` until it succeeds, for two seconds at most, while Windows refuses because a file is in use."""
    deadline = time.monotonic() + RETRY_FOR
    while True:
        try:
            action()
        except OSError as error:
            if getattr(error, "winerror", None) not in IN_USE or time.monotonic() >= deadline:
                raise
            time.sleep(RETRY_EVERY)
        else:
            return


def replace(source: Path, target: Path) -> None:
    """Rename a file over another."""
    retrying(lambda: source.replace(target))


def move(source: Path, target: Path) -> None:
    """Move a folder; nothing may be at `target`.

    It is copied where it lies in the layer of a container image: overlayfs does not rename that ("redirect_dir" in
    Documentation/filesystems/overlayfs.rst).
    """
    try:
        retrying(lambda: source.rename(target))
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copytree(source, target, symlinks=True)
        remove(source)


def remove(path: Path) -> None:
    """Delete a folder, read-only files and folders in it included."""
    try:
        shutil.rmtree(path)
    except OSError:  # of which Windows has more than PermissionError
        for item in (path, *path.rglob("*")):
            if not item.is_symlink():
                item.chmod(stat.S_IRWXU)
        retrying(lambda: shutil.rmtree(path))


# renameat2(2): RENAME_NOREPLACE 1, RENAME_EXCHANGE 2. renamex_np(2) of macOS: RENAME_SWAP 2, RENAME_EXCL 4.
_FLAGS = {"linux": ("renameat2", {"new": 1, "exchange": 2}), "darwin": ("renamex_np", {"exchange": 2, "new": 4})}
_AT_FDCWD = -100
_NO_FLAGS = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


def rename_by_flag(source: Path, target: Path, flag: str) -> bool:
    """Rename in a way that the os module does not offer; False where the system or the filesystem does not either.

    `flag` is "new" (nothing is replaced) or "exchange" (the two change places; False also where they can't because
    they are on two filesystems or mounts). Raises OSError.
    """
    if sys.platform not in _FLAGS:
        return False
    import ctypes

    name, flags = _FLAGS[sys.platform]
    call = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if call is None:
        return False  # musl before 1.2.5, macOS before 10.12
    sys.audit("os.rename", str(source), str(target), -1, -1)
    paths = (os.fsencode(source), os.fsencode(target))
    words = (_AT_FDCWD, paths[0], _AT_FDCWD, paths[1]) if name == "renameat2" else paths
    if call(*words, flags[flag]) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_FLAGS or (number == errno.EXDEV and flag == "exchange"):
        return False
    raise OSError(number, os.strerror(number), str(source), None, str(target))
