"""Windows jobs: whether a server still sits in the job of the terminal that started it, and may end with it.

A closed terminal, an editor or a build server end their job with all that is in it. A server that could not break
away looks well until then, so `status` asks.
"""

from __future__ import annotations

import sys
from typing import Any

_QUERY = 0x1000  # PROCESS_QUERY_LIMITED_INFORMATION

STILL_IN_JOB = (
    "The server still sits in the job of the program that started it, and may end with that. "
    "Start it from another terminal, or register it: invoke production-mode --install"
)


def confined(pid: int, kernel: Any = None) -> bool | None:
    """Whether a process is in any job; None where that is no question, or cannot be told.

    Ask for the process that was started, not for the one that serves: an environment's launcher puts that one into
    a job of its own.
    """
    if kernel is None:
        if sys.platform != "win32":
            return None
        import ctypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    from ctypes import byref, c_int

    process = kernel.OpenProcess(_QUERY, 0, pid)
    if not process:
        return None
    answer = c_int()
    try:
        return bool(answer.value) if kernel.IsProcessInJob(process, None, byref(answer)) else None
    finally:
        kernel.CloseHandle(process)
