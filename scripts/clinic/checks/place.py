"""The environment's folder: there, a folder, an environment, and where its scripts say that it lies."""

from __future__ import annotations

import os

from clinic.checks.base import Check, Evidence, always
from clinic.facts import Facts

REBUILD = ("rebuild",)
ABSENT = frozenset({"venv-missing", "venv-not-a-folder", "venv-dangling-link", "venv-not-an-environment"})


def missing(facts: Facts) -> Evidence:
    """Nothing there."""
    return f"there is nothing at {facts.venv}" if facts.root == "missing" else None


def not_a_folder(facts: Facts) -> Evidence:
    """Something that is no folder."""
    if facts.root not in {"file", "other"}:
        return None
    return f"{facts.venv} is a {'file' if facts.root == 'file' else 'device or pipe'}"


def unreadable(facts: Facts) -> Evidence:
    """It is there, and may not be looked at."""
    return f"{facts.venv} may not be looked at by this user" if facts.root == "unreadable" else None


def dangling(facts: Facts) -> Evidence:
    """A link that leads nowhere."""
    return f"{facts.venv} is a link to {facts.target}, which is not there" if facts.root == "dangling-link" else None


def not_an_environment(facts: Facts) -> Evidence:
    """A folder without an environment in it."""
    if facts.root not in {"directory", "link"} or facts.tree is not None:
        return None
    return f"{facts.venv} holds neither interpreters nor packages"


def moved(facts: Facts) -> Evidence:
    """Its scripts name another place."""
    recorded = facts.tree.recorded_path if facts.tree else None
    if recorded is None or facts.tree is None or facts.recorded_is_here:
        return None
    activate = facts.tree.scripts / "activate"
    return f"{activate} says that the environment lies at {recorded}, not at {os.fspath(facts.venv)}"


CHECKS = (
    Check("venv-missing", "there is no environment", missing, always("fatal"), REBUILD),
    Check("venv-dangling-link", "the environment is a dangling link", dangling, always("fatal"), REBUILD),
    Check("venv-not-a-folder", "the environment's path is not a folder", not_a_folder, always("fatal"), ()),
    Check("venv-unreadable", "the environment may not be looked at", unreadable, always("fatal"), ()),
    Check("venv-not-an-environment", "the folder holds no environment", not_an_environment, always("fatal"), REBUILD),
    Check("venv-moved", "the environment was moved or copied", moved, always("degraded"), REBUILD),
)
