"""Whose a file is, asked as git asks it of a repository (safe.directory): what belongs to somebody else is not run.

What a look runs of an environment (its python, its start-up files, the base that it names) runs with the rights of the
one who looks. So it must belong to that person or to root, and nobody else may be able to change it.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# Mounts whose files all show the same mode, whatever may be done with them (mount(8), WSL's drvfs over 9p).
_WITHOUT_MODES = frozenset(
    ("drvfs", "9p", "vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk", "cifs", "smb3", "vboxsf", "fuse.vmhgfs-fuse")
)
_ROOTS_GROUPS = frozenset({0, 80} if sys.platform == "darwin" else {0})
"""Groups whose members are root if they want: wheel; on macOS also admin, to which all of Homebrew's files belong."""


def callers(environ: Mapping[str, str]) -> frozenset[int]:
    """Who counts as the one who looks: us and root; under sudo also who typed it, as in git."""
    me = os.geteuid()
    typed = environ.get("SUDO_UID", "")
    return frozenset({me, 0, *([int(typed)] if me == 0 and typed.isdecimal() else [])})


def stranger(path: Path, venv: Path) -> str:
    """Who wrote what the records say of an environment, if it is neither the caller, root nor the environment's owner.

    In records that several people may write to, anybody can plant a receipt; what the owner of the environment
    can have done by it, that person could do without.
    """
    if sys.platform == "win32":
        return ""
    try:
        owner = path.lstat().st_uid
    except OSError:
        return ""
    place = next(each for each in (venv, *venv.parents) if os.path.lexists(each))
    users = callers(os.environ) | {place.lstat().st_uid}
    return "" if owner in users else user_name(owner)


@dataclass(frozen=True)
class Owners:
    """Whose files may be run: those of `users` that nobody else may change, and all below `trusted`.

    Without `modes`, who may change them is no question.
    """

    users: frozenset[int]
    trusted: tuple[Path, ...] = ()
    modes: bool = True

    def objections(self, paths: Iterable[Path]) -> tuple[str, ...]:
        """Why these may not be run, each path once; nothing of those that are not there."""
        return tuple(filter(None, map(self.objection, dict.fromkeys(paths))))

    def objection(self, path: Path) -> str:
        """Why a file, link or folder may not be trusted; empty where it may."""
        try:
            found = path.lstat()
        except (OSError, ValueError):
            return ""
        if self._is_trusted(path):
            return ""
        if found.st_uid not in self.users:
            return f"{path} belongs to {user_name(found.st_uid)}"
        if stat.S_ISLNK(found.st_mode) or not self.modes:
            return ""
        mode = stat.S_IMODE(found.st_mode)
        by_others, by_group = mode & stat.S_IWOTH, mode & stat.S_IWGRP and not _is_private(found.st_gid, found.st_uid)
        if not (by_others or by_group) or not self._has_modes(path):
            return ""
        who = "everybody" if by_others else f"the group {_group_name(found.st_gid)}"
        return f"{path} can be changed by {who} (mode {mode:o})"

    def objection_to_running(self, executable: Path) -> str:
        """Why a program may not be run: each link on the way, the file at the end, and the folders of both."""
        end = Path(os.path.realpath(executable))
        return next(iter(self.objections([executable, executable.parent, end, end.parent])), "")

    def _is_trusted(self, path: Path) -> bool:
        real = Path(os.path.realpath(path.parent), path.name)
        return any(path.is_relative_to(folder) or real.is_relative_to(folder) for folder in self.trusted)

    def _has_modes(self, path: Path) -> bool:
        real = Path(os.path.realpath(path))
        mounts = [(place, kind) for place, kind in self._mounts if real.is_relative_to(place)]
        return not mounts or max(mounts, key=lambda each: len(each[0].parts))[1] not in _WITHOUT_MODES

    @cached_property
    def _mounts(self) -> Sequence[tuple[Path, str]]:
        return _mounted()


def mounted_below(folder: Path) -> Iterator[Path]:
    """The mount points in a folder: what is in those is not the folder's, and moves and goes with it all the same."""
    real = Path(os.path.realpath(folder))
    return (place for place, _ in _mounted() if real in place.parents)


def _mounted() -> Sequence[tuple[Path, str]]:
    try:
        return mounts(Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        return ()


def mounts(mountinfo: str) -> list[tuple[Path, str]]:
    """Mount points and kinds of file systems, of a text as proc(5) has it."""
    found = []
    for line in mountinfo.splitlines():
        words, _, more = line.partition(" - ")
        if len(fields := words.split(" ")) > 4 and more:  # noqa: PLR2004 - the fifth is the mount point
            place = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])  # blanks and the like
            found.append((Path(place), more.split(" ", 1)[0]))
    return found


def _is_private(group: int, owner: int) -> bool:
    """Whether a group is its owner's alone (the default of most Linux systems, with umask 002), or root's."""
    import grp
    import pwd

    if group in _ROOTS_GROUPS:
        return True
    try:
        found, name = grp.getgrgid(group), pwd.getpwuid(owner).pw_name
    except KeyError:
        return group == owner
    return found.gr_name == name and set(found.gr_mem) <= {name}


def user_name(user: int) -> str:
    """A user's name; the number where the system knows none, as in many containers."""
    import pwd

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _group_name(group: int) -> str:
    import grp

    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)
