"""What a thing on disk is, well enough to know later whether it is still that thing."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self, get_args

Kind = Literal["file", "folder", "link", "other"]


@dataclass(frozen=True)
class Identity:
    """One entry of a folder.

    Of what was moved: device and inode, and of a file size and time of change as well (an inode's number is used
    again once it is free). Of a file that was written: its content; of a link: its text.
    """

    kind: Kind
    device: int = 0
    inode: int = 0
    size: int = 0
    modified: int = 0
    text: str = ""
    sha256: str = ""

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """What is at a path, links not followed; None if nothing is there or we may not look."""
        try:
            status = path.lstat()
            kind = _kind(status.st_mode)
            text = str(path.readlink()) if kind == "link" else ""
        except (OSError, ValueError):
            return None
        size = status.st_size if kind == "file" else 0
        return cls(kind, status.st_dev, status.st_ino, size, status.st_mtime_ns, text)

    @classmethod
    def of_content(cls, data: bytes) -> Self:
        """A file that holds this."""
        return cls("file", size=len(data), sha256=_digest(data))

    def is_at(self, path: Path) -> bool:
        """Whether this very thing is at a path.

        A copy that kept the times counts: a project that was moved to another disk keeps its repairs.
        """
        seen = Identity.of(path)
        if seen is None or seen.kind != self.kind:
            return False
        if self.kind == "link":
            return seen.text == self.text
        if self.sha256:
            return seen.size == self.size and _holds(path, self.sha256)
        same_place = (seen.device, seen.inode) == (self.device, self.inode)
        if self.kind == "file":
            return (seen.size, seen.modified) == (self.size, self.modified)
        return same_place or seen.modified == self.modified

    def as_json(self) -> dict[str, Any]:
        """As a receipt has it: what says nothing is left out."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name))}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """As it was written down. Raises ValueError, KeyError or TypeError if it is none."""
        wanted = {"kind": str, "device": int, "inode": int, "size": int, "modified": int, "text": str, "sha256": str}
        if stored["kind"] not in get_args(Kind) or any(type(value) is not wanted[key] for key, value in stored.items()):
            raise ValueError(stored)
        return cls(**stored)


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    return "folder" if stat.S_ISDIR(mode) else "link" if stat.S_ISLNK(mode) else "other"


def _digest(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _holds(path: Path, sha256: str) -> bool:
    import hashlib

    try:
        with open(path, "rb", opener=_unfollowed) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _unfollowed(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))
