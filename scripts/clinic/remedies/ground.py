"""Where a new environment may be put: what is refused before anything is touched."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from clinic import proc
from clinic.anatomy import layout
from clinic.anatomy.ownership import mounted_below
from clinic.anatomy.there import exists, is_folder, names_in, same
from clinic.errors import RefusedError
from clinic.settings import Settings


def wheelhouse(given: str | Path | None) -> Path | None:
    """The folder that --wheelhouse names, if it names one. Raises RefusedError where there is none."""
    path = Path(given).expanduser().absolute() if given is not None else None
    if path and not is_folder(path):
        raise RefusedError(
            "wheelhouse-missing",
            f"--wheelhouse {path}: there is no such folder. Nothing was touched.",
            "nox -s wheelhouse fills one from the lock",
        )
    return path


def refuse_unsafe(venv: Path, settings: Settings, *, own: bool, yes: bool) -> None:
    """Raise RefusedError where replacing what is at `venv` could harm what is no environment.

    `own` says that the project's settings name this place, `yes` that the person confirmed one outside the project.
    """
    # These names are only given to environments: a file that somebody put there meanwhile is carried over.
    sure = yes or venv in layout.candidates(settings.root)
    for reason, hint in (_vital(venv, settings), _in_the_way(venv), _not_an_environment(venv, own=own, sure=sure)):
        if reason:
            raise RefusedError("not-replaceable", f"{reason}. Nothing was touched.", hint)
    if not (yes or own or _within(venv, settings.root)):
        raise RefusedError(
            "outside-project",
            f"{venv} lies outside of the project {settings.root}. Nothing was touched.",
            "add --yes if it is to be replaced",
        )


def refuse_outside(venv: Path, *folders: Path | None) -> None:
    """Raise RefusedError where one of its folders is reached through a link that leads out of the environment."""
    real = Path(os.path.realpath(venv))
    for folder in folders:
        if folder and not Path(end := os.path.realpath(folder)).is_relative_to(real):
            raise RefusedError(
                "outside-environment",
                f"{folder} leads to {end}, outside of the environment, and may be somebody else's."
                " Nothing was touched.",
                "invoke rebuild",
            )


Objection = tuple[str, str]
_FINE: Objection = ("", "")
_ELSEWHERE = "invoke rebuild --venv PATH"


def _vital(venv: Path, settings: Settings) -> Objection:
    """Whatever the flags: a folder that holds more than an environment is never moved away."""
    holds = {
        "the home folder": Path(os.path.expanduser("~")),  # noqa: PTH111 - Path.home raises where there is none
        "the project": settings.root,
        "the records of the clinic": settings.records,
        "the folder that the service runs in": settings.service.cwd,
        "the lock": settings.environment.requirements,
        "the environment that this suite itself runs in": Path(sys.prefix),
    }
    for name, place in holds.items():
        if _within(place, venv):
            return f"{venv} holds {name} ({place})", _ELSEWHERE
    if venv.parent == venv or os.path.ismount(venv):
        return f"{venv} is a mount point", _ELSEWHERE
    if inner := next(mounted_below(venv), None):  # it would move along into the stash
        return f"{inner} is a mount point in the environment", f"umount {proc.quoted(inner)}"
    return _FINE


def _in_the_way(venv: Path) -> Objection:
    if venv.is_symlink():
        if exists(venv):
            return f"{venv} is a link to {os.path.realpath(venv)}", f"invoke rebuild --venv {os.path.realpath(venv)}"
        return _FINE  # one that leads nowhere is in nobody's use
    if exists(venv) and not is_folder(venv):
        return f"{venv} is not a folder", f"move {venv} away"
    return _FINE


def _not_an_environment(venv: Path, *, own: bool, sure: bool) -> Objection:
    names = names_in(venv) if is_folder(venv) else []
    if names and not (own and sure) and not layout.has_environment(venv):
        hint = "invoke rebuild --yes if it is to be replaced, or set clinic.environment.path" if own else _ELSEWHERE
        return f"{venv} is a folder without an environment in it ({names[0]} is there)", hint
    return _FINE


def _within(path: Path, folder: Path) -> bool:
    """Whether a path is in a folder or is that folder, by the spelling given or by where links lead."""
    pairs = (
        (os.path.abspath(path), os.path.abspath(folder)),  # noqa: PTH100 - links kept
        (_parent_resolved(path), _parent_resolved(folder)),
    )
    return same(path, folder) or any(
        Path(os.path.normcase(one)).is_relative_to(os.path.normcase(other)) for one, other in pairs
    )


def _parent_resolved(path: Path) -> str:
    """The place itself, however its folder is reached; a link at the place is not followed."""
    return f"{os.path.realpath(path.parent)}{os.sep}{path.name}"
