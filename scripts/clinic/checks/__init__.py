"""One file per organ; each check a pure function from facts to evidence.

`examine` runs them all in order, root causes first. A check whose explanation was already found stays silent.
"""

from __future__ import annotations

from clinic.checks import (
    cfg_form,
    cfg_home,
    cfg_keys,
    cfg_text,
    disk,
    escape,
    interpreter,
    location,
    packages,
    place,
    scripts,
    start_up,
    starters,
    trust,
    variables,
)
from clinic.checks.base import Check
from clinic.checks.effects import effects
from clinic.facts import Facts
from clinic.model import Finding, Verdict

CHECKS: tuple[Check, ...] = (
    *place.CHECKS,
    *trust.CHECKS,
    *starters.CHECKS,
    *location.CHECKS,
    *start_up.BASE,
    *cfg_form.CHECKS,
    *cfg_text.CHECKS,
    *cfg_keys.DUPLICATES,
    *cfg_home.CHECKS,
    *cfg_keys.CHECKS,
    *cfg_home.SPACING,
    *start_up.STARTING,
    *starters.NAMES,
    *interpreter.CHECKS,
    *cfg_keys.LEAKING,
    *packages.CHECKS,
    *start_up.CHECKS,
    *scripts.CHECKS,
    *location.OF_SCRIPTS,
    *escape.CHECKS,
    *disk.CHECKS,
    *variables.CHECKS,
)


def examine(facts: Facts) -> tuple[Finding, ...]:
    """Every damage that the facts show, each named by one code.

    Of an environment that was not run for want of trust nothing else is judged than whose it is, and its disk.
    """
    found: dict[str, Finding] = {}
    explained: set[str] = set()
    for check in CHECKS:
        if check.silenced_by & found.keys() or check.echo_of in explained:
            continue
        if trust.CODE in found and check not in disk.CHECKS:
            continue
        evidence = check.look(facts)
        if evidence:
            lines = (evidence,) if isinstance(evidence, str) else evidence
            cures = tuple(cure for cure in check.cured_by if cure not in check.withheld(facts))
            found[check.code] = Finding(
                check.code,
                check.severity(facts),
                check.title,
                lines,
                check.causes(facts),
                cures,
                check.by_hand(facts),
            )
            explained |= check.explains & effects(facts)
    return tuple(found.values())


def verdict(findings: tuple[Finding, ...]) -> Verdict:
    """The worst word that the findings justify."""
    codes = {finding.code for finding in findings}
    severities = {finding.severity for finding in findings}
    if codes & place.ABSENT:
        return "missing"
    return "broken" if "fatal" in severities else "degraded" if "degraded" in severities else "healthy"


__all__ = ["CHECKS", "Check", "examine", "verdict"]
