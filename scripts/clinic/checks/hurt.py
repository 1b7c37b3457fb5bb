"""Damage that belongs to distributions: which of them it concerns, and how much that matters here.

What the lock pins is needed; without a lock, everything is, but for the installers that creators put there. What is
beyond the lock is at most advice (README, JSON).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from clinic.checks.base import Evidence
from clinic.facts import Facts, Self
from clinic.model import Severity
from clinic.package_facts import Installed, Packages

Hurt = Callable[[Facts], Sequence[tuple[str, str]]]
"""The distributions that a damage concerns, each with its evidence."""

INSTALLERS = frozenset({"pip", "setuptools", "wheel", "uv"})
_SHOWN = 20
_NOTHING = Packages()


def packages_of(facts: Facts) -> Packages:
    """What was seen of the packages; nothing where nobody looked."""
    return facts.packages or _NOTHING


def singles(facts: Facts) -> list[Installed]:
    """Distributions that are there once: what two dist-infos say of one distribution is no evidence."""
    packages = packages_of(facts)
    twice = packages.duplicates
    return [each for each in packages.installed if each.name not in twice]


def needed(facts: Facts, name: str) -> bool:
    """Whether a distribution is one that this environment must hold."""
    return name in dict(facts.locked) if facts.locked else name not in INSTALLERS


def unimportable(facts: Facts) -> bool:
    """Whether something that the service imports cannot be imported."""
    return isinstance(facts.me, Self) and facts.me.is_itself and any(error for _, error in facts.me.imports)


def by_imports(facts: Facts) -> Severity:
    """What a damage counts for that concerns all of an environment: fatal where the service's imports fail."""
    return "fatal" if unimportable(facts) else "degraded"


def told(hurt: Hurt) -> Callable[[Facts], Evidence]:
    """The evidence of a damage, some of it where there is very much."""

    def look(facts: Facts) -> Evidence:
        lines = [line for _, line in hurt(facts)]
        more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        return (*lines[:_SHOWN], *more) or None

    return look


def weighed(hurt: Hurt, *, breaks_imports: bool = True) -> Callable[[Facts], Severity]:
    """What a damage counts for: by whether what it concerns is needed, and by what cannot be imported meanwhile."""

    def least(facts: Facts) -> Severity:
        if not any(needed(facts, name) for name, _ in hurt(facts)):
            return "advice"
        return "fatal" if breaks_imports and unimportable(facts) else "degraded"

    return least


def counted(label: str, what: str, names: Sequence[str], folder: object) -> str:
    """`2 files of x 1.0 are missing, the first: …`."""
    one = len(names) == 1
    count = "a file" if one else f"{len(names)} files"
    return f"{count} of {label} {'is' if one else 'are'} {what}{':' if one else ', the first:'} {folder}/{names[0]}"


def explains_imports(facts: Facts, hurts: Iterable[Hurt]) -> bool:
    """Whether one of these damages, where it concerns what is needed, explains that an import fails."""
    return any(needed(facts, name) for hurt in hurts for name, _ in hurt(facts))
