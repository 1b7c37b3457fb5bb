"""RECORD: which files an installer put there, with which hash and size (PEP 376, PEP 427).

Only rows that carry a hash can be checked: virtualenv's seeded pip lists bytecode that is never written, and
bytecode changes whenever a module is imported (measured).
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from clinic.anatomy import distinfo

NAME = "RECORD"
_STRONG = frozenset({"sha256", "sha384", "sha512"})
_ROW = 3
_SIZE = re.compile(r"[0-9]{1,18}\Z")


@dataclass(frozen=True)
class Row:
    """One file of a distribution. `path` is as written: relative to site-packages, with forward slashes."""

    path: str
    algorithm: str = ""
    digest: str = ""
    size: int | None = None

    @property
    def checkable(self) -> bool:
        """Whether the file must be there with this very content."""
        return self.algorithm in _STRONG and bool(self.digest) and not self.path.endswith(".pyc")

    def agrees(self, data: bytes) -> bool:
        """Whether this is the recorded content."""
        return digest_of(data, self.algorithm) == self.digest.rstrip("=")


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    """A hash as RECORD spells it: URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).rstrip(b"=").decode("ascii")


def rows(text: str) -> Iterator[Row]:
    """The rows of a RECORD; a line that is none is passed over."""
    for fields in _fields(text):
        if fields and fields[0]:
            algorithm, _, digest = (fields[1] if len(fields) > 1 else "").partition("=")
            size = fields[_ROW - 1] if len(fields) >= _ROW else ""
            yield Row(fields[0], algorithm, digest, int(size) if _SIZE.match(size) else None)


def _fields(text: str) -> Iterator[list[str]]:
    """Quotes are rare, and without them a split is several times faster than the csv module."""
    if '"' in text:
        return iter(csv.reader(io.StringIO(text, newline="")))
    return (line.rstrip("\r").rsplit(",", _ROW - 1) for line in text.split("\n"))


def read(folder: Path) -> tuple[Row, ...]:
    """The rows of a dist-info folder's RECORD; none where it can't be read."""
    try:
        return tuple(rows(distinfo.beginning(folder / NAME, distinfo.RECORD_LIMIT).decode("utf-8", "replace")))
    except (OSError, csv.Error):
        return ()


def place(site: Path, row: Row) -> Path:
    """Where the file of a row lies (scripts lie outside of site-packages: `../../../bin/x`)."""
    return Path(os.path.normpath(site / row.path))


def renewed(text: str, changed: Mapping[str, bytes | None]) -> str:
    """The RECORD with hash and size of some files, named as in their rows, made true again; None takes a row out."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n" if "\r\n" in text else "\n")
    for fields in csv.reader(io.StringIO(text, newline="")):
        if fields and fields[0] in changed:
            data = changed[fields[0]]
            if data is None:
                continue
            if len(fields) == _ROW and fields[1]:
                algorithm = fields[1].partition("=")[0]
                fields[1:] = [f"{algorithm}={digest_of(data, algorithm)}", str(len(data))]
        writer.writerow(fields)
    return out.getvalue()
