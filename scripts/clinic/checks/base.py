"""What a check is: facts in, evidence out. It cannot touch the world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clinic.checks.effects import Effect, effects
from clinic.facts import Facts
from clinic.model import Cause, Severity

Evidence = str | tuple[str, ...] | None

FATAL: frozenset[Effect] = frozenset({"dead", "stranger"})
NOTHING: frozenset[Effect] = frozenset()
_ORDER: dict[Severity, int] = {"advice": 0, "degraded": 1, "fatal": 2}


def always(severity: Severity) -> Callable[[Facts], Severity]:
    """A severity that no circumstance changes."""
    return lambda _facts: severity


def _nothing(_facts: Facts) -> str:
    return ""


def _all_help(_facts: Facts) -> frozenset[str]:
    return frozenset()


def _no_causes(_facts: Facts) -> tuple[Cause, ...]:
    return ()


@dataclass(frozen=True)
class Check:
    """One kind of damage.

    `look` returns the evidence, or None where the damage is not there. `least` is what it counts for where the
    environment's python does not mind; where the python is seen to suffer, and `explains` says that this damage makes
    it suffer so, it counts for more. `silenced_by` names the codes that explain this one away, and `echo_of` the
    effect that this one merely reports: root causes silence their echoes, so that one damage gives one finding.
    `by_hand` is what to type where no remedy of ours may act, and `withheld` tells which of `cured_by` would not help
    in this environment.
    """

    code: str
    title: str
    look: Callable[[Facts], Evidence]
    least: Callable[[Facts], Severity]
    cured_by: tuple[str, ...]
    silenced_by: frozenset[str] = frozenset()
    causes: Callable[[Facts], tuple[Cause, ...]] = _no_causes
    explains: frozenset[Effect] = NOTHING
    echo_of: Effect | None = None
    by_hand: Callable[[Facts], str] = _nothing
    withheld: Callable[[Facts], frozenset[str]] = _all_help

    def severity(self, facts: Facts) -> Severity:
        """What this damage really does to this environment."""
        seen = self.explains & effects(facts)
        worst: Severity = "fatal" if seen & FATAL else "degraded" if seen else "advice"
        return max(self.least(facts), worst, key=lambda word: _ORDER[word])
