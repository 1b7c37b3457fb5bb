"""Console scripts: there, and starting this environment's python."""

from __future__ import annotations

from clinic.checks.base import Check
from clinic.checks.hurt import singles, told, weighed
from clinic.facts import Facts

REINSTALL = ("reinstall", "rebuild")
Found = list[tuple[str, str]]


def missing(facts: Facts) -> Found:
    """Recorded, and not there."""
    folder = facts.tree.scripts if facts.tree else ""
    return [
        (each.name, f"{folder}/{name} of {each.label} is missing")
        for each in singles(facts)
        for name in each.scripts_missing
    ]


def stale(facts: Facts) -> Found:
    """Starting with the interpreter of another place."""
    folder = facts.tree.scripts if facts.tree else ""
    return [
        (each.name, f"{folder}/{name} of {each.label} starts with {interpreter}")
        for each in singles(facts)
        for name, interpreter in each.scripts_stale
    ]


CHECKS = (
    Check(
        "script-missing",
        "console scripts are missing",
        told(missing),
        weighed(missing, breaks_imports=False),
        REINSTALL,
        frozenset({"site-packages-empty"}),
    ),
    Check(
        "script-stale",
        "console scripts start another Python",
        told(stale),
        weighed(stale, breaks_imports=False),
        REINSTALL,
        frozenset({"venv-moved"}),
    ),
)
