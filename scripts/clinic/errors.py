"""The one error family: a code to search for, the reason, and the command to type next.

This module imports nothing of the clinic, so that every room may raise from it.
"""

from __future__ import annotations

import errno
from typing import ClassVar, Literal


class ClinicError(Exception):
    """An expected failure that a person can act upon.

    `code` is kebab-case and stable, `message` is the reason in one or two sentences, `hint` is what to type or do
    next. `exit_code` and `outcome` are the contract's words for this kind of failure.
    """

    exit_code: ClassVar[int] = 1
    outcome: ClassVar[Literal["failed", "refused", "busy"]] = "failed"

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def as_json(self) -> dict[str, str]:
        """The error as the envelope of the contract shows it."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


class FailedError(ClinicError):
    """Tried, did not hold, and was put back."""


class RefusedError(ClinicError):
    """Not tried, because it is misused, unsafe, or cannot be proved; nothing was touched."""

    exit_code = 2
    outcome: ClassVar[Literal["failed", "refused", "busy"]] = "refused"


class MachineError(RefusedError):
    """This machine fails or refuses: a full disk, no descriptors, no permission. Nothing another repair gets round."""


class BusyError(ClinicError):
    """Another run holds the lock."""

    exit_code = 4
    outcome: ClassVar[Literal["failed", "refused", "busy"]] = "busy"


_DISK_FULL = ("disk-full", "the disk is full", "free some space, then try again")
_BROKEN = ("disk-error", "the disk or its connection fails", "look at the disk and at the system's log")
_DENIED = ("not-writable", "this user may not do that", "invoke diagnose")
_FILES = ("too-many-files", "no more files can be opened", "close programs, or raise the limit: ulimit -n 1024")
_MEMORY = ("no-memory", "there is not enough memory", "close programs, or raise the limit: ulimit -v unlimited")
_PROCESSES = ("no-processes", "no more processes or threads can be started", "close programs, or raise: ulimit -u 1024")
_NO_TEMP = ("no-temp-folder", "there is no temporary folder to write to", "set TMPDIR to a folder that can be written")
_IN_USE = ("file-in-use", "another program has it open", "end the program that has it open, then try again")

_ELSEWHERE = "move it away, or set another path in invoke.yaml"

OPEN_ELSEWHERE = frozenset({32, 33})
"""Windows: ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION."""

# Errors that say something of this machine, and nothing of an environment or of the suite.
_OF_THE_MACHINE: dict[int, tuple[str, str, str]] = {
    errno.ENOSPC: _DISK_FULL,
    errno.EDQUOT: ("disk-full", "the disk quota is used up", "free some space, then try again"),
    errno.EIO: _BROKEN,
    errno.ESTALE: _BROKEN,
    getattr(errno, "ENOTCONN", errno.EIO): _BROKEN,  # a FUSE file system whose program has ended
    getattr(errno, "EUCLEAN", errno.EIO): _BROKEN,  # damaged: ext4, XFS, btrfs
    getattr(errno, "EBADMSG", errno.EIO): _BROKEN,  # damaged: a wrong checksum
    errno.EFBIG: ("file-too-large", "files may not be that large here", "raise the limit: ulimit -f unlimited"),
    errno.ENODEV: _BROKEN,
    errno.EROFS: ("disk-read-only", "the file system is read-only", "make it writable, then try again"),
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
    errno.ENOMEM: _MEMORY,
    errno.EAGAIN: _PROCESSES,
    errno.ENAMETOOLONG: ("path-too-long", "the path is too long", "use a shorter path"),
    errno.EBUSY: _IN_USE,
    errno.ETXTBSY: _IN_USE,
    errno.ENOTDIR: ("in-the-way", "a file is where a folder must be", _ELSEWHERE),
    errno.EISDIR: ("in-the-way", "a folder is where a file must be", _ELSEWHERE),
    errno.ENXIO: ("in-the-way", "a pipe or device is where a file must be", _ELSEWHERE),
    errno.ELOOP: ("in-the-way", "a link is where a file or folder of ours must be", _ELSEWHERE),
}
_MEANS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})


def lacks_means(error: OSError) -> bool:
    """Whether a program could not be started for want of descriptors, memory or processes, whatever program it was."""
    return error.errno in _MEANS


def of_the_machine(error: BaseException, told: str = "") -> MachineError | None:
    """What to say of an error by which this machine fails or refuses; None where it is something else.

    The one translation of the system's errors. `told` is what the caller knows of the state of things.
    """
    found = _named(error)
    if found is None:
        return None
    code, what, hint = found
    place = getattr(error, "filename", None)
    said = getattr(error, "strerror", None)
    message = f"{place}: {what}" if place else f"{what[0].upper()}{what[1:]}"
    detail = f" ({said})" if said and code != "no-temp-folder" else ""
    return MachineError(code, f"{message}{detail}. {told}".strip(), hint)


def _named(error: BaseException) -> tuple[str, str, str] | None:
    if isinstance(error, MemoryError):
        return _MEMORY
    if isinstance(error, RuntimeError) and str(error).startswith("can't start new thread"):  # CPython's threadmodule.c
        return _PROCESSES
    if not isinstance(error, OSError):
        return None
    if isinstance(error, FileNotFoundError) and str(error.strerror).startswith("No usable temporary directory"):
        return _NO_TEMP  # tempfile.py's own text, in no other language
    if getattr(error, "winerror", None) in OPEN_ELSEWHERE:
        return _IN_USE
    return _OF_THE_MACHINE.get(error.errno or 0)
