"""Who runs from a folder: Windows renames none whose programs run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from toolshed.trouble import AGAIN, REFUSED, Trouble

QUERY = 0x1000  # PROCESS_QUERY_LIMITED_INFORMATION
MOST = 65536  # processes
LONGEST = 32768  # characters of a path


def refuse_in_use(folder: Path, kernel: Any = None) -> None:
    """Refuse, before anything is touched, where a program of this folder runs. Only Windows has it in the way."""
    if kernel is None:
        if sys.platform != "win32":
            return
        import ctypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = ctypes.c_void_p
    found = running_from(folder, kernel)
    if not found:
        return
    pids = " ".join(f"/PID {pid}" for pid, _program in found)
    hint = f"end it (a monitor: invoke keep-alive --stop; any other: taskkill /F {pids}); then: {AGAIN}"
    if os.getppid() in dict(found):
        hint = r"start it with another python: py -3 scripts\bootstrap.py"
    names = ", ".join(f"process {pid} ({program})" for pid, program in found)
    raise Trouble("tools-in-use", f"{names} runs from {folder}. Nothing was touched", hint, exit_code=REFUSED)


def running_from(folder: Path, kernel: Any) -> list[tuple[int, str]]:
    """List the processes whose program lies in a folder, with the program."""
    from ctypes import byref, c_uint32, c_void_p, create_unicode_buffer, sizeof

    pids, filled = (c_uint32 * MOST)(), c_uint32()
    kernel.K32EnumProcesses(byref(pids), sizeof(pids), byref(filled))
    found = []
    for pid in pids[: filled.value // sizeof(c_uint32)]:
        opened = kernel.OpenProcess(QUERY, 0, pid)
        if not opened:
            continue  # it has ended, or is the system's
        process = c_void_p(opened)
        program, size = create_unicode_buffer(LONGEST), c_uint32(LONGEST)
        if kernel.QueryFullProcessImageNameW(process, 0, program, byref(size)):
            found.append((pid, program.value))
        kernel.CloseHandle(process)
    place = os.path.normcase(folder)
    return [(pid, program) for pid, program in found if os.path.normcase(program).startswith(place + os.sep)]
