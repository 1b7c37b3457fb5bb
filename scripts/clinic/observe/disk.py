"""Whether there is a disk to write to, told without writing: a look changes nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from clinic.facts import Disk


def disk_of(folder: Path) -> Disk | None:
    """The file system below a folder; None where it can't be asked."""
    try:
        if os.name == "nt":
            return Disk(shutil.disk_usage(folder).free, None, read_only=False)
        told = os.statvfs(folder)
    except OSError:
        return None
    # Some file systems (btrfs, most network mounts) count no inodes, and say 0 of 0.
    inodes = told.f_favail if told.f_files else None
    return Disk(told.f_bavail * told.f_frsize, inodes, read_only=bool(told.f_flag & os.ST_RDONLY))
