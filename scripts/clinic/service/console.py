"""The graceful stop on Windows: Ctrl+Break on the server's own, invisible console.

Signals do not exist there, and Ctrl+C is switched off in a process group of its own; Ctrl+Break is not, and
uvicorn ends cleanly on it. A process can be attached to one console only, so a helper does it: our own
console stays ours. Run as a script: `python -I console.py PID`, exit code 0 when the key was pressed.
"""

from __future__ import annotations

import sys
from pathlib import Path

_CTRL_BREAK = 1
_LIMIT = 5.0  # seconds


def press_break(group: int) -> bool:
    """Press Ctrl+Break for a process group, named by the pid it was created with; False where that failed."""
    from clinic import proc  # the helper must not need it

    return proc.run([sys.executable, "-I", Path(__file__), str(group)], timeout=_LIMIT).ok


def _press(group: int) -> bool:
    if sys.platform != "win32":
        return False
    import ctypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.FreeConsole()
    return bool(kernel.AttachConsole(group)) and bool(kernel.GenerateConsoleCtrlEvent(_CTRL_BREAK, group))


if __name__ == "__main__":
    sys.exit(0 if len(sys.argv) > 1 and _press(int(sys.argv[1])) else 1)
