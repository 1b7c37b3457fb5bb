"""The file system that the environment lies on: what no remedy can do anything about."""

from __future__ import annotations

from clinic.checks.base import Check, Evidence, always
from clinic.facts import Facts

ENOUGH = 1024 * 1024
"""Bytes: less than this is not enough for a log, a pid file and a new pyvenv.cfg."""


def full(facts: Facts) -> Evidence:
    """No room left: whatever is written is cut short."""
    disk = facts.disk
    if disk is None or disk.read_only:
        return None
    if disk.free < ENOUGH:
        return f"{disk.free:,} bytes are free where {facts.venv} lies: what is written there is cut short"
    return f"no file can be made any more where {facts.venv} lies (no inodes are left)" if disk.inodes == 0 else None


def read_only(facts: Facts) -> Evidence:
    """Nothing can be written: whoever means it so is well served, but nothing can be repaired."""
    if facts.disk is None or not facts.disk.read_only:
        return None
    return f"the file system of {facts.venv} is read-only: nothing can be repaired or installed there"


CHECKS = (
    Check("disk-full", "the disk is full", full, always("degraded"), ()),
    Check("disk-read-only", "the file system is read-only", read_only, always("advice"), ()),
)
