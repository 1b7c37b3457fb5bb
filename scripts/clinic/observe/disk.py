"""Whether there is a disk to write to, told without writing: a look changes nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from clinic.facts import Denied, Disk


def disk_of(folder: Path, inside: Iterable[Path] = ()) -> Disk | None:
    """The file system below a folder, and which of the folders inside may not be changed; None if it can't be asked."""
    try:
        if os.name == "nt":
            return Disk(shutil.disk_usage(folder).free, None, read_only=False)
        told = os.statvfs(folder)
    except OSError:
        return None
    # Some file systems (btrfs, most network mounts) count no inodes, and say 0 of 0.
    inodes = told.f_favail if told.f_files else None
    read_only = bool(told.f_flag & os.ST_RDONLY)
    denied = None if read_only else next(filter(None, map(_denied, _folders(folder, *inside))), None)
    return Disk(told.f_bavail * told.f_frsize, inodes, read_only, denied)


def _folders(*folders: Path) -> Iterator[Path]:
    """Those, and then what lies in them: one package of `sudo pip install` is enough to bar its own repair."""
    yield from folders
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            yield from (Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))


def _denied(folder: Path) -> Denied | None:
    """As the system says, which knows more than permission bits: other users' folders, access lists, root's rights."""
    # Of the effective user, where the system can be asked that: `sudo` and set-uid programs have two.
    if os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        return None
    try:
        owner = folder.stat().st_uid
    except OSError:
        return None
    return Denied(folder, _name(owner), _name(os.geteuid()))


def _name(user: int) -> str:
    """A user's name; the number where the system knows none, as in many containers."""
    import pwd

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
