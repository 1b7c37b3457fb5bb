"""Re-lay the interpreter of an environment, and keep every package: links or copies, launchers, `lib64`, pyvenv.cfg.

Only what is not as it should be is replaced. What is laid, and under which names, is what the creator lays
(`anatomy.laid`); the base is the one that the evidence proves, of the packages' own minor version and threading build.
"""

from __future__ import annotations

import filecmp
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clinic.anatomy import cfg as grammar
from clinic.anatomy import laid, layout
from clinic.anatomy.there import is_file, names_in, same
from clinic.errors import RefusedError
from clinic.facts import Facts, Flavour, Interpreter, Self, Starter, Tree
from clinic.model import Receipt
from clinic.records import Records, Transaction
from clinic.remedies import fix_cfg, ground

NAME = "relink"
_MODE = 0o755


@dataclass(frozen=True)
class Step:
    """One entry that is laid anew: a link that says something, or a copy of a file."""

    path: Path
    link: str = ""
    source: Path | None = None

    def __str__(self) -> str:
        return f"link {self.path} to {self.link}" if self.link else f"copy {self.source} to {self.path}"


@dataclass(frozen=True)
class Draft:
    """What is to be done, and the base behind it."""

    venv: Path
    base: Interpreter
    proof: str
    steps: tuple[Step, ...]
    cfg: fix_cfg.Draft | None = None
    """The new pyvenv.cfg, where the old one does not name this base."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.steps and self.cfg is None


def draft(facts: Facts, cfg: fix_cfg.Draft | None) -> Draft:
    """What to lay. Raises RefusedError where no base is proven, it lacks what is needed, or the way leads out."""
    base, tree = facts.search.base, facts.tree
    if tree is None or base is None:
        raise RefusedError(
            "base-unknown",
            f"No base interpreter (Python {facts.flavour or '?'}) is proven for {facts.venv}. Nothing was touched.",
            "invoke rebuild",
        )
    kept = _wrappers(facts, tree)
    steps = (*(step for step in _interpreters(facts, tree, base) if step.path not in kept), *_lib64(tree, base))
    ground.refuse_outside(facts.venv, *(step.path.parent for step in steps))
    return Draft(facts.venv, base, facts.search.proof, steps, cfg)


def _wrappers(facts: Facts, tree: Tree) -> frozenset[Path]:
    """Scripts that stand for the interpreter and start it: somebody put them there on purpose, and they work."""
    if not isinstance(facts.me, Self) or not facts.me.is_itself:
        return frozenset()
    return frozenset(each.file.path for each in tree.starters if each.program and each.program.format == "script")


def _interpreters(facts: Facts, tree: Tree, base: Interpreter) -> Iterator[Step]:
    if tree.platform == "windows":
        return windows(tree, base.prefix, base.flavour, debug=base.executable.stem.endswith("_d"))
    lay = posix_copies if are_copies(facts, tree) else posix_links
    return lay(facts.venv, tree, base)


# POSIX


def are_copies(facts: Facts, tree: Tree) -> bool:
    """Whether the creator copied the interpreter: one link among its names is enough to say no."""
    if any(file.kind in {"link", "dangling-link"} for file in tree.interpreters):
        return False
    raw = facts.cfg.raw if facts.cfg else None
    told = (grammar.parse(raw).last("command") or "").split() if raw else []
    return bool(tree.interpreters) or not {"--copies", "--always-copy"}.isdisjoint(told)


def is_right(each: Starter, base: Interpreter) -> bool:
    """Whether a name leads to the base, or is an executable copy of it."""
    if each.program is None or not each.mode & 0o111:
        return False
    return same(each.end, base.real) or _equal(each.end, base.real)


def _equal(one: Path, other: Path) -> bool:
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def _wrong(tree: Tree, base: Interpreter) -> list[str]:
    """The names to lay: what the creator lays, and what else is there for this version; less what is right."""
    found = {each.file.path.name: each for each in tree.starters}
    there = [name for name in found if layout.flavour_of_name(name) in {None, base.flavour}]
    # venv lays the name that it was called by as well: python3.14t, which `laid.names` does not list.
    called = [] if found or tree.creator != "venv" else [base.executable.name]
    wanted = dict.fromkeys([*laid.names(tree.creator, base.flavour, tree.platform), *there, *_led_to(tree, base)])
    wanted |= dict.fromkeys(name for name in called if layout.is_interpreter_name(name))
    return [name for name in wanted if name not in found or not is_right(found[name], base)]


def _led_to(tree: Tree, base: Interpreter) -> list[str]:
    """The names that links beside them lead to, whether they are there or not; none of another version."""
    beside = [str(each.file.target) for each in tree.starters if each.file.target and not each.loops]
    return [name for name in beside if layout.is_interpreter_name(name) and _is_for(name, base)]


def _is_for(name: str, base: Interpreter) -> bool:
    """Whether a name promises no other minor version than the base's; a free-threaded one is also a python3.14."""
    flavour = layout.flavour_of_name(name)
    return flavour is None or flavour in {base.flavour, replace(base.flavour, free_threaded=False)}


