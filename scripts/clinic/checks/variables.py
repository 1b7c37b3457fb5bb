"""Variables of the person's shell. The server never sees them; what is typed by hand does."""

from __future__ import annotations

from clinic.checks.base import Check, Evidence, always
from clinic.facts import Facts, Variable
from clinic.model import Action

_OF_PYTHON = ("PYTHON", "__PYVENV")


def _told(variables: list[Variable]) -> Evidence:
    return tuple(f"{each.name} is set to {each.value}: {each.does}" for each in variables) or None


def of_python(facts: Facts) -> Evidence:
    """Those that change what a python is or imports."""
    return _told([each for each in facts.variables if each.name.startswith(_OF_PYTHON)])


def of_tools(facts: Facts) -> Evidence:
    """Those that lead pip, uv and other tools to another place."""
    return _told([each for each in facts.variables if not each.name.startswith(_OF_PYTHON)])


def actions(facts: Facts, *, powershell: bool) -> tuple[Action, ...]:
    """What to type to be rid of them, in the shell that they are set in."""
    return tuple(
        Action(
            "medium-term",
            f"Remove-Item Env:{each.name}" if powershell else f"unset {each.name}",
            f"in the shell that has it: {each.does}",
        )
        for each in facts.variables
    )


# Nothing inside the environment is hurt, so it is no sicker for them, and no remedy of ours reaches a shell.
CHECKS = (
    Check("variables-of-python", "variables change what is run or imported by hand", of_python, always("advice"), ()),
    Check("variables-of-tools", "variables lead pip or uv to another place", of_tools, always("advice"), ()),
)
CODES = frozenset(check.code for check in CHECKS)
