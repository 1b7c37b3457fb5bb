"""The content of files against their hash in RECORD, several files at a time."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Sequence

from clinic.anatomy.record import Row

Due = tuple[str, Row]
Say = Callable[[int, int], object]
_CHUNK = 1024 * 1024
_BATCH = 64
_SHOWN = 10
"""How often progress is told."""


def differing(due: Sequence[tuple[str, Due]], say: Say = lambda _done, _all: None) -> list[Due]:
    """Those of (path, (name, row)) whose file is not what the row says. Hashing lets other threads run."""
    wrong: list[Due] = []
    batches = [due[at : at + _BATCH] for at in range(0, len(due), _BATCH)]
    if len(batches) <= 1:
        return _wrong_of(due)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(8, os.cpu_count() or 2)) as pool:
        for number, found in enumerate(pool.map(_wrong_of, batches), 1):
            wrong += found
            if number == len(batches) or number * _SHOWN // len(batches) > (number - 1) * _SHOWN // len(batches):
                say(min(number * _BATCH, len(due)), len(due))
    return wrong


def _wrong_of(batch: Sequence[tuple[str, Due]]) -> list[Due]:
    return [entry for path, entry in batch if not agrees(path, entry[1])]


def agrees(path: str, row: Row) -> bool:
    """Whether a regular file holds what its row says; one that can't be read does not."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            digest = hashlib.new(row.algorithm, usedforsecurity=False)
            while part := os.read(descriptor, _CHUNK):
                digest.update(part)
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return False
    return spelled(digest.digest(), row.digest)


def spelled(digest: bytes, told: str) -> bool:
    """As RECORD spells it (PEP 376); some builders of wheels write hexadecimal digits."""
    return told.rstrip("=") == base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii") or told == digest.hex()
