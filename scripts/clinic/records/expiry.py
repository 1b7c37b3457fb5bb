"""What is given up: backups and receipts after 30 days, or beyond 2 GiB; the newest of each environment stays."""

from __future__ import annotations

import calendar
import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clinic import fs, lock
from clinic.anatomy.ownership import mounted_below
from clinic.errors import BusyError, RefusedError
from clinic.records.entry import Entry
from clinic.records.places import ID

if TYPE_CHECKING:
    from clinic.records import Records

LASTS = 30 * 24 * 3600.0
MOST = 2 << 30  # bytes


def expire(records: Records, venv: Path) -> list[Path]:
    """Give up what is old. The lock of `venv` is held; what another environment's holder works on is left to it.

    Returns the backups that were removed. Never raises: what can't be removed goes another time.
    """
    removed: list[Path] = []
    with contextlib.suppress(OSError):
        # Also another project's, where several have one folder of records: its next run puts that back.
        unfinished = {entry.id for entry in records.store.pending()}
        for entry in _old([entry for entry in records.entries() if entry.id not in unfinished]):
            if entry.venv == venv or entry.state == "foreign":
                removed += _given_up(records, entry)
                continue
            with contextlib.suppress(BusyError, RefusedError), lock.held(lock.of_environment(entry.venv), "expire"):
                removed += _given_up(records, entry)
    return removed


def _old(entries: Sequence[Entry]) -> list[Entry]:
    """What is to go: oldest first, as `entries` are."""
    newest: dict[Path, Entry] = {}
    kept: dict[Path, Entry] = {}
    for entry in entries:
        newest[entry.venv] = entry
        if entry.stash:
            kept[entry.venv] = entry
    staying = {entry.id for entry in (*newest.values(), *kept.values())}
    limit, size, old = time.time() - LASTS, 0, []
    for entry in reversed(entries):
        size += size_of(entry)
        if entry.id not in staying and (_age(entry.id) < limit or (size > MOST and entry.stash)):
            old.append(entry)
    return old[::-1]


def _age(name: str) -> float:
    """When a receipt was made, by its name: what it says of itself may be anything."""
    with contextlib.suppress(ValueError):
        return float(calendar.timegm(time.strptime(name[:15], "%Y%m%dT%H%M%S")))
    return 0.0


def is_due(records: Records) -> bool:
    """Whether anything is old enough to be looked at."""
    oldest = records.store.oldest()
    return bool(oldest) and _age(oldest) < time.time() - LASTS


def size_of(entry: Entry) -> int:
    """Bytes of its backup; they are counted once, when it is closed."""
    if not entry.stash:
        return 0
    if entry.kept_bytes > 0:
        return entry.kept_bytes
    with contextlib.suppress(OSError):
        return fs.size_of(entry.backup)
    return 0


def _given_up(records: Records, entry: Entry) -> list[Path]:
    """Remove its backup and its receipt; the receipt says so first, for one that stands must have its backup."""
    backup = entry.stash
    if backup and next(mounted_below(backup), None):
        return []  # somebody's data, which would be removed with it
    try:
        if entry.state != "foreign":
            records.store.end(entry, "expired")
        if backup and ID.fullmatch(backup.name) and not backup.is_symlink():
            fs.remove(backup)
        if _age(entry.id) < time.time() - LASTS:
            records.store.forget(entry)
    except OSError:
        return []
    return [backup] if backup else []
