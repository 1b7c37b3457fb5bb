"""What the environment's own interpreter says when it is asked who it is. Its files are judged in `starters`."""

from __future__ import annotations

from clinic.anatomy.layout import python_in
from clinic.checks.base import Check, Evidence, always
from clinic.checks.cfg_form import FIX
from clinic.checks.starters import HURT
from clinic.facts import Facts, Self, Silence


def silent(facts: Facts) -> Evidence:
    """It was asked who it is, and did not answer."""
    if not isinstance(facts.me, Silence):
        return None
    last = [line for line in facts.me.stderr.strip().splitlines() if line.strip()][-3:]
    return (f"{python_in(facts.venv)}: {facts.me.reason}", *(line for line in last if line not in facts.me.reason))


def stranger(facts: Facts) -> Evidence:
    """It answered, as another environment or as the base."""
    if not isinstance(facts.me, Self) or facts.me.is_itself:
        return None
    return f"{python_in(facts.venv)} says that its prefix is {facts.me.interpreter.prefix}"


CHECKS = (
    Check("python-silent", "the interpreter does not start", silent, always("fatal"), FIX, HURT, echo_of="dead"),
    Check(
        "python-stranger",
        "the interpreter is not the environment's own",
        stranger,
        always("fatal"),
        FIX,
        HURT,
        echo_of="stranger",
    ),
)
