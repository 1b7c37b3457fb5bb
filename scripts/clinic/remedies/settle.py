"""Making an environment right for another path: the staging segment is taken out of whatever names it.

Who embeds the path: activation scripts of every shell, pyvenv.cfg (`command`), console scripts (shebang, or
`#!/bin/sh` and `'''exec'` where the path holds blanks), the Windows launchers (stub, shebang, zip). The rows of RECORD
follow, since their hashes are of what the installer wrote.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from clinic import fs
from clinic.anatomy import layout, record
from clinic.anatomy.shebang import LAUNCHER
from clinic.facts import Platform


def settled(data: bytes, segment: str) -> bytes | None:
    """The content for the final path; None where it can't be changed without breaking it.

    The bytes are edited, not the text: the segment is ASCII, and the rest may be in any encoding.
    """
    token = segment.encode("ascii")
    if token not in data:
        return data
    inserted = re.compile(re.escape(token) + _SEPARATOR)
    if b"\0" not in data:
        done = inserted.sub(b"", data)
    else:
        done = LAUNCHER.sub(lambda match: inserted.sub(b"", match[0]), data)
    return None if token in done else done


_SEPARATOR = rb"(?:/|'\\\\'|\\+)"
r"""`/`, or `\`: doubled as often as some syntax asks for, or between quoted texts (fish: `'C:'\\'new'`, virtualenv)."""


def candidates(root: Path, platform: Platform) -> list[Path]:
    """The files that embed the path by what they are; anything else is found when every file is read."""
    folders = (root, layout.scripts_folder(root, platform))
    return [
        Path(entry.path) for folder in folders for entry in _entries(folder) if entry.is_file(follow_symlinks=False)
    ]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def settle(files: Iterable[Path], segment: str) -> tuple[dict[Path, bytes], list[Path]]:
    """Rewrite files in place, in a place that nobody uses yet; returns the new contents, and what could not be."""
    changed: dict[Path, bytes] = {}
    stuck: list[Path] = []
    for path in files:
        old = path.read_bytes()
        new = settled(old, segment)
        if new is None:
            stuck.append(path)
        elif new != old:
            fs.write_atomically(path, new, durable=False)
            changed[path] = new
    return changed, stuck


def correct_records(site: Path, changed: Mapping[Path, bytes | None]) -> None:
    """Make the RECORD rows of changed files true."""
    for path, data in corrected_records(site, changed).items():
        fs.write_atomically(path, data, durable=False)


def corrected_records(site: Path, changed: Mapping[Path, bytes | None]) -> dict[Path, bytes]:
    """Each RECORD with rows of changed files (None: removed), and what it must say then."""
    found: dict[Path, bytes] = {}
    for folder in site.glob("*.dist-info") if changed else ():
        path = folder / record.NAME
        if not path.is_file():
            continue
        mine = {
            row.path: changed[place] for row in record.read(folder) if (place := record.place(site, row)) in changed
        }
        if mine:
            found[path] = record.renewed(path.read_bytes().decode("utf-8"), mine).encode("utf-8")
    return found
