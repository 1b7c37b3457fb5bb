"""Deciding on a rebuild before anything is touched: which interpreter, which packages, from where."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from clinic import interpreters
from clinic.anatomy import cfg as grammar
from clinic.anatomy import lock
from clinic.drift import Drift, drift
from clinic.errors import RefusedError
from clinic.facts import Facts, Flavour, Interpreter
from clinic.flow.patient import Patient
from clinic.remedies import as_installed as was_there
from clinic.remedies import foreign, ground, proof
from clinic.remedies.fix_cfg import system_site_choice
from clinic.remedies.install import Source
from clinic.remedies.rebuild import Draft
from clinic.settings import Settings


@dataclass(frozen=True)
class Wish:
    """The flags of a rebuild."""

    python: str | None = None
    requirements: Path | None = None
    wheelhouse: Path | None = None
    hashes: bool = True
    as_installed: bool = False
    yes: bool = False
    offline: bool = False


@dataclass(frozen=True)
class Choice:
    """An interpreter, and why it."""

    base: Interpreter
    why: str


@dataclass(frozen=True)
class Packages:
    """What goes in. `notes` are for people; `unhashed` names what no hash can be had for."""

    sources: tuple[Source, ...]
    wanted: tuple[tuple[str, str], ...]
    drift: Drift
    notes: tuple[str, ...] = ()
    unhashed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """A rebuild that was decided on: whose, as it was seen, with which interpreter, from which file."""

    who: Patient
    facts: Facts
    choice: Choice
    path: Path
    wish: Wish


def choose(settings: Settings, facts: Facts, spec: str | None, recorded: Path | None = None) -> Choice:
    """The interpreter to build with: the one that was named, the patient's own, else the first of the settings.

    `recorded` is the base that the last known-good state names: the patient's own, where nothing else is left of it.
    """
    if spec is not None:
        named = _first(str(Path(spec).absolute()) if os.sep in spec else spec)
        if named is None:
            raise RefusedError(
                "python-missing",
                f"--python {spec}: there is no such CPython on this machine. Nothing was touched.",
                "invoke rebuild, for the one it was made for",
            )
        return Choice(named, f"--python {spec}")
    if facts.flavour and (own := _own(facts, facts.flavour)):
        return own
    if facts.flavour is None and recorded and (was := _first(str(recorded))):
        return Choice(was, "the last snapshot names it")
    for each in settings.environment.python:
        if found := _first(each):
            lost = f"; Python {facts.flavour}, which it was made for, is not here" if facts.flavour else ""
            return Choice(found, f"the first of clinic.environment.python that is here{lost}")
    raise RefusedError(
        "python-missing",
        f"None of {', '.join(settings.environment.python)} is on this machine. Nothing was touched.",
        "install one of them, or: invoke rebuild --python SPEC",
    )


def _own(facts: Facts, flavour: Flavour) -> Choice | None:
    base = facts.search.base
    if base and base.flavour == flavour:
        return Choice(base, f"its own base: {facts.search.proof}")
    found = _first(str(flavour))
    return Choice(found, f"it was made for Python {flavour}") if found else None


def _first(spec: str) -> Interpreter | None:
    found: Iterator[Interpreter] = interpreters.find(spec)
    return next((each for each in found if each.implementation == "cpython"), None)


def requirements(settings: Settings, wish: Wish) -> Path:
    """The lock to install; refused where it is not there, or holds what could not be verified."""
    path = wish.requirements or settings.environment.requirements
    try:
        loose = lock.unpinned(path)
    except (OSError, UnicodeDecodeError) as error:
        told = getattr(error, "strerror", None) or "it is not UTF-8"
        raise RefusedError(
            "lock-missing", f"{path} cannot be read: {told}. Nothing was touched.", "nox -s lock"
        ) from error
    if loose and wish.hashes:
        raise RefusedError(
            "lock-unhashed",
            f"{path.name} has lines without a version and a hash ({len(loose)}, the first: {loose[0]}), so nothing"
            " could tell whether what is installed is what was meant. Nothing was touched.",
            "compile it with hashes: nox -s lock; or take the risk: invoke rebuild --no-hashes",
        )
    ground.wheelhouse(wish.wheelhouse)
    return path


def packages(case: Case, folder: Path) -> Packages:
    """What to install. `folder` takes a requirements file if one must be written."""
    wish, base = case.wish, case.choice.base
    locked = lock.wanted(lock.read(case.path), base.flavour)
    tree = case.facts.tree
    differs = drift(((each.name, each.version) for each in tree.distributions), locked) if tree else Drift()
    if wish.as_installed:
        return _as_installed(case, differs, folder)
    complete = wish.hashes or not lock.unpinned(case.path)
    source = Source(case.path, wish.hashes, complete, wish.wheelhouse, wish.offline)
    return Packages((source,), locked, differs)


def _as_installed(case: Case, differs: Drift, folder: Path) -> Packages:
    wish, snapshot = case.wish, (case.who.snapshot or {}).get("distributions", {})
    things, lost = was_there.wanted(case.facts.tree.distributions if case.facts.tree else (), snapshot)
    if not things:
        raise RefusedError(
            "nothing-installed",
            f"Neither metadata nor a snapshot tells what was installed in {case.who.venv}. Nothing was touched.",
            "invoke rebuild",
        )
    source = Source(case.path, wheelhouse=wish.wheelhouse, offline=wish.offline)
    hashes, bare = was_there.hashed(things, lock.read(case.path), case.choice.base, source, folder)
    if bare and wish.hashes:
        raise RefusedError(
            "no-hash",
            f"No hash can be had for {', '.join(map(str, bare))}, so it could not be verified. Nothing was touched.",
            "invoke rebuild --as-installed --no-hashes installs these without; invoke rebuild follows the lock",
        )
    with_hash = [thing for thing in things if thing.name in hashes]
    files = [(with_hash, "as-installed.txt", True), (bare, "as-installed-without-hashes.txt", False)]
    return Packages(
        sources=tuple(
            replace(source, requirements=was_there.write(some, hashes, folder / name), hashes=safe)
            for some, name, safe in files
            if some
        ),
        wanted=tuple((thing.name, thing.version) for thing in things),
        drift=differs,
        notes=(f"from the last snapshot, since metadata no longer tells: {', '.join(lost)}",) if lost else (),
        unhashed=tuple(map(str, bare)),
    )


def draft(case: Case, chosen: Packages) -> Draft:
    """Everything that the new environment is to be."""
    who, facts, base = case.who, case.facts, case.choice.base
    old = grammar.parse(facts.cfg.raw) if facts.cfg and facts.cfg.raw else None
    include, _ = system_site_choice(who.settings.environment.system_site_packages, who.snapshot, old)
    had_pip = any(each.name == "pip" for each in facts.tree.distributions) if facts.tree else False
    return Draft(
        venv=who.venv,
        base=base,
        sources=chosen.sources,
        expected=proof.Expected(
            base=base,
            distributions=chosen.wanted,
            imports=_imports(case),
            module=proof.service_module(who.settings.service.command),
            likely=_likely(case),
        ),
        include=include,
        prompt=_prompt(facts, old, (who.snapshot or {}).get("prompt")),
        # An environment whose people call its pip keeps one; others (uv's) never had it, and the lock rules.
        pip=had_pip and not any(name == "pip" for name, _ in chosen.wanted) and base.version >= _SEEDABLE,
        foreign=tuple(foreign.foreign(who.venv)) if who.venv.is_dir() and not who.venv.is_symlink() else (),
    )


def _likely(case: Case) -> tuple[str, ...]:
    """What the old environment imported, if it is of the same flavour."""
    site = case.facts.tree.site_packages if case.facts.tree else None
    return proof.imported_before(site) if site and case.facts.flavour == case.choice.base.flavour else ()


_SEEDABLE = (3, 9)
"""virtualenv brings no pip for older ones."""


def _imports(case: Case) -> tuple[str, ...]:
    """What the service imports; of another environment with another lock only its packages are known."""
    environment = case.who.settings.environment
    same_lock = case.path == environment.requirements and not case.wish.as_installed
    return environment.imports if case.who.own or same_lock else ()


def _prompt(facts: Facts, old: grammar.Cfg | None, recorded: str | None) -> str | None:
    told = (old.first("prompt") if old else None) or recorded
    if told and told[:1] == told[-1:] and told[:1] in {"'", '"'}:
        told = told[1:-1]
    return told or (facts.tree.prompt if facts.tree else None)
