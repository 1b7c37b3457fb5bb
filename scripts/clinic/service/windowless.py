"""Which interpreter serves in which mode: in production on Windows one that opens no window."""

from __future__ import annotations

import os
import re
from pathlib import Path

PRODUCTION, DEBUG = "production", "debug"
_NO_PYTHONW = "There is no pythonw.exe in {folder}: python.exe serves, started with no window."
# pythonw.exe, pythonw3.exe, pythonw3.14t.exe: whichever the environment has, the plainest first.
_PYTHONW = re.compile(r"pythonw(\d+(\.\d+)?t?)?\.exe", re.IGNORECASE)


def choose(python: Path, mode: str, *, windows: bool = os.name == "nt") -> tuple[Path, str]:
    """Return the interpreter to start with and, where that is not what one would expect, a note."""
    if not windows or mode != PRODUCTION:
        return python, ""
    try:
        names = sorted((name for name in os.listdir(python.parent) if _PYTHONW.fullmatch(name)), key=len)  # noqa: PTH208
    except OSError:
        names = []
    if not names:
        return python, _NO_PYTHONW.format(folder=python.parent)
    return python.with_name(names[0]), ""
