"""Which interpreter a script names: in its first line, behind `#!/bin/sh`, or inside a Windows launcher.

Sources: pip's distlib, uv 0.13 (measured): a path with a blank, or one that is longer
than the kernel takes, goes behind `'''exec'`, in double quotes by pip and in single ones by uv.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from clinic.anatomy import uv_launcher
from clinic.place_facts import Obstacle

HEAD = 2048
_SINGLE = rb"'[^'\n]*'(?:\"'\"'[^'\n]*')*"
_EXEC = re.compile(rb"'''exec' (?P<word>\"[^\"\n]+\"|" + _SINGLE + rb"|[^\s\"']+) ")
_LINE = re.compile(r"(?P<path>.*[/\\](?:python|pypy)[^/\\\s\"]*)(?P<rest>.*)\Z", re.DOTALL)


def interpreter_named(data: bytes) -> str:
    """The python that a script starts with; empty where it names none by its path (`env`, a shell, a relative one)."""
    if data.startswith(b"MZ"):
        return _in_launcher(data)
    if not data.startswith(b"#!"):
        return ""
    first, _, rest = data.partition(b"\n")
    words = _text(first[2:]).strip()
    if _plain(words) in {"sh", "bash"} and (match := _EXEC.match(rest)):
        words = _unquoted(_text(match["word"]))
        return words if _is_python(words) else ""
    return _of_line(words)


def _of_line(words: str) -> str:
    """The path in a first line: it ends with the interpreter's name, options may follow."""
    match = _LINE.match(words)
    if match is None or _plain(words.partition(" ")[0]) == "env":
        return ""
    return match["path"] if _is_python(match["path"]) else ""


def _unquoted(word: str) -> str:
    return word[1:-1].replace("'\"'\"'", "'") if word.startswith("'") else word.strip('"')


def _plain(path: str) -> str:
    return re.split(r"[/\\]", path)[-1]


def _is_python(path: str) -> bool:
    is_absolute = path.startswith("/") or re.match(r"[A-Za-z]:[/\\]", path) is not None
    return is_absolute and re.match(r"(?:python|pypy)", _plain(path)) is not None and "$(" not in path


LAUNCHER = re.compile(rb"#!(?P<line>[^\n\0]*)(?=\n\s*PK\x03\x04)")
"""Between the stub and the zip of a distlib launcher lies its shebang.

Offsets in the zip count from its own start, and readers find that from its end, so a shebang of another length does no
harm.
"""


def _in_launcher(data: bytes) -> str:
    if found := LAUNCHER.search(data):
        return _of_line(_text(found["line"]).strip().removeprefix('"'))
    named = uv_launcher.python_of(data) or ""
    return named if _is_python(named) else ""


def is_launcher(data: bytes) -> bool:
    """Whether this is a program of Windows that starts a python with the script which it carries in a zip file."""
    return data.startswith(b"MZ") and bool(LAUNCHER.search(data) or uv_launcher.python_of(data))


def interpreter_beside(data: bytes, folder: Path) -> str:
    """The interpreter that one of uv's launchers starts by a path relative to its folder; empty for all others."""
    named = uv_launcher.python_of(data)
    return os.path.normpath(folder / named) if named else ""


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape").rstrip("\r")


def obstacle(data: bytes, limit: int) -> Obstacle:
    """Why a kernel that takes first lines of `limit` bytes can't start a script by the path in its first line."""
    line = data.partition(b"\n")[0]
    if data.startswith(b"MZ") or not (named := _of_line(_text(line[2:]).strip())):
        return ""
    if re.search(r"[ \t]", named):
        return "blank"
    return "too-long" if len(line) > limit else ""


def is_of(interpreter: str, scripts: Path) -> bool:
    """Whether an interpreter lies in that folder, by spelling or by where the folder really is."""
    folder = os.path.dirname(interpreter)  # noqa: PTH120 - a Windows path may be judged here
    if os.path.normcase(os.path.normpath(folder)) == os.path.normcase(os.path.normpath(scripts)):
        return True
    try:
        return os.path.samefile(folder, scripts)  # noqa: PTH121
    except (OSError, ValueError):
        return False
