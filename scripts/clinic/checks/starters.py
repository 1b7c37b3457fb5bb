"""The files of the environment's interpreter: there, whole, a python, the right one, and under all its names."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from clinic.anatomy import laid
from clinic.anatomy.layout import flavour_of_name, python_in
from clinic.checks.base import FATAL, Check, Evidence, always
from clinic.facts import Facts, Interpreter, Self, Silence, Starter
from clinic.model import Cause, Severity

RELINK = ("relink", "rebuild")
_IN_ORDER = (
    "python-missing",
    "python-recursive",
    "python-dangling",
    "python-truncated",
    "python-wrong-architecture",
    "python-replaced",
    "python-not-executable",
    "python-retargeted",
    "python-wrong-flavour",
)
HURT = frozenset(_IN_ORDER)
"""Damage to what `python` is or leads to: no text in pyvenv.cfg mends it."""
OTHER_PYTHON = frozenset({"python-retargeted", "python-wrong-flavour"})
"""Of these, what lets a python run that the packages are not for."""


def starter(facts: Facts, name: str = "") -> Starter | None:
    """One name of the interpreter, the plainest if none is given; None where it is not there."""
    if facts.tree is None:
        return None
    wanted = name or python_in(facts.venv, facts.tree.platform).name
    return next((each for each in facts.tree.starters if each.file.path.name == wanted), None)


def missing(facts: Facts) -> Evidence:
    """No file of that name."""
    if facts.tree is None or starter(facts) is not None:
        return None
    return (f"{python_in(facts.venv, facts.tree.platform)} is not there", *_no_other(facts))


def recursive(facts: Facts) -> Evidence:
    """Links that lead in a circle."""
    python = starter(facts)
    if python is None or not python.loops:
        return None
    return f"{python.file.path} is a link to {python.file.target}, and the links lead in a circle"


def dangling(facts: Facts) -> Evidence:
    """A link that leads nowhere."""
    python = starter(facts)
    if python is None or python.file.kind != "dangling-link" or python.loops or facts.tree is None:
        return None
    ends = [each.file for each in facts.tree.starters if each.file.kind == "dangling-link"]
    return (*(f"{file.path} is a link to {file.target}, which is not there" for file in ends), *_no_other(facts))


def _no_other(facts: Facts) -> tuple[str, ...]:
    """Where no base is known, what was looked for: the way out may lie outside of the environment."""
    if facts.search.base is not None or not facts.search.looked:
        return ()
    if facts.search.rivals:
        return (f"more than one could be its base: {', '.join(str(each.executable) for each in facts.search.rivals)}",)
    return tuple(f"looked for its base: {line}" for line in facts.search.looked)


def truncated(facts: Facts) -> Evidence:
    """Not a whole program: empty, cut short, or bytes that are none."""
    python = starter(facts)
    if python is None or python.program is None or not python.own:
        return None
    if python.program.format == "empty":
        return f"{python.end} is empty"
    if python.program.format == "unknown":
        return f"{python.end} is no executable: it starts with {python.file.magic.hex()}"
    return None if python.program.whole else f"{python.end} is cut short: {python.program} that ends too early"


def wrong_architecture(facts: Facts) -> Evidence:
    """A program of another system or machine."""
    python = starter(facts)
    if python is None or python.runs_here or python.program is None or facts.tree is None:
        return None
    foreign = facts.foreign_extension
    return (f"{python.end} is {python.program}", *([foreign] if foreign else []))


def replaced(facts: Facts) -> Evidence:
    """Something that is there, may be run, and is no python."""
    python = starter(facts)
    if python is None or python.file.kind == "dangling-link":
        return None
    if python.program is None:
        kind = {0o040000: "a folder", 0o100000: ""}.get(python.mode & 0o170000, "a device or pipe")
        return f"{python.end} is {kind}" if kind else None
    if python.own and (python.program.format == "text" or _is_alien_script(facts, python)):
        return f"{python.end} is {python.program}"
    told = dict(facts.behind).get(python.file.path.name)
    if isinstance(told, Silence) and isinstance(facts.me, Silence) and facts.search.base and not facts.base_fails:
        return f"{_leading(python)}, which is no python: {told.reason}"
    return None


def _is_alien_script(facts: Facts, python: Starter) -> bool:
    """A script may start the environment's python; one that starts another, or none, stands in its place."""
    if python.program is None or python.program.format != "script":
        return False
    if isinstance(facts.me, Self) and not facts.me.is_itself:
        told = facts.me.interpreter.told
        return told is None or not told.is_relative_to(facts.venv)
    return isinstance(facts.me, Silence)


