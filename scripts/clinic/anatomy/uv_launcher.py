"""uv's launchers on Windows: a stub whose resources hold the interpreter's path and the script, packed.

Source: crates/uv-trampoline-builder of uv 0.13. A relative path is taken from the folder of the launcher; uv writes one
where pyvenv.cfg says `relocatable = true`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_RAW_DATA = 10  # RT_RCDATA
_PE32_PLUS = 0x20B
_RESOURCES = 2
"""The number of the table of resources among the directories of the optional header."""
_PATH = "UV_PYTHON_PATH"
_BIT = 1 << 31
"""In a directory of resources: of a name, that it is a text; of an offset, that it leads to another directory."""


@dataclass(frozen=True)
class _Resource:
    """Where a resource lies in a file: its entry in the table, and its content."""

    entry: int
    start: int
    size: int


def python_of(data: bytes) -> str | None:
    """The interpreter's path in one of uv's launchers, absolute or relative to it; None where it is none of these."""
    found = _path(data)
    return data[found.start : found.start + found.size].decode("utf-8", "surrogateescape") if found else None


def beside(data: bytes, name: bytes) -> bytes | None:
    """The launcher, starting the interpreter of that name in its own folder; None where there is no room to say so."""
    found = _path(data)
    if found is None or len(name) > found.size:
        return None
    new = bytearray(data)
    new[found.start : found.start + found.size] = name.ljust(found.size, b"\0")
    struct.pack_into("<I", new, found.entry + 4, len(name))
    return bytes(new)


def _path(data: bytes) -> _Resource | None:
    if not data.startswith(b"MZ") or _PATH.encode("utf-16-le") not in data:
        return None
    try:
        return _found(data)
    except (struct.error, StopIteration):
        return None


def _found(data: bytes) -> _Resource:
    """Follow the three levels of the table: kind, name, language (Microsoft, PE Format, "The .rsrc Section")."""
    address, base = _table(data)
    names = next(at for key, at in _entries(data, base, 0) if key == _RAW_DATA)
    languages = next(at for key, at in _entries(data, base, names) if key == _PATH)
    entry = base + next(at for _, at in _entries(data, base, languages))
    start, size = struct.unpack_from("<II", data, entry)
    return _Resource(entry, start - address + base, size)


def _table(data: bytes) -> tuple[int, int]:
    """The address of the table of resources in memory, and its place in the file: where one of the sections begins."""
    (pe,) = struct.unpack_from("<I", data, 0x3C)
    count, size = struct.unpack_from("<H12xH", data, pe + 6)
    optional = pe + 24
    (magic,) = struct.unpack_from("<H", data, optional)
    (address,) = struct.unpack_from("<I", data, optional + (112 if magic == _PE32_PLUS else 96) + 8 * _RESOURCES)
    sections = (struct.unpack_from("<12xI4xI", data, optional + size + 40 * number) for number in range(count))
    return address, next(place for start, place in sections if start == address)


def _entries(data: bytes, base: int, directory: int) -> list[tuple[int | str, int]]:
    """The entries of one directory: number or name, and where it leads, from the section's start."""
    named, numbered = struct.unpack_from("<12xHH", data, base + directory)
    found: list[tuple[int | str, int]] = []
    for at in range(base + directory + 16, base + directory + 16 + 8 * (named + numbered), 8):
        key, leads_to = struct.unpack_from("<II", data, at)
        found.append((_text(data, base + key - _BIT) if key & _BIT else key, leads_to & ~_BIT))
    return found


def _text(data: bytes, at: int) -> str:
    (length,) = struct.unpack_from("<H", data, at)
    return data[at + 2 : at + 2 + 2 * length].decode("utf-16-le")
