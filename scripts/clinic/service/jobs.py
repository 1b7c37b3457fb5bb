"""Windows jobs: whether a server would end with the job of the terminal that started it.

A closed terminal, an editor or a build server end their job with all that is in it. A server that could not break
away looks well until then, so `status` says so. Other jobs only count and limit: only one that kills its members
when its last handle is closed is meant. A job tells its limits to its members only, so that a program that is started
just as the server was has to ask: this file as a script, exit code 1 where it ends with its job.
https://learn.microsoft.com/en-us/windows/win32/procthread/job-objects
https://learn.microsoft.com/en-us/windows/win32/api/jobapi2/nf-jobapi2-queryinformationjobobject
"""

from __future__ import annotations

import sys
from typing import Any

_QUERY = 0x0400  # PROCESS_QUERY_INFORMATION
_EXTENDED_LIMITS = 9  # JobObjectExtendedLimitInformation
_KILL_ON_JOB_CLOSE = 0x2000

ENDS_WITH_JOB = (
    "The server sits in the job of the program that started it, and ends with that. "
    "Start it from another terminal, or register it: invoke production-mode --install"
)


def confined(pid: int, kernel: Any = None) -> bool | None:
    """Whether a process is in any job; None where that is no question, or cannot be told.

    Ask for the process that was started, not for the one that serves: an environment's launcher puts that one into
    a job of its own.
    """
    kernel = kernel or _kernel()
    if kernel is None:
        return None
    from ctypes import byref, c_int

    process = kernel.OpenProcess(_QUERY, 0, pid)
    if not process:
        return None
    answer = c_int()
    try:
        return bool(answer.value) if kernel.IsProcessInJob(process, None, byref(answer)) else None
    finally:
        kernel.CloseHandle(process)


def kills_us(kernel: Any = None) -> bool:
    """Whether our own job, the innermost where there are several, ends its members when it is closed."""
    kernel = kernel or _kernel()
    if kernel is None:
        return False
    from ctypes import Structure, byref, c_int64, c_size_t, c_uint32, c_uint64, sizeof

    class Limits(Structure):
        """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

        _fields_ = (
            ("times", c_int64 * 2),
            ("flags", c_uint32),
            ("sizes", c_size_t * 2),
            ("processes", c_uint32),
            ("affinity", c_size_t),
            ("classes", c_uint32 * 2),
            ("counters", c_uint64 * 6),
            ("memory", c_size_t * 4),
        )

    limits = Limits()
    told = kernel.QueryInformationJobObject(None, _EXTENDED_LIMITS, byref(limits), sizeof(limits), None)
    return bool(told) and bool(limits.flags & _KILL_ON_JOB_CLOSE)


def _kernel() -> Any:
    if sys.platform != "win32":
        return None
    import ctypes

    return ctypes.WinDLL("kernel32", use_last_error=True)


if __name__ == "__main__":
    sys.exit(int(kills_us()))
