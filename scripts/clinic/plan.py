"""Findings to ways out: the cheapest sufficient one, the others with their trade-offs, and what to type next. Pure."""

from __future__ import annotations

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
_ORDER = ("fix-cfg", "rescript", "reinstall", "rebuild")
_COMMANDS = {"rescript": "heal --no-rebuild", "reinstall": "heal --no-rebuild"}
"""What is typed for a remedy that is no command of its own."""


def command(remedy: str) -> str:
    """What is typed to have a remedy applied."""
    return f"invoke {_COMMANDS.get(remedy, remedy)}"


_COST = {option.id: option.estimate_seconds for option in _TRADE_OFFS}


def options(findings: tuple[Finding, ...], *, base_known: bool) -> tuple[Option, ...]:
    """The ways out, where there is something to get out of; the cheapest that suffices is recommended."""
    if not findings:
        return ()
    best = recommended(findings, base_known=base_known)
    possible = {
        "fix-cfg": base_known and any("fix-cfg" in finding.cured_by for finding in findings),
        "rescript": any("rescript" in finding.cured_by for finding in findings),
        "reinstall": any("reinstall" in finding.cured_by for finding in findings),
        "rebuild": any("rebuild" in finding.cured_by for finding in findings),
        "unblock": any(finding.severity == "fatal" for finding in findings),
    }
    return tuple(_marked(option, option.id == best) for option in _TRADE_OFFS if possible[option.id])


def _marked(option: Option, chosen: bool) -> Option:
    from dataclasses import replace

    return replace(option, recommended=chosen)


def recommended(findings: tuple[Finding, ...], *, base_known: bool) -> str | None:
    """The cheapest remedy that cures all that makes the patient sick (or all advice, if there is nothing else)."""
    sick = [finding for finding in findings if finding.severity != "advice"] or list(findings)
    for remedy in _ORDER:
        if all(remedy in finding.cured_by for finding in sick) and (remedy != "fix-cfg" or base_known):
            return remedy
    return None


def course(
    findings: tuple[Finding, ...], *, base_known: bool, without: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """The remedies to apply, in order: of all sets that cure what can be cured, the one that takes the least time.

    `without` are not to be used, because somebody said so or because they were tried in vain.
    """
    able = [name for name in _ORDER if name not in without and (name != "fix-cfg" or base_known)]
    curable = [finding for finding in findings if set(finding.cured_by) & set(able)]
    sets = chain.from_iterable(combinations(able, size) for size in range(len(able) + 1))
    enough = [names for names in sets if all(set(finding.cured_by) & set(names) for finding in curable)]
    return min(enough, key=lambda names: sum(_COST[name] for name in names))


def next_actions(findings: tuple[Finding, ...], *, base_known: bool, flags: str = "") -> tuple[Action, ...]:
    """What to type, in order. `flags` is what leads a command to this environment (`--venv …`)."""
    if not findings:
        return ()
    best = recommended(findings, base_known=base_known)
    sick = any(finding.severity != "advice" for finding in findings)
    fatal = any(finding.severity == "fatal" for finding in findings)
    actions = []
    if best and sick:
        actions.append(Action("immediate", f"invoke {_COMMANDS.get(best, best)}{flags}", _why(best, findings)))
    elif best:
        actions.append(
            Action(
                "medium-term",
                f"invoke {_COMMANDS.get(best, best)}{flags}",
                "harmless today; other tools may stumble over it",
            )
        )
    if fatal and best != "fix-cfg":
        actions.append(
            Action("immediate", f"invoke unblock{flags}", "a healthy server while the environment is mended")
        )
    if best and sick:
        actions.append(Action("short-term", f"invoke validate{flags}", "proves that the cure worked, server included"))
    if best == "rebuild" or not best:
        actions += [Action("short-term", f"fix by hand: {f.title}", f.evidence[0]) for f in findings if not f.cured_by]
    return tuple(actions)


def _why(best: str, findings: tuple[Finding, ...]) -> str:
    codes = ", ".join(finding.code for finding in findings if best in finding.cured_by)
    return f"cures {codes}" + (" and keeps every package" if best in {"fix-cfg", "rescript"} else "")
