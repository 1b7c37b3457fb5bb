"""A dist-info folder: the headers of METADATA, entry points, and where an editable install comes from.

Whatever lies there may be hostile: nothing is read beyond a limit, and no pipe or device is ever opened for reading.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HEADERS_LIMIT = 1024 * 1024
"""Headers come first, a description of any length after them (a METADATA of 100 MB is not read to its end)."""
RECORD_LIMIT = 64 * 1024 * 1024
_CHUNK = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")


def beginning(path: str | Path, limit: int, end: bytes = b"") -> bytes:
    """The first `limit` bytes of a regular file, or less where `end` was met. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is not a regular file")
        parts = bytearray()
        while len(parts) < limit and (part := os.read(descriptor, min(_CHUNK, limit - len(parts)))):
            parts += part
            if end and end in part:
                break
        return bytes(parts)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class Metadata:
    """What METADATA says, or (in `error`) why it says nothing."""

    name: str = ""
    version: str = ""
    requires: tuple[str, ...] = ()
    error: str = ""


def metadata(folder: Path) -> Metadata:
    """The headers of a dist-info folder's METADATA."""
    try:
        data = beginning(f"{folder}{os.sep}METADATA", HEADERS_LIMIT, b"\n\n")
    except FileNotFoundError:
        return Metadata(error="METADATA is not there")
    except OSError as error:
        return Metadata(error=f"METADATA cannot be read: {error.strerror or error}")
    return parsed(data)


def parsed(data: bytes) -> Metadata:
    """The headers in the beginning of a METADATA."""
    head = data.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("utf-8", "replace")
    name = version = ""
    requires = []
    for line in re.sub(r"\n[ \t]+", " ", head).split("\n"):
        key, colon, value = line.partition(":")
        key = key.lower()
        if key == "requires-dist" and colon:
            requires.append(value.strip())
        elif key == "name" and not name:
            name = value.strip()
        elif key == "version" and not version:
            version = value.strip()
    error = _objection(name, version, data)
    return Metadata(name, version, tuple(requires), error)


def _objection(name: str, version: str, data: bytes) -> str:
    if not data.strip(b"\0 \r\n\t"):
        return "METADATA is empty"
    if not name or not version:
        return "METADATA tells no name and version"
    return "" if _NAME.match(name) else f"METADATA tells a name that no distribution can have: {name!r}"


def console_scripts(folder: Path) -> dict[str, str]:
    """Name and module of every console and window script that a distribution promises."""
    try:
        text = beginning(f"{folder}{os.sep}entry_points.txt", HEADERS_LIMIT).decode("utf-8", "replace")
    except OSError:
        return {}
    return dict(_scripts(text))


def _scripts(text: str) -> Iterator[tuple[str, str]]:
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[]").strip()
        elif section in {"console_scripts", "gui_scripts"} and "=" in line and line[0] not in "#;":
            name, _, target = line.partition("=")
            yield name.strip(), target.partition(":")[0].strip()


def project_of(folder: Path) -> str:
    """Where the project of an editable install lies (PEP 610); empty for anything else."""
    try:
        told = json.loads(beginning(f"{folder}{os.sep}direct_url.json", HEADERS_LIMIT))
        url, editable = str(told["url"]), bool(told["dir_info"].get("editable"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""
    if not editable or not url.startswith("file:"):
        return ""
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    return url2pathname(urlsplit(url).path)
