"""Console scripts: there, and starting this environment's python."""

from __future__ import annotations

from clinic.anatomy.layout import pure
from clinic.checks.base import Check
from clinic.checks.hurt import singles, told, weighed
from clinic.facts import Facts
from clinic.place_facts import Script

REINSTALL = ("reinstall", "rebuild")
RESCRIPT = ("rescript", "reinstall", "rebuild")
Found = list[tuple[str, str]]


def missing(facts: Facts) -> Found:
    """Recorded, and not there."""
    folder = facts.tree.scripts if facts.tree else ""
    return [
        (each.name, f"{folder}/{name} of {each.label} is missing")
        for each in singles(facts)
        for name in each.scripts_missing
    ]


def stale(facts: Facts) -> Found:
    """Starting with the interpreter of another place; what is no entry point counts where that is the old one."""
    strays = [("", f"{each.path} starts with {each.interpreter}") for each in strangers(facts)]
    return [*_stale(facts, launchers=False), *strays]


def stale_launchers(facts: Facts) -> Found:
    """The same for the programs that Windows has in the place of scripts."""
    return _stale(facts, launchers=True)


def _stale(facts: Facts, *, launchers: bool) -> Found:
    folder = facts.tree.scripts if facts.tree else ""
    return [
        (each.name, f"{folder}/{name} of {each.label} starts with {interpreter}")
        for each in singles(facts)
        for name, interpreter in each.scripts_stale
        if name.lower().endswith(".exe") == launchers
    ]


def strangers(facts: Facts) -> tuple[Script, ...]:
    """Other scripts that start from where the environment lay, which is nobody else's python.

    Whoever owns them: pip's `pip3.13` is no entry point, and in a copy what it names is still there. Of those that
    name another place that is gone, only what no distribution owns: the others are judged by their RECORD.
    """
    if facts.tree is None:
        return ()
    platform, name = facts.tree.platform, facts.tree.scripts.name
    old = {pure(place, platform) / name for place in facts.places.elsewhere}
    judged = dict(stale for each in singles(facts) for stale in each.scripts_stale)
    gone = {each.interpreter for each in facts.places.scripts if not each.is_there} & set(judged.values())
    return tuple(
        each
        for each in facts.places.scripts
        if not each.is_here
        and each.path.name not in judged
        and (pure(each.interpreter, platform).parent in old or (not each.owner and each.interpreter in gone))
    )


CHECKS = (
    Check(
        "script-missing",
        "console scripts are missing",
        told(missing),
        weighed(missing, breaks_imports=False),
        REINSTALL,
        frozenset({"site-packages-empty"}),
    ),
    Check(
        "script-stale",
        "console scripts start another Python",
        told(stale),
        weighed(stale, breaks_imports=False),
        RESCRIPT,
        frozenset({"venv-moved"}),
    ),
    Check(
        "launcher-stale",
        "launchers start another Python",
        told(stale_launchers),
        weighed(stale_launchers, breaks_imports=False),
        RESCRIPT,
        frozenset({"venv-moved"}),
    ),
)
