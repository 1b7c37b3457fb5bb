"""What installed distributions require of each other. Most lines are judged without parsing them in full."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from clinic.anatomy.lock import canonical
from clinic.facts import Flavour, Platform

_PLAIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?P<rest>.*)\Z", re.DOTALL)
_EXTRA_ONLY = re.compile(r";(?!.*\bor\b).*\bextra\s*==", re.DOTALL)

_OF_WINDOWS = {"os_name": "nt", "sys_platform": "win32", "platform_system": "Windows"}


def marker_values(flavour: Flavour | None, patch: tuple[int, ...] | None, platform: Platform) -> Mapping[str, str]:
    """What markers are judged by: this environment's version and platform, not those of the tool's own python."""
    values: dict[str, str] = {"extra": ""}
    if flavour:
        values["python_version"] = f"{flavour.major}.{flavour.minor}"
        values["python_full_version"] = ".".join(map(str, patch)) if patch else f"{values['python_version']}.0"
    from clinic.anatomy.layout import here

    if platform != here() and platform == "windows":
        values |= _OF_WINDOWS
    return values


def unmet(
    requires: Sequence[str], have: Mapping[str, Sequence[str]], values: Mapping[str, str]
) -> list[tuple[str, str, str]]:
    """The requirements that no installed version satisfies: name, the line, and what is there instead."""
    found = []
    for line in requires:
        match = None if _EXTRA_ONLY.search(line) else _PLAIN.match(line)
        if match is None:
            continue
        name = canonical(match["name"])
        if not match["rest"] and name in have:
            continue
        if told := _judged(line, name, tuple(have.get(name, ())), tuple(sorted(values.items()))):
            found.append((name, line, told))
    return found


@lru_cache(maxsize=4096)
def _judged(line: str, name: str, versions: tuple[str, ...], values: tuple[tuple[str, str], ...]) -> str:
    """What is there instead; empty where the requirement holds, does not apply or can't be understood."""
    del name
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.version import InvalidVersion

    try:
        wanted = Requirement(line)
        if wanted.marker and not wanted.marker.evaluate(dict(values)):
            return ""
        if not versions:
            return "it is not installed"
        if any(wanted.specifier.contains(version, prereleases=True) for version in versions):
            return ""
    except (InvalidRequirement, InvalidVersion, ArithmeticError, KeyError, ValueError):
        return ""
    return f"installed is {' and '.join(versions)}"
