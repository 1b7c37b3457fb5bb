"""What a check is: facts in, evidence out. It cannot touch the world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clinic.facts import Facts, Self, Silence
from clinic.model import Cause, Severity

Evidence = str | tuple[str, ...] | None


@dataclass(frozen=True)
class Check:
    """One kind of damage.

    `look` returns the evidence, or None where the damage is not there. `silenced_by` names the codes whose presence
    explains this one away: root causes silence their echoes, so that one damage gives one finding.
    """

    code: str
    title: str
    look: Callable[[Facts], Evidence]
    severity: Callable[[Facts], Severity]
    cured_by: tuple[str, ...]
    silenced_by: frozenset[str] = frozenset()
    causes: Callable[[Facts], tuple[Cause, ...]] = lambda _facts: ()


def always(severity: Severity) -> Callable[[Facts], Severity]:
    """A severity that no circumstance changes."""
    return lambda _facts: severity


def at_least(severity: Severity) -> Callable[[Facts], Severity]:
    """A severity by what the damage really does here, but never below `severity`.

    Fatal when the environment's python is dead or is not itself; degraded when the base's packages leak in.
    """
    order: dict[Severity, int] = {"advice": 0, "degraded": 1, "fatal": 2}
    return lambda facts: max(severity, effect(facts), key=lambda word: order[word])


def effect(facts: Facts) -> Severity:
    """How the environment as a whole fares, by what its own python said of itself."""
    if facts.me is None:
        return "advice"
    if isinstance(facts.me, Silence) or not facts.me.is_itself:
        return "fatal"
    return "degraded" if leaks(facts) else "advice"


def leaks(facts: Facts) -> bool:
    """Whether the base's packages are visible though nobody asked for them."""
    return isinstance(facts.me, Self) and facts.me.base_site_visible and not wants_base_packages(facts)


def wants_base_packages(facts: Facts) -> bool:
    """Whether the base's packages are meant to be seen: by what knows it, else by the cfg's own explicit word."""
    from clinic.checks.reading import cfg_of

    if facts.wants_system_site is not None:
        return facts.wants_system_site
    cfg = cfg_of(facts)
    return (cfg.last("include-system-site-packages") or "").lower() == "true" if cfg else False
