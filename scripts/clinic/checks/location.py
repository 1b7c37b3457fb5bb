"""Where an environment's own files say that it lies: all of them elsewhere, or only some."""

from __future__ import annotations

from clinic.anatomy.layout import pure
from clinic.checks import scripts
from clinic.checks.base import Check, Evidence, always
from clinic.checks.hurt import told, weighed
from clinic.checks.reading import is_windows
from clinic.facts import Facts
from clinic.model import Severity
from clinic.place_facts import Activation, Obstacle, Script

RESCRIPT = ("rescript", "rebuild")


def _elsewhere(facts: Facts) -> list[Activation]:
    return [each for each in facts.places.activations if each.recorded and not each.is_here]


def _left_behind(facts: Facts) -> list[str]:
    return [line for _, line in (*scripts.stale(facts), *scripts.stale_launchers(facts))]


def _is_moved(facts: Facts) -> bool:
    """Its activation names another place, and so do scripts, if it has any: else somebody only wrote an activation."""
    right = any(each.owner and each.is_here for each in facts.places.scripts)
    return bool(_elsewhere(facts)) and (bool(_left_behind(facts)) or not right)


def moved(facts: Facts) -> Evidence:
    """Its scripts name another place."""
    if not _is_moved(facts):
        return None
    first, behind = _elsewhere(facts)[0], _left_behind(facts)
    more = [f"{len(behind)} scripts start from there, the first: {behind[0]}"] if behind else []
    carried = [f"{each.file} names {each.old}, which is {each.new} now" for each in facts.places.carried]
    return (_says(facts, first), *more, *carried)


def _says(facts: Facts, each: Activation) -> str:
    return f"{each.path} says that the environment lies at {each.recorded}, not at {facts.venv}"


def stale(facts: Facts) -> Evidence:
    """Activation scripts name another place, while the console scripts are right."""
    return None if _is_moved(facts) else tuple(_says(facts, each) for each in _elsewhere(facts)) or None


def damaged(facts: Facts) -> Evidence:
    """Activation scripts that activate nothing."""
    return tuple(f"{each.path} {each.problem}" for each in facts.places.activations if each.problem) or None


def _harm(facts: Facts) -> Severity:
    """A file that is not there cannot mislead anybody; an empty one leaves people in another Python."""
    lost = all(each.problem == "is not there" for each in facts.places.activations if each.problem)
    return "advice" if lost else "degraded"


def _kept_from_starting(facts: Facts, kind: Obstacle) -> list[Script]:
    return [each for each in facts.places.scripts if each.obstacle == kind]


def too_long(facts: Facts) -> list[tuple[str, str]]:
    """The kernel takes so much of a first line, and no more."""
    return [
        (each.owner, f"{each.path} starts with a line of more bytes than this kernel takes: #!{each.interpreter}")
        for each in _kept_from_starting(facts, "too-long")
    ]


def blank(facts: Facts) -> list[tuple[str, str]]:
    """The kernel takes a blank for the end of the path."""
    return [
        (each.owner, f"{each.path} starts with a path that has a blank in it: #!{each.interpreter}")
        for each in _kept_from_starting(facts, "blank")
    ]


def not_ascii(facts: Facts) -> Evidence:
    """Launchers of Windows that read their own path in a code page fall back to another python, in silence."""
    if not is_windows(facts) or facts.tree is None:
        return None
    path = facts.tree.recorded_path or str(facts.venv)
    if path.isascii():
        return None
    plain = pure(path, "windows").anchor or "C:\\"
    return f"{path} is not plain ASCII: some launchers of Windows do not find it; a folder like {plain}bridge is safe"


CHECKS = (
    Check("venv-moved", "the environment was moved or copied", moved, always("degraded"), RESCRIPT),
    Check("activate-stale", "activation leads to another place", stale, always("degraded"), RESCRIPT),
    Check("activate-damaged", "activation does nothing", damaged, _harm, RESCRIPT),
)
OF_SCRIPTS = (
    Check(
        "shebang-too-long",
        "console scripts do not start: their path is too long",
        told(too_long),
        weighed(too_long, breaks_imports=False),
        RESCRIPT,
    ),
    Check(
        "shebang-blank",
        "console scripts do not start: their path has a blank",
        told(blank),
        weighed(blank, breaks_imports=False),
        RESCRIPT,
    ),
    Check("venv-path-not-ascii", "the environment's path is not plain ASCII", not_ascii, always("advice"), ()),
)
