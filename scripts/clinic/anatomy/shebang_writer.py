"""The one writer of first lines: a script made to start with another interpreter, the rest of it byte for byte.

As pip's distlib and uv write them: `#!` and the path where every kernel takes that, else `#!/bin/sh` and `'''exec'`,
which a shell reads as a command and Python as a text. distlib counts on 127 bytes (Linux before 5.1); a longer line is
started by newer kernels only.
"""

from __future__ import annotations

import re

from clinic.anatomy import uv_launcher
from clinic.anatomy.shebang import LAUNCHER

SAFE_LENGTH = 127
_TRAMPOLINE = re.compile(
    rb"#![ \t]*\S*/(?:ba)?sh\r?\n'''exec' (?:\"[^\"\n]+\"|'[^'\n]*'(?:\"'\"'[^'\n]*')*|[^\s\"']+) "
    rb"(?P<options>[^\n]*?)\"\$0\" \"\$@\"\r?\n' '''(?P<end>\r?\n)"
)
_DIRECT = re.compile(rb"#!(?P<blank>[ \t]*)[^\n]*[/\\](?:python|pypy)[^/\\\s\"]*(?P<options>[^\r\n]*)(?P<end>\r?\n|\Z)")
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.MULTILINE)


def restarted(data: bytes, interpreter: str) -> bytes | None:
    """The script, starting with that interpreter; None where that can't be written without breaking it.

    The interpreter lies in the script's own folder, which is how uv's launchers find it wherever they are moved to.
    """
    path = interpreter.encode("utf-8", "surrogateescape")
    if data.startswith(b"MZ"):
        return _launcher(data, path)
    if (match := _TRAMPOLINE.match(data)) or (match := _DIRECT.match(data)):
        options, rest = match["options"].strip(), data[match.end() :]
    else:
        return None
    if not _can_be_read(path):
        return None
    words = b" " + options if options else b""
    if not re.search(rb"\s", path) and len(b"#!" + path + words) <= SAFE_LENGTH:
        return b"#!" + path + words + match["end"] + rest
    if not _survives_a_trampoline(path, rest):
        return None
    return b"#!/bin/sh\n'''exec' " + _quoted(path) + words + b' "$0" "$@"\n' + b"' '''\n" + rest


def _can_be_read(path: bytes) -> bool:
    """Python reads the line too, as UTF-8, and a line has no end in its middle."""
    try:
        return not set(path.decode("utf-8")) & set("\n\r\0")
    except UnicodeDecodeError:
        return False


def _survives_a_trampoline(path: bytes, rest: bytes) -> bool:
    """To Python the path is part of a text, where a backslash is no backslash; a cookie counts on the first two lines.

    What is said of a cookie in the third line is lost, so only UTF-8, which needs none, may be said there.
    """
    cookie = _COOKIE.match(rest.partition(b"\n")[0])
    return b"\\" not in path and (cookie is None or cookie[1].lower().replace(b"_", b"-") in {b"utf-8", b"utf8"})


def _quoted(path: bytes) -> bytes:
    """As pip quotes, where a shell takes that word for word; else as uv does."""
    if not set(path) & set(b'"$`'):
        return b'"' + path + b'"'
    return b"'" + path.replace(b"'", b"'\"'\"'") + b"'"


def _launcher(data: bytes, path: bytes) -> bytes | None:
    """uv's, or distlib's: `#!`, the path (in quotes where it has blanks), options, and a zip behind the line's end."""
    found = LAUNCHER.search(data)
    if found is None:
        return uv_launcher.beside(data, re.split(rb"[/\\]", path)[-1])
    told = re.match(rb'"[^"]*"|.*?[/\\](?:python|pypy)[^/\\\s"]*', found["line"])
    if told is None:
        return None
    word = b'"' + path + b'"' if b" " in path else path
    return data[: found.start("line")] + word + found["line"][told.end() :] + data[found.end() :]
