"""`.pth` files: what site.py makes of each line, and what it said where a line failed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

LIMIT = 1024 * 1024
_FAILED = re.compile(r"^Error processing line (\d+) of (.+\.pth):$")


def folders(text: str) -> Iterator[str]:
    """The lines that name a folder; imports, comments and blank lines left out (as site.addpackage reads them)."""
    for line in text.splitlines():
        if line.strip() and not line.startswith(("#", "import ", "import\t")):
            yield line.rstrip()


def decoded(data: bytes) -> str | None:
    """The text as an interpreter reads it in a UTF-8 locale; None where that raises, and ends its start."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def dead_lines(site: Path, text: str) -> list[str]:
    """Folders that are not there. A name without a separator may be meant for another day: only paths count."""
    return [line for line in folders(text) if _is_gone(site, line)]


def _is_gone(site: Path, line: str) -> bool:
    try:
        return not os.path.exists(os.path.join(site, line))  # noqa: PTH110, PTH118 - never raises; keeps odd text
    except ValueError:
        return True


def failed(stderr: str) -> dict[str, tuple[int, str]]:
    """Each `.pth` that site.py complained of: the number of the line, and the error's own last line."""
    found: dict[str, tuple[int, str]] = {}
    lines = stderr.splitlines()
    for at, line in enumerate(lines):
        if match := _FAILED.match(line):
            found[match[2]] = int(match[1]), _last_of_traceback(lines[at + 1 :])
    return found


def _last_of_traceback(lines: list[str]) -> str:
    last = ""
    for line in lines:
        if line.startswith("Remainder of file ignored") or (last and not line.strip()):
            break
        last = line.strip() or last
    return last
