"""What is installed: what the lock pins is there in its version, and what the service imports can be imported."""

from __future__ import annotations

from clinic.checks import package_files
from clinic.checks.base import Check, Evidence, always
from clinic.checks.hurt import by_imports, explains_imports, needed, packages_of, singles, told, unimportable, weighed
from clinic.checks.starters import OTHER_PYTHON
from clinic.facts import Facts, Self
from clinic.model import Severity

REINSTALL = ("reinstall", "rebuild")
REBUILD = ("rebuild",)


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
    twice = packages_of(facts).duplicates
    wrong = [
        f"{name} is {' and '.join(sorted(have[name]))}, locked is {version}"
        for name, version in facts.locked
        if name in have and have[name] != {version} and name not in twice
    ]
    return tuple(wrong) or None


def _installed(facts: Facts) -> dict[str, set[str]]:
    have: dict[str, set[str]] = {}
    for distribution in facts.tree.distributions if facts.tree else ():
        have.setdefault(distribution.name, set()).add(distribution.version)
    return have


def not_importable(facts: Facts) -> Evidence:
    """Meant to be imported, and failing."""
    if not isinstance(facts.me, Self) or not unimportable(facts):
        return None
    if packages_of(facts).bytecode or explains_imports(facts, (*package_files.BREAK_IMPORTS, unmet)):
        return None
    return tuple(f"import {name}: {error}" for name, error in facts.me.imports if error) or None


def emptied(facts: Facts) -> Evidence:
    """Nothing left of what was installed."""
    return packages_of(facts).emptied or None


def unmet(facts: Facts) -> list[tuple[str, str]]:
    """Required by what is installed, and not there; less what the lock speaks of itself.

    Where the base's packages are visible, a requirement may be met there.
    """
    if isinstance(facts.me, Self) and facts.me.base_site_visible:
        return []
    locked = dict(facts.locked)
    return [
        (each.name, f"{each.label} requires {line.split(';')[0].strip()}: {instead}")
        for each in singles(facts)
        for name, line, instead in each.unmet
        if name not in locked
    ]


def pip_broken(facts: Facts) -> Evidence:
    """A pip that is half gone; less one that is there twice: that explains it."""
    seen = packages_of(facts)
    return None if "pip" in seen.duplicates else seen.pip or None


def _pip_counts(facts: Facts) -> Severity:
    return "degraded" if facts.locked and needed(facts, "pip") else "advice"


CHECKS = (
    Check("site-packages-empty", "the packages are gone", emptied, by_imports, REBUILD),
    *package_files.CHECKS,
    Check(
        "dist-missing",
        "locked distributions are not installed",
        missing,
        always("degraded"),
        REINSTALL,
        frozenset({"site-packages-empty"}),
    ),
    Check(
        "dist-other-version", "installed versions are not the locked ones", other_version, always("degraded"), REINSTALL
    ),
    Check(
        "requirement-missing",
        "requirements of what is installed are not met",
        told(unmet),
        weighed(unmet),
        REINSTALL,
        frozenset({"site-packages-empty"}),
    ),
    Check("pip-broken", "pip is half gone", pip_broken, _pip_counts, REINSTALL, frozenset({"site-packages-empty"})),
    Check(
        "import-fails",
        "what the service imports cannot be imported",
        not_importable,
        always("fatal"),
        REBUILD,
        frozenset({"dist-missing", "dist-other-version", "site-packages-empty"}) | OTHER_PYTHON,
    ),
)
