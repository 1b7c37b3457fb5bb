"""Keys pressed on another program's console, which is how Windows asks a console program to stop.

Ctrl+Break is for the server: Ctrl+C is switched off in a process group of its own, Ctrl+Break is not, and uvicorn
ends cleanly on it. Ctrl+C is for a monitor that a person would stop by it. A process can be attached to one console
only, so a helper does it: our own console stays ours. Run as a script: `python -I console.py break|ctrl-c PID`, exit
code 0 when the key was pressed.
https://learn.microsoft.com/en-us/windows/console/generateconsolectrlevent
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

_CTRL_C, _CTRL_BREAK = 0, 1
_CLOSING = frozenset({2, 5, 6})  # the console is closed, the person logs off, the machine goes down
_LIMIT = 5.0  # seconds
_kept: list[Any] = []  # what the system may call until this process ends


def press_break(group: int) -> bool:
    """Press Ctrl+Break for a process group, named by the pid it was created with; False where that failed."""
    return _by_helper("break", group)


def press_ctrl_c(pid: int) -> bool:
    """Press Ctrl+C for every program on the console of a process; False where that failed.

    A program in a process group of its own does not hear it, unless it switched Ctrl+C on again.
    """
    return _by_helper("ctrl-c", pid)


def _by_helper(key: str, pid: int) -> bool:
    from clinic import proc  # the helper must not need it

    return proc.run([sys.executable, "-I", Path(__file__), key, str(pid)], timeout=_LIMIT).ok


def hold_close(asked: Callable[[], None], over: threading.Event, kernel: Any = None, wrap: Any = None) -> None:
    """Hear that our console is being closed, and hold it back until `over` is set; the system allows 5 seconds.

    Python's own handler returns at once, and with it Windows ends the process.
    """

    def handler(event: int) -> bool:
        if event not in _CLOSING:
            return False  # Ctrl+C and Ctrl+Break are Python's
        asked()
        over.wait(_LIMIT)
        return True

    if kernel is None:
        if sys.platform != "win32":
            return
        import ctypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        wrap = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint)
    _kept.append(wrap(handler))
    kernel.SetConsoleCtrlHandler(_kept[-1], 1)


def _press(key: str, pid: int) -> bool:
    if sys.platform != "win32":
        return False
    import ctypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.FreeConsole()
    if not kernel.AttachConsole(pid):
        return False
    if key == "break":
        return bool(kernel.GenerateConsoleCtrlEvent(_CTRL_BREAK, pid))
    kernel.SetConsoleCtrlHandler(None, 1)  # the helper is on that console too, and must live to say how it went
    # Ctrl+C cannot be sent to one process group: 0 means all that share the console.
    return bool(kernel.GenerateConsoleCtrlEvent(_CTRL_C, 0))


if __name__ == "__main__":
    sys.exit(0 if len(sys.argv) == 3 and _press(sys.argv[1], int(sys.argv[2])) else 1)  # noqa: PLR2004
