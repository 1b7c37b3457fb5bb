"""The file system that the environment lies on: what no remedy can do anything about."""

from __future__ import annotations

import shlex

from clinic.checks.base import Check, Evidence, always
from clinic.facts import Facts

ENOUGH = 1024 * 1024
"""Bytes: less than this is not enough for a log, a pid file and a new pyvenv.cfg."""


FEW = 16
"""Files: fewer than a repair makes (its receipt, the lock, what it writes)."""


def full(facts: Facts) -> Evidence:
    """No room left: whatever is written is cut short."""
    disk = facts.disk
    if disk is None or disk.read_only:
        return None
    if disk.free < ENOUGH:
        return f"{disk.free:,} bytes are free where {facts.venv} lies: what is written there is cut short"
    if disk.inodes is not None and disk.inodes < FEW:
        return f"{disk.inodes} more files can be made where {facts.venv} lies: the disk is out of inodes"
    return None


def read_only(facts: Facts) -> Evidence:
    """Nothing can be written: whoever means it so is well served, but nothing can be repaired."""
    if facts.disk is None or not facts.disk.read_only:
        return None
    return f"the file system of {facts.venv} is read-only: nothing can be repaired or installed there"


def not_writable(facts: Facts) -> Evidence:
    """Somebody else's, as after `sudo pip install`: it may well run, and nothing in it can be repaired."""
    denied = facts.disk.denied if facts.disk else None
    if denied is None:
        return None
    whose = "has no write permission" if denied.owner == denied.user else f"belongs to {denied.owner}"
    return f"{denied.folder} {whose}: as {denied.user}, nothing can be repaired or installed there"


def _own_it(facts: Facts) -> str:
    denied = facts.disk.denied if facts.disk else None
    if denied is None:
        return ""
    place = shlex.quote(str(facts.venv))
    return f"chmod -R u+w {place}" if denied.owner == denied.user else f"sudo chown -R {denied.user} {place}"


CHECKS = (
    Check("disk-full", "the disk is full", full, always("degraded"), ()),
    Check("disk-read-only", "the file system is read-only", read_only, always("advice"), ()),
    Check("not-writable", "the environment is not this user's", not_writable, always("advice"), (), by_hand=_own_it),
)
