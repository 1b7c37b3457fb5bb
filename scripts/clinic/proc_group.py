"""The group of one short-lived program: what it starts ends with it.

POSIX: the process group of a session of its own. Windows: a job object; a process may leave it only by asking for that
(CREATE_BREAKAWAY_FROM_JOB), as the server does that `start` leaves running.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import Any

CREATE_SUSPENDED = 0x00000004
_EXTENDED_LIMITS = 9  # JobObjectExtendedLimitInformation
_KILL_ON_JOB_CLOSE, _BREAKAWAY_OK = 0x2000, 0x0800
# PROCESS_TERMINATE and PROCESS_SET_QUOTA for AssignProcessToJobObject, PROCESS_SUSPEND_RESUME for NtResumeProcess.
_ACCESS = 0x0001 | 0x0100 | 0x0800


class Group:
    """The group of a program that is about to be started.

    `creation_flags` are Popen's. On Windows the program is started suspended, so that it cannot start another one
    before it is in the job; `take` lets it run.
    """

    def __init__(self, *, windows: bool = os.name == "nt", kernel: Any = None, ntdll: Any = None) -> None:
        self.creation_flags = CREATE_SUSPENDED if windows else 0
        self._kernel, self._ntdll, self._job, self._pid = kernel, ntdll, None, 0
        if windows:
            self._kernel, self._ntdll = kernel or _library("kernel32"), ntdll or _library("ntdll")
            self._job = _new_job(self._kernel)

    def take(self, pid: int) -> None:
        """Put the program that was started into the group."""
        self._pid = pid
        if self._job is None:
            return  # it leads its own session since it exists
        process = self._kernel.OpenProcess(_ACCESS, False, pid)  # noqa: FBT003 - bInheritHandle
        self._kernel.AssignProcessToJobObject(self._job, process)
        self._ntdll.NtResumeProcess(process)
        self._kernel.CloseHandle(process)

    def end(self) -> None:
        """End whatever is left of the group."""
        if self._job is not None:
            self._kernel.TerminateJobObject(self._job, 1)
            self._kernel.CloseHandle(self._job)
        elif self._pid:
            # Its number is not given away again as long as the group has a member; an empty one is no process.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)


def _library(name: str) -> Any:  # pragma: no cover - Windows
    import ctypes
    from ctypes import c_int, c_uint32, c_void_p

    if sys.platform != "win32":
        raise OSError(f"{name} is a library of Windows")
    library = ctypes.WinDLL(name)
    if name == "ntdll":
        library.NtResumeProcess.argtypes = [c_void_p]
        return library
    library.CreateJobObjectW.argtypes, library.CreateJobObjectW.restype = [c_void_p, c_void_p], c_void_p
    library.OpenProcess.argtypes, library.OpenProcess.restype = [c_uint32, c_int, c_uint32], c_void_p
    library.SetInformationJobObject.argtypes = [c_void_p, c_int, c_void_p, c_uint32]
    library.AssignProcessToJobObject.argtypes = [c_void_p, c_void_p]
    library.TerminateJobObject.argtypes = [c_void_p, c_uint32]
    library.CloseHandle.argtypes = [c_void_p]
    return library


def _new_job(kernel: Any) -> Any:
    """A job whose members end with us, should we be killed."""
    from ctypes import byref, sizeof

    job, limits = kernel.CreateJobObjectW(None, None), _limits()
    kernel.SetInformationJobObject(job, _EXTENDED_LIMITS, byref(limits), sizeof(limits))
    return job


def _limits() -> Any:
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION (winnt.h) with the two flags set."""
    from ctypes import Structure, c_int64, c_size_t, c_uint32, c_uint64

    class Limits(Structure):
        _fields_ = (
            ("PerProcessUserTimeLimit", c_int64),
            ("PerJobUserTimeLimit", c_int64),
            ("LimitFlags", c_uint32),
            ("MinimumWorkingSetSize", c_size_t),
            ("MaximumWorkingSetSize", c_size_t),
            ("ActiveProcessLimit", c_uint32),
            ("Affinity", c_size_t),
            ("PriorityClass", c_uint32),
            ("SchedulingClass", c_uint32),
            ("IoInfo", c_uint64 * 6),
            ("ProcessMemoryLimit", c_size_t),
            ("JobMemoryLimit", c_size_t),
            ("PeakProcessMemoryUsed", c_size_t),
            ("PeakJobMemoryUsed", c_size_t),
        )

    return Limits(LimitFlags=_KILL_ON_JOB_CLOSE | _BREAKAWAY_OK)
