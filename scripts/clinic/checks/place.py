"""The environment's folder: there, a folder, an environment."""

from __future__ import annotations

from clinic.checks.base import Check, Evidence, always
from clinic.facts import Facts

REBUILD = ("rebuild",)
ABSENT = frozenset(
    {"venv-missing", "venv-not-a-folder", "venv-redirect-dangling", "venv-dangling-link", "venv-not-an-environment"}
)


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


def redirects_nowhere(facts: Facts) -> Evidence:
    """A file in the environment's stead that names another folder (PEP 832), and that folder is not there."""
    if facts.root != "file" or not facts.target:
        return None
    return f"{facts.venv} is a file that leads to {facts.target}, and no environment is there"


CHECKS = (
    Check("venv-missing", "there is no environment", missing, always("fatal"), REBUILD),
    Check("venv-dangling-link", "the environment is a dangling link", dangling, always("fatal"), REBUILD),
    Check("venv-redirect-dangling", "the environment's file leads nowhere", redirects_nowhere, always("fatal"), ()),
    Check(
        "venv-not-a-folder",
        "the environment's path is not a folder",
        not_a_folder,
        always("fatal"),
        (),
        frozenset({"venv-redirect-dangling"}),
    ),
    Check("venv-unreadable", "the environment may not be looked at", unreadable, always("fatal"), ()),
    Check("venv-not-an-environment", "the folder holds no environment", not_an_environment, always("fatal"), REBUILD),
)
