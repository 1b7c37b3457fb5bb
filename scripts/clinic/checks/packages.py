"""What is installed: what the lock pins is there in its version, and what the service imports can be imported."""

from __future__ import annotations

from clinic.checks.base import Check, Evidence, always
from clinic.facts import Facts, Self

REINSTALL = ("rebuild",)


def missing(facts: Facts) -> Evidence:
    """Pinned, and not there."""
    have = _installed(facts)
    if facts.tree is None or not facts.locked:
        return None
    absent = [f"{name} {version}" for name, version in facts.locked if name not in have]
    if absent and len(absent) == len(facts.locked):
        return f"none of the {len(absent)} locked distributions is installed"
    return tuple(f"{entry} is locked, and not installed" for entry in absent) or None


def other_version(facts: Facts) -> Evidence:
    """Pinned, and there in another version."""
    have = _installed(facts)
    wrong = [
        f"{name} is {' and '.join(sorted(have[name]))}, locked is {version}"
        for name, version in facts.locked
        if name in have and have[name] != {version}
    ]
    return tuple(wrong) or None


def _installed(facts: Facts) -> dict[str, set[str]]:
    have: dict[str, set[str]] = {}
    for distribution in facts.tree.distributions if facts.tree else ():
        have.setdefault(distribution.name, set()).add(distribution.version)
    return have


def not_importable(facts: Facts) -> Evidence:
    """Meant to be imported, and failing."""
    if not isinstance(facts.me, Self) or not facts.me.is_itself:
        return None
    return tuple(f"import {name}: {error}" for name, error in facts.me.imports if error) or None


CHECKS = (
    Check("dist-missing", "locked distributions are not installed", missing, always("degraded"), REINSTALL),
    Check(
        "dist-other-version", "installed versions are not the locked ones", other_version, always("degraded"), REINSTALL
    ),
    Check(
        "import-fails",
        "what the service imports cannot be imported",
        not_importable,
        always("fatal"),
        REINSTALL,
        frozenset({"dist-missing", "dist-other-version"}),
    ),
)
