"""A console of Windows with a program in it: Ctrl+C is pressed on it, it is closed. Run as a process of its own.

    python console_host.py [--below N] [--closable] OUTPUT -- PROGRAM ARGUMENT...

It is the Windows side of `actors.py`, with the same commands and events. Commands come on stdin, one a line: `ctrl-c`
and `close`; the end of stdin closes it too. Events go to stdout, one JSON object a line: `shell` (the console is
open), `ended` (the program's exit code, and the processes attached to the console then), `closed` (whether the process
on the console ended with it), `unavailable` (why this machine can't do it). OUTPUT is the file that takes what the
program writes.

Everything runs in one job that ends all its processes when this one ends, as terminals, editors and build servers have
it; programs may break away from it. `--below` puts as many processes of the same job above the console. `--closable`
takes a pseudo console (ConPTY) in place of the console of this process, which no API closes.
https://learn.microsoft.com/en-us/windows/win32/procthread/job-objects
https://learn.microsoft.com/en-us/windows/console/creating-a-pseudoconsole-session

Standard library only.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
from ctypes import wintypes
from typing import Any

_CTRL_C = 0
_EXTENDED_LIMITS = 9  # JobObjectExtendedLimitInformation
_BREAKAWAY_OK, _KILL_ON_JOB_CLOSE = 0x800, 0x2000
_PSEUDO_CONSOLE = 0x20016  # PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE
_EXTENDED_STARTUP = 0x80000  # EXTENDED_STARTUPINFO_PRESENT
_USE_STREAMS = 0x100  # STARTF_USESTDHANDLES
_SIZE = 25 << 16 | 80  # rows and columns
_GREETING = "attached-to-the-pseudo-console"
_PATIENCE = 10.0  # seconds for the greeting to arrive, and for the close to be obeyed


class _BasicLimits(ctypes.Structure):
    _fields_ = (
        ("process_time", ctypes.c_int64),
        ("job_time", ctypes.c_int64),
        ("flags", wintypes.DWORD),
        ("working_set_least", ctypes.c_size_t),
        ("working_set_most", ctypes.c_size_t),
        ("active_processes", wintypes.DWORD),
        ("affinity", ctypes.c_size_t),
        ("priority", wintypes.DWORD),
        ("scheduling", wintypes.DWORD),
    )


class _ExtendedLimits(ctypes.Structure):
    _fields_ = (("basic", _BasicLimits), ("io", ctypes.c_uint64 * 6), ("memory", ctypes.c_size_t * 4))


class _StartupInfo(ctypes.Structure):
    _fields_ = (
        ("size", wintypes.DWORD),
        ("names", wintypes.LPWSTR * 3),
        ("geometry", wintypes.DWORD * 7),
        ("flags", wintypes.DWORD),
        ("show", wintypes.WORD),
        ("reserved_size", wintypes.WORD),
        ("reserved", ctypes.c_void_p),
        ("streams", wintypes.HANDLE * 3),
        ("attributes", ctypes.c_void_p),
    )


class _ProcessInformation(ctypes.Structure):
    _fields_ = (
        ("process", wintypes.HANDLE),
        ("thread", wintypes.HANDLE),
        ("pid", wintypes.DWORD),
        ("thread_id", wintypes.DWORD),
    )


def tell(event: str, **what: object) -> None:
    """Write one event; one write, so that lines of several processes do not mix."""
    os.write(1, (json.dumps({"event": event, **what}) + "\n").encode("ascii"))


def checked(succeeded: object, function: str) -> None:
    """Raise OSError for a function that failed."""
    if not succeeded and sys.platform == "win32":
        raise OSError(f"{function} failed with error {ctypes.get_last_error()}")


def enter_job(kernel: Any) -> None:
    """Enter a job that ends with this process: the system closes its only handle."""
    kernel.CreateJobObjectW.restype = wintypes.HANDLE
    job = wintypes.HANDLE(kernel.CreateJobObjectW(None, None))
    checked(job, "CreateJobObject")
    limits = _ExtendedLimits()
    limits.basic.flags = _KILL_ON_JOB_CLOSE | _BREAKAWAY_OK
    size = ctypes.sizeof(limits)
    checked(
        kernel.SetInformationJobObject(job, _EXTENDED_LIMITS, ctypes.byref(limits), size), "SetInformationJobObject"
    )
    this_process = wintypes.HANDLE(-1)
    checked(kernel.AssignProcessToJobObject(job, this_process), "AssignProcessToJobObject")


def attached(kernel: Any) -> list[int]:
    """Return the processes attached to the console of this process."""
    pids = (wintypes.DWORD * 1024)()
    return list(pids[: kernel.GetConsoleProcessList(pids, len(pids))])


def play(kernel: Any, program: list[str], output: str) -> None:
    """Run a program on the console of this process, until the console is closed."""
    # What a process group of its own, or `start /b`, switched off is inherited; a terminal's programs have it on.
    kernel.SetConsoleCtrlHandler(None, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tell("shell", pid=os.getpid())
    with open(output, "ab") as shown:  # noqa: PTH123 - a path that is only passed on
        running = subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=shown, stderr=subprocess.STDOUT)
    report = threading.Thread(target=lambda: tell("ended", code=running.wait(), console=attached(kernel)), daemon=True)
    report.start()
    for line in sys.stdin:
        if line.strip() == "close":
            break
        kernel.GenerateConsoleCtrlEvent(_CTRL_C, 0)  # 0: all that are attached to the console


class PseudoConsole:
    """A console without a window, which can be closed. Raises OSError if the system has none."""

    def __init__(self, kernel: Any) -> None:
        if not hasattr(kernel, "CreatePseudoConsole"):
            raise OSError("this Windows has no pseudo consoles (they came with Windows 10 1809)")
        self._kernel = kernel
        self._console = ctypes.c_void_p()
        self._keyboard, self._screen = _pipe(kernel), _pipe(kernel)
        ends = (self._keyboard[0], self._screen[1])
        result = kernel.CreatePseudoConsole(_SIZE, *ends, 0, ctypes.byref(self._console))
        if result:
            raise OSError(f"CreatePseudoConsole failed with {result & 0xFFFFFFFF:#010x}")
        for end in ends:
            kernel.CloseHandle(end)
        self.greeted = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        """Read what it shows: one that is not read would never close."""
        shown, part, count = b"", ctypes.create_string_buffer(4096), wintypes.DWORD()
        while self._kernel.ReadFile(self._screen[0], part, len(part), ctypes.byref(count), None) and count.value:
            shown += part.raw[: count.value]
            if _GREETING.encode() in shown:
                self.greeted.set()

    def start(self, words: list[str], stdin: int) -> Any:
        """Start a program that is attached to it, and return its handle. `subprocess` can't."""
        attributes = self._attributes()
        startup, started = _StartupInfo(), _ProcessInformation()
        startup.size = ctypes.sizeof(startup)
        startup.flags = _USE_STREAMS
        startup.streams[:] = [_inheritable(number) for number in (stdin, 1, 2)]
        startup.attributes = ctypes.cast(attributes, ctypes.c_void_p)
        line = ctypes.create_unicode_buffer(subprocess.list2cmdline(words))
        pointers = (None, line, None, None, 1, _EXTENDED_STARTUP, None, None)
        created = self._kernel.CreateProcessW(*pointers, ctypes.byref(startup), ctypes.byref(started))
        checked(created, "CreateProcess")
        return wintypes.HANDLE(started.process)

    def _attributes(self) -> Any:
        size = ctypes.c_size_t()
        self._kernel.InitializeProcThreadAttributeList(None, 1, 0, ctypes.byref(size))  # asks for the size
        attributes = ctypes.create_string_buffer(size.value)
        initialized = self._kernel.InitializeProcThreadAttributeList(attributes, 1, 0, ctypes.byref(size))
        checked(initialized, "InitializeProcThreadAttributeList")
        value = (ctypes.c_size_t(_PSEUDO_CONSOLE), self._console, ctypes.c_size_t(ctypes.sizeof(self._console)))
        updated = self._kernel.UpdateProcThreadAttribute(attributes, 0, *value, None, None)
        checked(updated, "UpdateProcThreadAttribute")
        return attributes

    def close(self) -> None:
        """Close it, as the X of its window does: its programs are told, then ended."""
        self._kernel.ClosePseudoConsole(self._console)


