"""Consoles of Windows: Ctrl+Break pressed on another program's, which asks it to stop; our own, when it is closed.

Ctrl+C is switched off in a process group of its own, Ctrl+Break is not, and uvicorn ends cleanly on it. A process can
be attached to one console only, so a helper presses it: our own console stays ours. Run as a script: `python -I
console.py PID`, exit code 0 when the key was pressed.
https://learn.microsoft.com/en-us/windows/console/generateconsolectrlevent
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

_CTRL_BREAK = 1
_CLOSING = frozenset({2, 5, 6})  # the console is closed, the person logs off, the machine goes down
_LIMIT = 5.0  # seconds
_kept: list[Any] = []  # what the system may call until this process ends


def press_break(group: int) -> bool:
    """Press Ctrl+Break for a process group, named by the pid it was created with; False where that failed."""
    from clinic import proc  # the helper must not need it

    return proc.run([sys.executable, "-I", Path(__file__), str(group)], timeout=_LIMIT).ok


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


def _press_break(group: int) -> bool:
    if sys.platform != "win32":
        return False
    import ctypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.FreeConsole()
    return bool(kernel.AttachConsole(group)) and bool(kernel.GenerateConsoleCtrlEvent(_CTRL_BREAK, group))


if __name__ == "__main__":
    sys.exit(0 if len(sys.argv) == 2 and _press_break(int(sys.argv[1])) else 1)  # noqa: PLR2004