def _leading(each: Starter) -> str:
    return f"{each.file.path} leads to {each.end}" if each.leads else str(each.file.path)


def not_executable(facts: Facts) -> Evidence:
    """Its execute bit is lost."""
    python = starter(facts)
    if python is None or python.program is None or facts.tree is None or facts.tree.platform == "windows":
        return None
    if python.mode & 0o111 or not python.own:
        return None
    return f"{python.end} has lost its execute bit (mode {python.mode & 0o777:o})"


def _other(facts: Facts, name: str) -> Interpreter | None:
    """The python of another version that a name leads to."""
    told = dict(facts.behind).get(name)
    is_other = isinstance(told, Interpreter) and facts.flavour is not None and told.flavour != facts.flavour
    return told if is_other and isinstance(told, Interpreter) else None


def retargeted(facts: Facts) -> Evidence:
    """A link that leads to a python of another minor version."""
    python = starter(facts)
    found = _other(facts, python.file.path.name) if python and python.leads else None
    if python is None or found is None or facts.flavour is None:
        return None
    if (found.flavour.major, found.flavour.minor) == (facts.flavour.major, facts.flavour.minor):
        return None
    return (f"{_leading(python)}: Python {found.flavour}; its packages are for {facts.flavour}", *_no_other(facts))


def wrong_flavour(facts: Facts) -> Evidence:
    """A python of another version, or of the other threading build, than the packages are for."""
    python = starter(facts)
    if isinstance(facts.me, Self) and facts.flavour and facts.me.interpreter.flavour != facts.flavour:
        return f"{python_in(facts.venv)}: Python {facts.me.interpreter.flavour}; its packages are for {facts.flavour}"
    found = _other(facts, python.file.path.name) if python else None
    return (
        f"{_leading(python)}: Python {found.flavour}; its packages are for {facts.flavour}"
        if found and python
        else None
    )


def aliases(facts: Facts) -> Evidence:
    """Other names that its creator lays: gone, leading nowhere, or to another python."""
    return tuple(f"{what}{_used(facts, name)}" for name, what in _astray(facts)) or None


def _astray(facts: Facts) -> Iterator[tuple[str, str]]:
    if facts.tree is None:
        return
    there = [each.file.path.name for each in facts.tree.starters if _is_for_this(facts, each.file.path.name)]
    first = {laid.plain(facts.tree.platform), "pythonw.exe"}
    for name in dict.fromkeys([*laid.names(facts.tree.creator, facts.flavour, facts.tree.platform), *there]):
        if name not in first and (what := _wrong_with(facts, name)):
            yield name, what


def _is_for_this(facts: Facts, name: str) -> bool:
    """Whether a name promises no other version than the environment's: of another one, it may be anything."""
    return flavour_of_name(name) in {None, facts.flavour}


def _wrong_with(facts: Facts, name: str) -> str:
    each = starter(facts, name)
    if each is None:
        return f"{facts.tree.scripts / name} is not there" if facts.tree else ""
    if each.file.kind == "dangling-link":
        return f"{each.file.path} is a link to {each.file.target}, which leads nowhere"
    if each.program is None or each.program.format in {"empty", "text", "unknown"} or not each.runs_here:
        return f"{each.file.path} is {each.program or 'no file'}"
    if not each.mode & 0o111 and facts.tree and facts.tree.platform == "posix":
        return f"{each.file.path} has lost its execute bit"
    found = _other(facts, name)
    return f"{_leading(each)}: Python {found.flavour}" if found else ""


def _used(facts: Facts, name: str) -> str:
    script = dict(facts.relied).get(name)
    return f", and {script} starts with it" if script else ""


