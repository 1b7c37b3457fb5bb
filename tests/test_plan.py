"""Findings to ways out: the cheapest sufficient one is recommended."""

from __future__ import annotations

import pytest

from clinic import plan
from clinic.model import Finding, Severity

BOTH, REBUILD = ("fix-cfg", "rebuild"), ("rebuild",)
RELINK, REINSTALL = ("relink", "rebuild"), ("reinstall", "rebuild")


def finding(code: str = "x", severity: Severity = "fatal", cured_by: tuple[str, ...] = BOTH) -> Finding:
    return Finding(code, severity, f"title of {code}", ("evidence",), (), cured_by)


def test_health_is_an_empty_plan() -> None:
    assert plan.options((), base_known=True) == ()
    assert plan.next_actions((), base_known=True) == ()
    assert plan.recommended((), base_known=True) == ()


@pytest.mark.parametrize(
    ("findings", "base_known", "best"),
    [
        ((finding(),), True, ("fix-cfg",)),
        ((finding(),), False, ("rebuild",)),
        ((finding(), finding("y", cured_by=REBUILD)), True, ("rebuild",)),
        ((finding(), finding("y", "advice", REBUILD)), True, ("fix-cfg",)),
        ((finding("y", "advice"),), True, ("fix-cfg",)),
        ((finding(cured_by=()),), True, ()),
        ((finding(), finding("y", cured_by=())), True, ("fix-cfg",)),
        ((finding(cured_by=RELINK),), True, ("relink",)),
        ((finding(cured_by=RELINK),), False, ("rebuild",)),
        ((finding(), finding("y", cured_by=RELINK)), True, ("relink",)),
        ((finding(), finding("y", cured_by=REINSTALL)), True, ("fix-cfg", "reinstall")),
        ((finding(cured_by=RELINK), finding("y", cured_by=REINSTALL)), True, ("relink", "reinstall")),
        ((finding(cured_by=RELINK), finding("y", cured_by=REINSTALL)), False, ("rebuild",)),
    ],
)
def test_the_cheapest_that_suffices(findings: tuple[Finding, ...], base_known: bool, best: tuple[str, ...]) -> None:
    assert plan.recommended(findings, base_known=base_known) == best
    options = plan.options(findings, base_known=base_known)
    assert tuple(option.id for option in options if option.recommended) == best
    assert plan.way_out(options) == plan.command(*best)


def test_relink_covers_a_cfg_only_where_the_interpreter_is_hurt() -> None:
    without = frozenset({"fix-cfg"})
    assert plan.course((finding(),), base_known=True, without=without) == ("rebuild",)
    hurt = (finding(), finding("y", cured_by=RELINK))
    assert plan.course(hurt, base_known=True, without=without) == ("relink",)


@pytest.mark.parametrize(
    ("remedies", "typed"),
    [
        ((), "invoke diagnose"),
        (("fix-cfg",), "invoke fix-cfg"),
        (("relink",), "invoke heal --no-rebuild"),
        (("reinstall",), "invoke heal --no-rebuild"),
        (("rebuild",), "invoke rebuild"),
        (("fix-cfg", "reinstall"), "invoke heal --no-rebuild"),
        (("fix-cfg", "rebuild"), "invoke heal"),
    ],
)
def test_one_command_for_a_course(remedies: tuple[str, ...], typed: str) -> None:
    assert plan.command(*remedies) == typed


def test_the_next_action_names_what_a_set_of_remedies_cures() -> None:
    findings = (finding("x"), finding("y", cured_by=REINSTALL))
    first = plan.next_actions(findings, base_known=True, flags=" --venv X")[0]
    assert (first.priority, first.command) == ("immediate", "invoke heal --no-rebuild --venv X")
    assert first.why == "cures x, y and keeps every package"


def test_actions_start_with_the_cure_and_lead_to_this_environment() -> None:
    first, *rest = plan.next_actions((finding(),), base_known=True, flags=" --venv X")
    assert (first.priority, first.command) == ("immediate", "invoke fix-cfg --venv X")
    assert any(action.command.startswith("invoke validate") for action in rest)


def test_what_no_command_cures_is_told_by_its_title() -> None:
    actions = plan.next_actions((finding(cured_by=()),), base_known=True)
    assert any("title of x" in action.command for action in actions)


def test_advice_is_not_urgent() -> None:
    assert {a.priority for a in plan.next_actions((finding(severity="advice"),), base_known=True)} == {"medium-term"}


def test_advice_is_named_where_heal_is_typed() -> None:
    """Of its own accord `heal` follows none, and would be recommended again for ever."""
    findings = (finding("a", "advice", RELINK), finding("b", "advice", REINSTALL), finding("c", "advice", ()))
    first = plan.next_actions(findings, base_known=True, flags=" --venv X")[0]
    assert first.command == "invoke heal --no-rebuild --only a --only b --venv X"
    assert plan.next_actions((finding(severity="advice"),), base_known=True)[0].command == "invoke fix-cfg"
