"""Findings to ways out: the cheapest sufficient one, the others with their trade-offs, and what to type next. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, combinations

from clinic.model import Action, Finding, Option

_TRADE_OFFS: tuple[Option, ...] = (
    Option(
        "fix-cfg",
        recommended=False,
        keeps_packages=True,
        needs_network=False,
        estimate_seconds=1.0,
        advantages=("keeps every package", "needs no network", "undone by one command"),
        disadvantages=("mends pyvenv.cfg only, not packages or the interpreter",),
    ),
    Option(
        "relink",
        recommended=False,
        keeps_packages=True,
        needs_network=False,
        estimate_seconds=1.2,
        advantages=("keeps every package", "needs no network", "undone by one command"),
        disadvantages=("mends the interpreter and pyvenv.cfg only, not packages", "needs a base of the same version"),
    ),
    Option(
        "rescript",
        recommended=False,
        keeps_packages=True,
        needs_network=False,
        estimate_seconds=1.0,
        advantages=("keeps every package", "needs no network", "undone by one command"),
        disadvantages=("mends the paths in scripts and activation only, not packages or the interpreter",),
    ),
    Option(
        "reinstall",
        recommended=False,
        keeps_packages=True,
        needs_network=True,
        estimate_seconds=4.0,
        advantages=("touches the hurt distributions only", "undone by one command"),
        disadvantages=("mends packages only, not the interpreter", "needs an index, a cache or a wheelhouse"),
    ),
    Option(
        "rebuild",
        recommended=False,
        keeps_packages=False,
        needs_network=True,
        estimate_seconds=15.0,
        advantages=("everything is as the lock says", "cures every damage inside the environment"),
        disadvantages=(
            "packages beyond the lock are not carried over",
            "needs an index, a cache or a wheelhouse",
        ),
    ),
    Option(
        "unblock",
        recommended=False,
        keeps_packages=True,
        needs_network=False,
        estimate_seconds=2.0,
        advantages=("a healthy server at once", "touches nothing"),
        disadvantages=("a stopgap: the environment stays as sick as it is",),
    ),
)
_ORDER = ("fix-cfg", "relink", "rescript", "reinstall", "rebuild")
_BORROWED = frozenset({"fix-cfg", "relink", "rescript"})
"""What these cure is no matter to a base interpreter that borrows the packages."""
_NEED_BASE = frozenset({"fix-cfg", "relink"})
_COVERS = {"relink": frozenset({"fix-cfg"})}
"""Laying the interpreter anew writes pyvenv.cfg too: what that would cure needs no step of its own then."""
_COMMANDS = {"relink": "heal --no-rebuild", "rescript": "heal --no-rebuild", "reinstall": "heal --no-rebuild"}
"""What is typed for a remedy that is no command of its own."""
_COST = {option.id: option.estimate_seconds for option in _TRADE_OFFS}
_KEEPS = frozenset(option.id for option in _TRADE_OFFS if option.keeps_packages)


_FIRST = frozenset({"not-writable"})
"""What stands in the way of every remedy, and is mended by hand."""


def command(*remedies: str) -> str:
    """What is typed to have these remedies applied; a look where there is none."""
    if len(remedies) > 1:
        return "invoke heal" if "rebuild" in remedies else "invoke heal --no-rebuild"
    remedy = remedies[0] if remedies else "diagnose"
    return f"invoke {_COMMANDS.get(remedy, remedy)}"


def way_out(options: tuple[Option, ...]) -> str:
    """What is typed to have what is recommended of these options applied."""
    return command(*(option.id for option in options if option.recommended))


def options(findings: tuple[Finding, ...], *, base_known: bool) -> tuple[Option, ...]:
    """The ways out, where there is something to get out of; those of the cheapest course are recommended."""
    best = recommended(findings, base_known=base_known)
    possible = {name for name in _able(base_known) if any(name in finding.cured_by for finding in findings)}
    possible |= {"unblock"} if any(finding.severity == "fatal" for finding in findings) else set()
    offered = (_by_lifeboat(option, findings) for option in _TRADE_OFFS if option.id in possible)
    return tuple(_marked(option, option.id in best) for option in offered)


def _by_lifeboat(option: Option, findings: tuple[Finding, ...]) -> Option:
    """Of a stopgap: where the packages are what is hurt, they can't be borrowed, and others have to be had."""
    fatal = [finding for finding in findings if finding.severity == "fatal"]
    if option.id != "unblock" or all(_BORROWED.intersection(finding.cured_by) for finding in fatal):
        return option
    from dataclasses import replace

    return replace(option, needs_network=True, estimate_seconds=5.0)


