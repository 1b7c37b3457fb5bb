"""What the environment's python reads and runs each time it starts: `.pth` files, sitecustomize, its base."""

from __future__ import annotations

from clinic.anatomy import layout, pth
from clinic.checks.base import FATAL, Check, Evidence, always
from clinic.checks.effects import Effect
from clinic.checks.hurt import packages_of
from clinic.facts import Facts, Self
from clinic.model import Cause

SURGERY = ("reinstall", "rebuild")
DEAD: frozenset[Effect] = frozenset({"dead"})


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
    """Each `.pth` of the environment with a line that fails, less those whose distribution lacks files.

    The python complains of its base's files as well where it sees them: those are no damage of the environment.
    """
    tree, told = facts.tree, facts.me
    if not isinstance(told, Self) or tree is None or tree.site_packages is None:
        return {}
    site, complaints = layout.pure(str(tree.site_packages), tree.platform), pth.failed(told.stderr)
    mine = {path: why for path, why in complaints.items() if layout.pure(path, tree.platform).is_relative_to(site)}
    hurt = {each.name for each in packages_of(facts).installed if each.missing or each.altered}
    owners = {str(path): owner for path, owner in packages_of(facts).start_up}
    return {path: why for path, why in mine.items() if owners.get(path, "") not in hurt}


def failing(facts: Facts) -> Evidence:
    """Lines that raise, end the interpreter or keep it waiting, on every start."""
    raising = [f"{path}, line {line}: {error}" for path, (line, error) in failing_lines(facts).items()]
    return (*raising, *(f"{hook.path}: {hook.told}" for hook in facts.hooks if hook.path.suffix == ".pth")) or None


def in_the_way(facts: Facts) -> tuple[str, ...]:
    """The `.pth` files with such lines."""
    return (*failing_lines(facts), *(str(hook.path) for hook in facts.hooks if hook.path.suffix == ".pth"))


def customizations(facts: Facts) -> tuple[str, ...]:
    """Each sitecustomize or usercustomize of the environment that fails: the file, or the folder of a package."""
    paths = (hook.path for hook in facts.hooks if hook.path.suffix != ".pth")
    return tuple(str(path.parent if path.name == "__init__.py" else path) for path in paths)


def customizing(facts: Facts) -> Evidence:
    """A sitecustomize or usercustomize that raises, ends the interpreter or keeps it waiting."""
    return tuple(f"{hook.path}: {hook.told}" for hook in facts.hooks if hook.path.suffix != ".pth") or None


def base_fails(facts: Facts) -> Evidence:
    """The environment's python does not start because its base does not."""
    return facts.base_fails or None


def _of_broken_base(_facts: Facts) -> tuple[Cause, ...]:
    return (
        Cause("base interpreter upgraded half-way, or partly removed", "it does not start by itself either"),
        Cause("disk or file system trouble", "its standard library cannot be read"),
    )


BASE = (
    Check(
        "base-broken",
        "the base interpreter does not start",
        base_fails,
        always("fatal"),
        ("rebuild",),
        causes=_of_broken_base,
        explains=DEAD,
    ),
)
STARTING = (
    Check("pth-undecodable", "a .pth file cannot be read", undecodable, always("advice"), SURGERY, explains=FATAL),
    Check("pth-failing", "a .pth file fails on every start", failing, always("degraded"), SURGERY, explains=DEAD),
    Check(
        "sitecustomize-failing",
        "a sitecustomize fails on every start",
        customizing,
        always("degraded"),
        SURGERY,
        explains=DEAD,
    ),
)
CHECKS = (Check("pth-dangling", "a .pth file leads to what is gone", dangling, always("advice"), SURGERY),)
