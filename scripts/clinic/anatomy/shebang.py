"""Which interpreter a script names: in its first line, behind `#!/bin/sh`, or inside a Windows launcher.

Sources: pip's distlib, uv 0.13 (measured, facts: interpreters.md section 5): a path with a blank, or one that is longer
than the kernel takes, goes behind `'''exec'`, in double quotes by pip and in single ones by uv.
"""

from __future__ import annotations

import re
from pathlib import Path

HEAD = 2048
_EXEC = re.compile(rb"'''exec' (?:\"(?P<double>[^\"\n]+)\"|'(?P<single>[^'\n]+)'|(?P<bare>[^\s\"']+)) ")


def interpreter_named(data: bytes) -> str:
    """The python that a script starts with; empty where it names none by its path (`env`, a shell, a relative one)."""
    if data.startswith(b"MZ"):
        return _in_launcher(data)
    if not data.startswith(b"#!"):
        return ""
    first, _, rest = data.partition(b"\n")
    words = _text(first[2:]).strip()
    if _plain(words) in {"sh", "bash"} and (match := _EXEC.match(rest)):
        words = _text(match["double"] or match["single"] or match["bare"])
        return words if _is_python(words) else ""
    # Blanks in the path itself do not work, and options behind it do: the path ends at the first of them.
    told = words.split(" -")[0].strip()
    return told if _is_python(told) else ""


def _plain(path: str) -> str:
    return re.split(r"[/\\]", path)[-1]


def _is_python(path: str) -> bool:
    is_absolute = path.startswith("/") or re.match(r"[A-Za-z]:[/\\]", path) is not None
    return is_absolute and re.match(r"(?:python|pypy)", _plain(path)) is not None and "$(" not in path


def _in_launcher(data: bytes) -> str:
    """A launcher of distlib: a program, `#!` and the path, and a zip file with the script (uv's are not read)."""
    at = data.rfind(b"#!", 0, _last_zip(data))
    line = data[at + 2 : at + 2 + HEAD].partition(b"\n")[0] if at >= 0 else b""
    told = _text(line).strip().strip('"')
    return told if _is_python(told) else ""


def _last_zip(data: bytes) -> int:
    found = data.rfind(b"PK\x03\x04")
    return max(found, 0)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape").rstrip("\r")


def is_of(interpreter: str, scripts: Path) -> bool:
    """Whether an interpreter lies in that folder, by spelling or by where the folder really is."""
    import os

    folder = os.path.dirname(interpreter)  # noqa: PTH120 - a Windows path may be judged here
    if os.path.normcase(os.path.normpath(folder)) == os.path.normcase(os.path.normpath(scripts)):
        return True
    try:
        return os.path.samefile(folder, scripts)  # noqa: PTH121
    except (OSError, ValueError):
        return False