def _pipe(kernel: Any) -> tuple[wintypes.HANDLE, wintypes.HANDLE]:
    reads, writes = wintypes.HANDLE(), wintypes.HANDLE()
    checked(kernel.CreatePipe(ctypes.byref(reads), ctypes.byref(writes), None, 0), "CreatePipe")
    return reads, writes


def _inheritable(descriptor: int) -> int:
    if sys.platform != "win32":
        return descriptor
    import msvcrt

    handle = msvcrt.get_osfhandle(descriptor)
    os.set_handle_inheritable(handle, True)  # noqa: FBT003
    return handle


def play_closable(kernel: Any, program: list[str], output: str) -> None:
    """Run a program on a pseudo console, and close that."""
    console = PseudoConsole(kernel)
    inner_stdin, feed = os.pipe()
    shell = console.start(_again(["--greet"], program, output), inner_stdin)
    for line in sys.stdin:
        if line.strip() == "close":
            break
        os.write(feed, line.encode("ascii"))
    if not console.greeted.wait(_PATIENCE):
        raise OSError("a program that is started on a pseudo console does not get it as its console")
    console.close()
    tell("closed", reached=kernel.WaitForSingleObject(shell, int(_PATIENCE * 1000)) == 0)


def _again(flags: list[str], program: list[str], output: str) -> list[str]:
    return [sys.executable, "-I", __file__, *flags, output, "--", *program]


def main(words: list[str], kernel: Any) -> None:
    """Play."""
    at = words.index("--")
    *flags, output = words[:at]
    program = words[at + 1 :]
    levels = int(flags[flags.index("--below") + 1]) if "--below" in flags else 0
    if "--greet" in flags:
        with open("CONOUT$", "w", encoding="ascii") as console:  # noqa: PTH123 - a device
            console.write(_GREETING)
    elif "--inside" not in flags:
        enter_job(kernel)
    if levels:
        inner = _again(["--inside", "--below", str(levels - 1)], program, output)
        subprocess.Popen(inner, stdin=0, stdout=1, stderr=2).wait()
    elif "--closable" in flags:
        play_closable(kernel, program, output)
    else:
        play(kernel, program, output)


if __name__ == "__main__" and sys.platform == "win32":
    try:
        main(sys.argv[1:], ctypes.WinDLL("kernel32", use_last_error=True))
    except OSError as error:
        tell("unavailable", why=str(error))
