"""`.pth` files: what the environment's python reads and runs each time it starts."""

from __future__ import annotations

from clinic.anatomy import pth
from clinic.checks.base import FATAL, Check, Evidence, always
from clinic.checks.hurt import packages_of
from clinic.facts import Facts, Self

SURGERY = ("reinstall", "rebuild")


def undecodable(facts: Facts) -> Evidence:
    """Bytes that no interpreter can read: up to 3.12 (and in a UTF-8 locale always) it does not start."""
    return (
        tuple(
            f"{each.path}: {each.details[0]}" for each in packages_of(facts).path_files if each.problem == "undecodable"
        )
        or None
    )


def dangling(facts: Facts) -> Evidence:
    """Folders that are gone, and editable installs whose project is gone."""
    moved_along = {each.old for each in facts.places.carried}
    files = [
        f"{each.path} names {line}, which is not there"
        for each in packages_of(facts).path_files
        if each.problem == "dangling"
        for line in each.details
        if line not in moved_along
    ]
    listed = {each.owner for each in packages_of(facts).path_files if each.problem == "dangling"}
    projects = [
        f"{each.label} is an editable install of {each.project}, which is not there"
        for each in packages_of(facts).installed
        if each.project_gone and each.name not in listed and each.project not in moved_along
    ]
    return (*files, *projects) or None


def failing_lines(facts: Facts) -> dict[str, tuple[int, str]]:
    """Each `.pth` with a line that fails, less those whose distribution lacks files: that explains it."""
    if not isinstance(facts.me, Self):
        return {}
    hurt = {each.name for each in packages_of(facts).installed if each.missing or each.altered}
    owners = {str(path): owner for path, owner in packages_of(facts).start_up}
    return {path: told for path, told in pth.failed(facts.me.stderr).items() if owners.get(path, "") not in hurt}


def failing(facts: Facts) -> Evidence:
    """Lines that raise, on every start."""
    return tuple(f"{path}, line {line}: {error}" for path, (line, error) in failing_lines(facts).items()) or None


UNDECODABLE = (
    Check("pth-undecodable", "a .pth file cannot be read", undecodable, always("advice"), SURGERY, explains=FATAL),
)
CHECKS = (
    Check("pth-failing", "a .pth file fails on every start", failing, always("degraded"), SURGERY),
    Check("pth-dangling", "a .pth file leads to what is gone", dangling, always("advice"), SURGERY),
)
