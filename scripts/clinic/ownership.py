"""Whose a file is and who may reach it, when it takes the place of another one."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import sys
from collections.abc import Collection
from pathlib import Path

# Only root gives files away, and not to users that its container does not know (EINVAL; user_namespaces(7)). File
# systems in user space may know no owners.
_NOT_GIVEN = {errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}

PRIVATE = 0o700
"""The permissions of folders that are this user's alone."""


def mode_for(path: Path) -> int:
    """The permission bits of a file that replaces what is at `path`: of the old file, else the umask's."""
    with contextlib.suppress(OSError):
        old = path.lstat()
        if stat.S_ISREG(old.st_mode):
            return stat.S_IMODE(old.st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def mode_in(folder: Path) -> int:
    """The permission bits of a new file in a folder: whoever may read the folder may read it, whatever our umask."""
    return _for_file(_bits(folder.stat()), 0)


def give_to_owner(path: Path, old: Path) -> None:
    """Give what replaces `old` to its owner and group; what is new belongs to the folder's owner if root made it."""
    if sys.platform == "win32":
        return
    try:
        give(path, old.lstat())
    except FileNotFoundError:
        follow_folder(path)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder, and those above it that are missing; nothing is done to one that is there.

    `PRIVATE` ones are so whatever the umask. What root makes belongs to the owner of the folder that it lies in.
    Raises OSError.
    """
    if not folder.is_dir():
        make_folder(folder.parent, mode)
        try:
            folder.mkdir(mode, exist_ok=True)
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error
        if mode == PRIVATE:
            folder.chmod(mode)
        follow_folder(folder)


def follow_folder(path: Path) -> None:
    """Give what root made to the owner of the folder that it lies in."""
    if sys.platform != "win32" and os.geteuid() == 0:
        give(path, path.parent.stat())


def give(path: Path, other: os.stat_result) -> None:
    """Give an entry to another one's owner and group where the system lets us."""
    mine = path.lstat()
    if sys.platform != "win32" and (mine.st_uid, mine.st_gid) != (other.st_uid, other.st_gid):
        try:
            os.chown(path, other.st_uid, other.st_gid, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NOT_GIVEN:
                raise


def refuse_foreign(folder: Path) -> None:
    """Raise PermissionError for a folder that is a link, or belongs to another user: it may have been planted."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or (sys.platform != "win32" and found.st_uid != os.geteuid()):
        raise PermissionError(errno.EPERM, "it is not a folder of this user", str(folder))


def adopt(new: Path, old: Path, spared: Collection[Path] = ()) -> None:
    """Give what is to replace `old` its owner and group, and let it be reached by whom `old` can be reached by.

    Folders get the permissions of their counterparts. Files get those that their folder suggests: the umask of this
    run says nothing about the environment, and an old file may have lost its x bit. Those of `spared` (relative to
    `new`: copies of somebody's files) keep theirs. What has no counterpart follows the folder that it lies in.
    """
    if sys.platform != "win32":
        _adopt(new, old, old.parent.stat(), frozenset(new / each for each in spared))


def _adopt(new: Path, old: Path, around: os.stat_result, spared: frozenset[Path]) -> None:
    status, like = new.lstat(), _status(old)
    owner = like or around
    if stat.S_ISLNK(status.st_mode):
        give(new, owner)
        return
    is_folder = stat.S_ISDIR(status.st_mode)
    if is_folder and like and stat.S_ISDIR(like.st_mode):
        around = like
    bits = _bits(around)
    mode = bits | stat.S_IRWXU if is_folder else _for_file(bits, status.st_mode)
    keeps = new in spared or not (is_folder or stat.S_ISREG(status.st_mode))
    mode = stat.S_IMODE(status.st_mode) if keeps else mode
    owned = (status.st_uid, status.st_gid) == (owner.st_uid, owner.st_gid)
    if mode != stat.S_IMODE(status.st_mode) or not owned:
        if not is_folder and status.st_nlink > 1:
            _unshare(new)  # installers link files out of their cache: those are not ours to change
        give(new, owner)
        new.chmod(mode)  # after chown, which takes the set-id bits away
    if is_folder:
        below = spared | {Path(entry.path) for entry in os.scandir(new)} if keeps else spared
        for entry in os.scandir(new):
            _adopt(Path(entry.path), old / entry.name, around, below)


def _bits(folder: os.stat_result) -> int:
    """The permission bits of a folder that what is new in it follows.

    The sticky bit (/tmp) says that everybody may put something there, not that everybody may change it: sticky(7).
    """
    bits = stat.S_IMODE(folder.st_mode)
    return bits & ~(stat.S_ISVTX | stat.S_IWGRP | stat.S_IWOTH) if bits & stat.S_ISVTX else bits


def _for_file(folder: int, own: int) -> int:
    """What `cp` would make of it under a umask that made such a folder; who may read a program may run it."""
    runs = stat.S_IXUSR | (folder & (stat.S_IXGRP | stat.S_IXOTH)) if own & stat.S_IXUSR else 0
    return stat.S_IRUSR | stat.S_IWUSR | (folder & 0o066) | runs


def _status(path: Path) -> os.stat_result | None:
    with contextlib.suppress(OSError):
        return path.lstat()
    return None


def _unshare(path: Path) -> None:
    other = path.with_name(f".{path.name[:60]}.{os.urandom(8).hex()}.new")
    shutil.copy2(path, other)
    other.replace(path)