def _able(base_known: bool) -> tuple[str, ...]:
    return tuple(name for name in _ORDER if base_known or name not in _NEED_BASE)


def _marked(option: Option, chosen: bool) -> Option:
    from dataclasses import replace

    return replace(option, recommended=chosen)


def recommended(findings: tuple[Finding, ...], *, base_known: bool) -> tuple[str, ...]:
    """The cheapest remedies that cure what makes the patient sick (or all advice, if there is nothing else)."""
    sick = tuple(finding for finding in findings if finding.severity != "advice") or findings
    return course(sick, base_known=base_known)


def course(
    findings: tuple[Finding, ...], *, base_known: bool, without: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """The remedies to apply, in order: of all sets that cure what can be cured, the one that takes the least time.

    `without` are not to be used, because somebody said so or because they were tried in vain.
    """
    able = [name for name in _able(base_known) if name not in without]
    curable = [finding for finding in findings if _cured(finding, able, findings)]
    sets = chain.from_iterable(combinations(able, size) for size in range(len(able) + 1))
    enough = [names for names in sets if all(_cured(finding, names, findings) for finding in curable)]
    return min(enough, key=_cost)


def _cured(finding: Finding, remedies: Iterable[str], findings: tuple[Finding, ...]) -> bool:
    """Whether one of the remedies cures it, by the way or on purpose; what nobody needs cures nothing by the way."""
    needed = [name for name in remedies if any(name in each.cured_by for each in findings)]
    return any({name, *_COVERS.get(name, ())} & set(finding.cured_by) for name in needed)


def _cost(remedies: Iterable[str]) -> float:
    return sum(_COST[name] for name in remedies)


def next_actions(findings: tuple[Finding, ...], *, base_known: bool, flags: str = "") -> tuple[Action, ...]:
    """What to type, in order. `flags` is what leads a command to this environment (`--venv …`)."""
    best = recommended(findings, base_known=base_known)
    sick = any(finding.severity != "advice" for finding in findings)
    fatal = any(finding.severity == "fatal" for finding in findings)
    barred = [finding for finding in findings if finding.code in _FIRST]
    actions = [Action("immediate", f.by_hand, f"{f.title}: no repair works before") for f in barred if sick]
    if best and sick:
        actions.append(Action("immediate", f"{command(*best)}{flags}", _why(best, findings)))
    elif best:
        why = "harmless today; other tools may stumble over it"
        actions.append(Action("medium-term", f"{_by_name(best, findings)}{flags}", why))
    if fatal and (not best or _cost(best) > _COST["unblock"]):
        actions.append(
            Action("immediate", f"invoke unblock{flags}", "a healthy server while the environment is mended")
        )
    if best and sick:
        actions.append(Action("short-term", f"invoke validate{flags}", "proves that the cure worked, server included"))
    stuck = [f for f in findings if not (f.cured_by or f.by_hand) and (f.severity != "advice" or not best)]
    actions += [Action("short-term", f"fix by hand: {f.title}", f.evidence[0]) for f in stuck]
    done = {action.command for action in actions}
    return (
        *actions,
        *(Action("medium-term", f.by_hand, f.title) for f in findings if f.by_hand and f.by_hand not in done),
    )


def _by_name(best: tuple[str, ...], findings: tuple[Finding, ...]) -> str:
    """What is typed for advice: `heal` follows none of its own accord, so it is told which."""
    typed = command(*best)
    if not typed.startswith("invoke heal"):
        return typed
    codes = dict.fromkeys(finding.code for finding in findings if _cured(finding, best, findings))
    return " ".join([typed, *(f"--only {code}" for code in codes)])


def _why(best: tuple[str, ...], findings: tuple[Finding, ...]) -> str:
    codes = ", ".join(finding.code for finding in findings if _cured(finding, best, findings))
    return f"cures {codes}" + (" and keeps every package" if _KEEPS.issuperset(best) else "")