def posix_links(venv: Path, tree: Tree, base: Interpreter) -> Iterator[Step]:
    """One link to the base, by an absolute path, and the other names beside it as links to that one."""
    wrong = _wrong(tree, base)
    anchor = _anchor(venv, tree, base, frozenset(wrong))
    if anchor in wrong:
        yield Step(tree.scripts / anchor, link=str(base.executable))
    for name in wrong:
        if name != anchor and not _follows(tree, name, anchor, wrong):
            yield Step(tree.scripts / name, link=anchor)


def _anchor(venv: Path, tree: Tree, base: Interpreter, wrong: frozenset[str]) -> str:
    """The name that leads out: one that still does so rightly, one that did, one that others lead to, the creator's."""
    out = [
        each.file.path.name
        for each in tree.starters
        if Path(each.file.target or "").is_absolute() and not each.leads[0].is_relative_to(venv)
    ]
    told = [name for name in out if name not in wrong] + out + _led_to(tree, base)
    if told:
        return told[0]
    by_name = base.executable.name
    return by_name if tree.creator == "venv" and by_name in wrong else "python"


def _follows(tree: Tree, name: str, anchor: str, wrong: list[str]) -> bool:
    """Whether a name is whole again as soon as the others are: a link to a name beside it that is laid anew."""
    each = next((each for each in tree.starters if each.file.path.name == name), None)
    if each is None or each.loops or anchor not in wrong:
        return False
    return each.file.target == anchor


def posix_copies(venv: Path, tree: Tree, base: Interpreter) -> Iterator[Step]:
    """A copy of the base's executable under each name; virtualenv copies its library as well."""
    for name in _wrong(tree, base):
        yield Step(tree.scripts / name, source=base.real)
    library = base.base_prefix / "lib" / f"libpython{base.flavour}.so.1.0"
    copy = venv / "lib" / library.name
    is_shared = tree.creator == "virtualenv" and is_file(library) and _links(base.real, library.name)
    if is_shared and not _equal(copy, library):
        yield Step(copy, source=library)


def _links(program: Path, library: str) -> bool:
    """Whether a program asks for a shared library by that name."""
    return library.encode("ascii") in program.read_bytes()


def _lib64(tree: Tree, base: Interpreter) -> Iterator[Step]:
    lost = tree.lib64 is not None and tree.lib64.kind in {"missing", "dangling-link"}
    if tree.lib64 and lost and laid.has_lib64(tree.creator, base.machine):
        yield Step(tree.lib64.path, link="lib")


# Windows


def windows(tree: Tree, prefix: Path, flavour: Flavour, *, debug: bool = False) -> Iterator[Step]:
    """Copies of the launchers that the base keeps for its environments. Raises RefusedError where it has none."""
    folder = prefix.joinpath(*laid.LAUNCHERS)
    pairs = laid.launchers(tree.creator, flavour, frozenset(names_in(folder)), debug=debug)
    if not any(name == "python.exe" for name, _ in pairs):
        raise RefusedError(
            "no-launchers",
            f"The base in {prefix} has no launchers in {folder}, as an embedded Python has none. Nothing was touched.",
            "invoke rebuild",
        )
    for name, source in pairs:
        if not _equal(tree.scripts / name, folder / source):
            yield Step(tree.scripts / name, source=folder / source)


# Doing it


def apply(
    plan: Draft, records: Records, look: Callable[[], Facts], packages_hurt: Callable[[], bool], **damage: Any
) -> tuple[Receipt, Facts, str]:
    """Lay, look again, and keep it if the python says that it is the right one; else put everything back.

    Returns the receipt, the facts after, and why it did not hold (empty if it did).
    """
    with records.transaction(NAME, plan.venv, base=str(plan.base.executable), proof=plan.proof, **damage) as change:
        for step in plan.steps:
            lay(step, change)
        if plan.cfg:
            fix_cfg.write(plan.cfg, change)
        after = look()
        objection = fix_cfg.unproved(after, plan.base, packages_hurt)
        return (change.put_back() if objection else change.commit()), after, objection


def lay(step: Step, change: Transaction) -> None:
    """Lay one entry; what was there goes to the stash."""
    if step.source is None:
        change.link(step.path, step.link)
        return
    # Aside first: Windows renames a program that runs, and does not replace it.
    change.stash(step.path)
    change.write(step.path, step.source.read_bytes(), mode=_MODE)
