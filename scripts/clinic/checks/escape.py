"""What the damage led others to: installs that went past the environment, into the base that it started as."""

from __future__ import annotations

import time

from clinic.checks.base import Check, Evidence, always
from clinic.facts import Facts

MOST = 8
"""Distributions that are told one by one."""


def polluted(facts: Facts) -> Evidence:
    """Locked distributions that came into the base while this environment's python was the base."""
    escape = facts.escape
    if escape is None or not escape.found:
        return None
    lines = [
        f"{each.name} {each.version} is in {each.folder.parent} since {_moment(each.when)}" for each in escape.found
    ]
    more = [f"and {len(lines) - MOST} more"] if len(lines) > MOST else []
    why = f"all of them since {_moment(escape.since)}, when the environment was last seen to be itself"
    return (*lines[:MOST], *more, why, f"taken out by: {escape.undo}")


def _moment(stamp: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(stamp))


def _undo(facts: Facts) -> str:
    return facts.escape.undo if facts.escape else ""


CHECKS = (
    Check(
        "base-polluted",
        "packages of the lock went into the base interpreter",
        polluted,
        always("advice"),
        (),
        by_hand=_undo,
    ),
)
