"""The project's settings: defaults, `~/.invoke.yaml`, `invoke.yaml`, INVOKE_CLINIC_… variables, flags; the last wins.

Invoke would ignore an unknown key or variable in silence, so the layers are read here, and what nobody knows is
refused with the nearest name that somebody knows (README, Settings).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinic.errors import RefusedError
from clinic.settings.build import build
from clinic.settings.layers import (
    DEFAULTS,
    VARIABLE_PREFIX,
    check_trust,
    check_variables,
    clinic_section,
    merged,
    refuse_own_trust,
    users_file,
    users_section,
    with_variables,
)
from clinic.settings.shape import Environment, Health, KeepAlive, Service, Settings

__all__ = [
    "DEFAULTS",
    "VARIABLE_PREFIX",
    "Environment",
    "Health",
    "KeepAlive",
    "Service",
    "Settings",
    "check_trust",
    "check_variables",
    "clinic_section",
    "load",
    "users_file",
]


def _of_the_user(path: Path) -> dict[str, Any]:
    """The defaults with the user's own settings over them; a wrong one is refused here, to blame the right file."""
    section = users_section(path)
    tree = merged(DEFAULTS, section, "clinic", str(path))
    if section:
        build(tree, path.parent, path, ())
    return tree


def load(root: Path, file: Path | None = None, variables: Mapping[str, str] | None = None) -> Settings:
    """Read and validate the layers.

    `root` is the project's folder, whose `invoke.yaml` is used when `file` (what `invoke -f` names) is not given;
    then relative paths are relative to `file`'s folder. `variables` are os.environ's when not given.
    Raises RefusedError for whatever is unknown, of the wrong type, or out of range.
    """
    source = file or root / "invoke.yaml"
    if file is not None and not file.is_file():
        raise RefusedError("settings-missing", f"There is no settings file at {file}.", "invoke -f FILE TASK")
    section = clinic_section(source)
    refuse_own_trust(section, source)
    tree = merged(_of_the_user(users_file()), section, "clinic", str(source))
    environ = os.environ if variables is None else variables
    tree = with_variables(tree, environ)
    used = source if source.is_file() else None
    return build(tree, (source.parent if file else root).absolute(), used, environ.keys())
