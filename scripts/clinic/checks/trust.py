"""Whose the environment is: what somebody else could have put there is not run, and so not judged."""

from __future__ import annotations

import shlex

from clinic.checks.base import Check, Evidence, always
from clinic.facts import Facts

CODE = "not-trusted"
_SHOWN = 5


def not_trusted(facts: Facts) -> Evidence:
    """Of somebody who is neither this user nor root, or open to others."""
    told = facts.distrust
    more = (f"and {len(told) - _SHOWN} more",) if len(told) > _SHOWN else ()
    return (
        (*told[:_SHOWN], *more, "so nothing of it was run, and what it says of itself is not known") if told else None
    )


def _by_hand(facts: Facts) -> str:
    return f"invoke diagnose --trust --venv {shlex.quote(str(facts.venv))}"


CHECKS = (
    Check(CODE, "the environment may be somebody else's work", not_trusted, always("degraded"), (), by_hand=_by_hand),
)