def _weight_of_aliases(facts: Facts) -> Severity:
    return "degraded" if any(name in dict(facts.relied) for name, _ in _astray(facts)) else "advice"


def no_windowed(facts: Facts) -> Evidence:
    """Windows: nothing to start a server without a window with."""
    if facts.tree is None or facts.tree.platform != "windows" or starter(facts, "pythonw.exe"):
        return None
    return f"{facts.tree.scripts / 'pythonw.exe'} is not there"


def wrong_kind(facts: Facts) -> Evidence:
    """Windows: a launcher with a window in the place of one without, or the reverse."""
    found = []
    for each in facts.tree.starters if facts.tree and facts.tree.platform == "windows" else ():
        wrong = laid.wrong_subsystem(each.file.path.name, each.program.subsystem) if each.program else ""
        found += [f"{each.file.path} {wrong}: it is the launcher of the other kind"] if wrong else []
    return tuple(found) or None


def lib64(facts: Facts) -> Evidence:
    """The second name of `lib` is gone, where its creator makes one."""
    tree, base = facts.tree, facts.search.base
    if tree is None or base is None or tree.lib64 is None or not laid.has_lib64(tree.creator, base.machine):
        return None
    if tree.site_packages is None:
        return None  # `lib` is gone itself: that is said elsewhere
    if tree.lib64.kind == "missing":
        return f"{tree.lib64.path} is not there; it is a link to lib"
    return f"{tree.lib64.path} is a link to {tree.lib64.target}" if tree.lib64.kind == "dangling-link" else None


def _foreign(facts: Facts) -> frozenset[str]:
    """Packages that no python of this machine can load are no reason to keep them."""
    return frozenset({"relink"}) if facts.foreign_extension else frozenset()


def _of_gone_base(facts: Facts) -> tuple[Cause, ...]:
    python = starter(facts)
    target = python.file.target if python else ""
    return (
        Cause("base interpreter upgraded or gone", f"{target or 'its target'} is not there any more"),
        Cause("copied from another machine", "a link into a place that this machine does not have"),
    )


def _of_other_machine(_facts: Facts) -> tuple[Cause, ...]:
    return (Cause("copied from another machine", "a container, a mounted disk or another system made it"),)


def _of_moved_link(_facts: Facts) -> tuple[Cause, ...]:
    return (Cause("base interpreter upgraded or gone", "an unversioned link of the system now leads to a newer one"),)


def _file_check(
    code: str,
    title: str,
    look: Callable[[Facts], Evidence],
    causes: Callable[[Facts], tuple[Cause, ...]] = lambda _facts: (),
) -> Check:
    sooner = frozenset(_IN_ORDER[: _IN_ORDER.index(code)])
    return Check(code, title, look, always("fatal"), RELINK, sooner, causes, FATAL, withheld=_foreign)


CHECKS = (
    _file_check("python-missing", "the interpreter is missing", missing),
    _file_check("python-recursive", "the interpreter's links lead in a circle", recursive),
    _file_check("python-dangling", "the interpreter leads nowhere", dangling, _of_gone_base),
    _file_check("python-truncated", "the interpreter is not a whole program", truncated),
    _file_check(
        "python-wrong-architecture", "the interpreter is of another machine", wrong_architecture, _of_other_machine
    ),
    _file_check("python-replaced", "something else is in the interpreter's place", replaced),
    _file_check("python-not-executable", "the interpreter may not be executed", not_executable),
    _file_check("python-retargeted", "the interpreter leads to another minor version", retargeted, _of_moved_link),
    _file_check("python-wrong-flavour", "the interpreter is of another version than its packages", wrong_flavour),
)
NAMES = (
    Check("python-wrong-kind", "a launcher is of the wrong kind", wrong_kind, always("degraded"), RELINK, HURT),
    Check("pythonw-missing", "the windowless interpreter is missing", no_windowed, always("advice"), RELINK, HURT),
    Check("python-alias-broken", "another name of the interpreter is lost", aliases, _weight_of_aliases, RELINK, HURT),
    Check("lib64-missing", "lib64 is missing", lib64, always("advice"), RELINK),
)
