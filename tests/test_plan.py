"""Findings to ways out: the cheapest sufficient one is recommended."""

from __future__ import annotations

import pytest

from clinic import plan
from clinic.model import Finding, Severity

BOTH, REBUILD = ("fix-cfg", "rebuild"), ("rebuild",)


def finding(code: str = "x", severity: Severity = "fatal", cured_by: tuple[str, ...] = BOTH) -> Finding:
    return Finding(code, severity, f"title of {code}", ("evidence",), (), cured_by)


def test_health_is_an_empty_plan() -> None:
    assert plan.options((), base_known=True) == ()
    assert plan.next_actions((), base_known=True) == ()
    assert plan.recommended((), base_known=True) in {None, "fix-cfg"}


@pytest.mark.parametrize(
    ("findings", "base_known", "best"),
    [
        ((finding(),), True, "fix-cfg"),
        ((finding(),), False, "rebuild"),
        ((finding(), finding("y", cured_by=REBUILD)), True, "rebuild"),
        ((finding(), finding("y", "advice", REBUILD)), True, "fix-cfg"),
        ((finding("y", "advice"),), True, "fix-cfg"),
        ((finding(cured_by=()),), True, None),
    ],
)
def test_the_cheapest_that_suffices(findings: tuple[Finding, ...], base_known: bool, best: str | None) -> None:
    assert plan.recommended(findings, base_known=base_known) == best
    marked = [option.id for option in plan.options(findings, base_known=base_known) if option.recommended]
    assert marked == ([best] if best else [])


def test_actions_start_with_the_cure_and_lead_to_this_environment() -> None:
    first, *rest = plan.next_actions((finding(),), base_known=True, flags=" --venv X")
    assert (first.priority, first.command) == ("immediate", "invoke fix-cfg --venv X")
    assert any(action.command.startswith("invoke validate") for action in rest)


def test_what_no_command_cures_is_told_by_its_title() -> None:
    actions = plan.next_actions((finding(cured_by=()),), base_known=True)
    assert any("title of x" in action.command for action in actions)


def test_advice_is_not_urgent() -> None:
    assert {a.priority for a in plan.next_actions((finding(severity="advice"),), base_known=True)} == {"medium-term"}
