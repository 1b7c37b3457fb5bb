"""The layers of the settings: defaults, a YAML file, variables. What nobody knows is refused with the nearest name."""

from __future__ import annotations

import difflib
import functools
import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from clinic.errors import RefusedError

VARIABLE_PREFIX = "INVOKE_CLINIC_"

DEFAULTS: Mapping[str, Any] = {
    "environment": {
        "path": "auto",
        "python": ["3.14t", "3.14", "3.13", "3.12", "3.11"],
        "requirements": "requirements/bridge.txt",
        "imports": ["uvicorn", "fastapi"],
        "system_site_packages": "auto",
        "trust": [],
    },
    "service": {
        "command": [
            "{python}",
            "-m",
            "uvicorn",
            "nucleus.interface_bridge:app",
            "--host",
            "{host}",
            "--port",
            "{port}",
        ],
        "cwd": "ai",
        "host": "127.0.0.1",
        "port": 8000,
        "health": {"path": "/health", "status": 200, "body": {"status": "healthy"}, "timeout": 3},
        "start_timeout": 15,
        "stop_timeout": 5,
        "pid_file": "ai/interface_bridge.pid",
        "log_file": "ai/interface_bridge.log",
        "variables": {},
    },
    "keep_alive": {
        "interval": 10,
        "failures": 3,
        "backoff_first": 1,
        "backoff_limit": 60,
        "crash_loop_starts": 5,
        "crash_loop_window": 60,
    },
    "records": ".clinic",
}


TRUST = ("environment", "trust")
"""The one list that a variable may set (paths, as in PATH), and that a project may not: it would speak for itself."""


def refuse_own_trust(section: Mapping[str, Any], source: Path) -> None:
    """Raise RefusedError where a project's own file says whom to trust."""
    environment = section.get("environment")
    if isinstance(environment, dict) and "trust" in environment:
        raise RefusedError(
            "settings-not-here",
            f"{source}: clinic.environment.trust is taken from ~/.invoke.yaml and from variables only: a project cannot"
            " say of itself that it is to be trusted.",
            "set it in ~/.invoke.yaml",
        )


def users_file() -> Path:
    """The user's own settings, for all projects; Invoke reads the same file."""
    return Path(os.path.expanduser("~"), ".invoke.yaml")  # noqa: PTH111 - Path.home raises where there is none


def check_trust() -> None:
    """Refuse the list in a file and a variable at once: Invoke stops with a traceback where it finds both."""
    name = VARIABLE_PREFIX + "_".join(TRUST).upper()
    environment = clinic_section(users_file()).get("environment")
    if name in os.environ and isinstance(environment, dict) and "trust" in environment:
        raise RefusedError("settings-twice", f"{users_file()} and {name} both say whom to trust.", f"unset {name}")


# Settings that are paths; relative ones belong to the project.
_PATHS = (
    *(("environment", "path"), ("environment", "requirements"), ("records",)),
    *(("service", name) for name in ("cwd", "pid_file", "log_file")),
)


def users_section(path: Path) -> Mapping[str, Any]:
    """The part of the user's own file that is ours. Raises RefusedError for a relative path: it fits no folder."""
    section = clinic_section(path)
    for keys in _PATHS:
        value: Any = section
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str) and (*keys, value) != ("environment", "path", "auto") and not _is_absolute(value):
            name = ".".join(("clinic", *keys))
            raise RefusedError(
                "settings-relative", f"{path}: {name} is relative ({value}).", f"make it absolute in {path}"
            )
    return section


def _is_absolute(text: str) -> bool:
    return Path(os.path.expanduser(text)).is_absolute()  # noqa: PTH111 - Path.expanduser raises for ~nobody


def read_yaml(path: Path) -> Any:
    """The YAML value in `path`, None where there is no such file. Raises RefusedError where it can't be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError("settings-unreadable", f"{path} cannot be read: {error}.", f"look at {path}") from error
    try:
        return parse_yaml(text)
    except ValueError as refused:
        where = getattr(refused.__cause__, "problem_mark", None)
        line = f" at line {where.line + 1}, column {where.column + 1}" if where else ""
        what = getattr(refused.__cause__, "problem", None) or str(refused).splitlines()[0]
        raise RefusedError("settings-not-yaml", f"{path} is not YAML{line}: {what}.", f"correct {path}") from refused


def parse_yaml(text: str) -> Any:
    """The value of a YAML text, read by the parser that Invoke itself uses. Raises ValueError."""
    yaml = _invokes_yaml()
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


@functools.cache
def _invokes_yaml() -> Any:
    """Invoke's own copy of PyYAML; where no task runs without Invoke around it, which costs 50 ms more (measured)."""
    found = find_spec("invoke") if "invoke" not in sys.modules else None
    for folder in (found and found.submodule_search_locations) or ():
        place = Path(folder, "vendor", "yaml")
        spec = spec_from_file_location("invokes_yaml", place / "__init__.py", submodule_search_locations=[str(place)])
        if spec and spec.loader and place.is_dir():
            sys.modules[spec.name] = module = module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    from invoke.util import yaml  # type: ignore[attr-defined]  # re-exported there for this purpose, not marked so

    return yaml


def clinic_section(path: Path) -> Mapping[str, Any]:
    """The part of a settings file that is ours; the rest is Invoke's and other people's."""
    whole = read_yaml(path)
    if whole is None:
        return {}
    if not isinstance(whole, dict):
        raise RefusedError("settings-type", f"{path} must hold a mapping, not {_name(whole)}.", f"correct {path}")
    if "clinic" not in whole:
        near = difflib.get_close_matches("clinic", [str(key) for key in whole], 1, 0.7)
        if near:
            raise RefusedError("settings-unknown-key", f"{path}: unknown key {near[0]!r}.", "did you mean 'clinic'?")
    section = whole.get("clinic")
    if section is not None and not isinstance(section, dict):
        raise wrong_type(str(path), "clinic", "a mapping", section)
    return section or {}


# Mappings whose keys are the user's own: they replace the default instead of being merged with it.
_FREE = {"clinic.service.variables", "clinic.service.health.body"}


def merged(known: Mapping[str, Any], given: Mapping[str, Any], where: str, source: str) -> dict[str, Any]:
    """The known tree with the given values laid over it. Raises RefusedError for a key that is not known."""
    for key in given:
        if key not in known:
            raise _unknown(f"{where}.{key}", str(key), known, source)
    tree = dict(known)
    for key, value in given.items():
        path, default = f"{where}.{key}", known[key]
        if isinstance(default, dict) and path not in _FREE:
            if not isinstance(value, dict):
                raise wrong_type(source, path, "a mapping", value)
            tree[key] = merged(default, value, path, source)
        else:
            tree[key] = value
    return tree


def _unknown(path: str, key: str, known: Mapping[str, Any], source: str) -> RefusedError:
    near = difflib.get_close_matches(key, known, 1, 0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
    return RefusedError("settings-unknown-key", f"{source}: unknown key {path!r}.", hint)


def wrong_type(source: str, path: str, wanted: str, value: object) -> RefusedError:
    """The refusal of a value of the wrong type."""
    return RefusedError(
        "settings-type",
        f"{source}: {path} must be {wanted}, not {_name(value)}.",
        f"correct {path} in {source}",
    )


def _name(value: object) -> str:
    kinds = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
    return f"{kinds.get(type(value), 'a number')} ({value!r})"


def _leaves(tree: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """Variable name of every scalar setting, with the path of keys it stands for."""
    found: dict[str, tuple[str, ...]] = {}
    for key, value in tree.items():
        path = (*prefix, key)
        if isinstance(value, dict) and "clinic." + ".".join(path) not in _FREE:
            found.update(_leaves(value, path))
        else:
            found[VARIABLE_PREFIX + "_".join(path).upper()] = path
    return found


def with_variables(tree: dict[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """The tree with INVOKE_CLINIC_… variables laid over it."""
    names = _leaves(DEFAULTS)
    for name, text in variables.items():
        if not name.startswith(VARIABLE_PREFIX):
            continue
        if name not in names:
            near = difflib.get_close_matches(name, names, 1, 0.5)
            raise RefusedError(
                "settings-unknown-variable",
                f"Unknown environment variable {name}.",
                f"did you mean {near[0]}?" if near else "see section 'Settings' of README.md",
            )
        tree = _replaced(tree, names[name], _from_text(name, names[name], text))
    return tree


def check_variables(variables: Mapping[str, str] | None = None) -> None:
    """Refuse INVOKE_CLINIC_… variables that no setting knows, or that Invoke would stumble over."""
    with_variables(dict(DEFAULTS), os.environ if variables is None else variables)


def _from_text(name: str, path: tuple[str, ...], text: str) -> Any:
    if path == TRUST:
        return [each for each in text.split(os.pathsep) if each]
    default: Any = DEFAULTS
    for key in path:
        default = default[key]
    if isinstance(default, (list, dict)):
        # Invoke stops with a traceback when a variable names a list that its file sets; so no variable may.
        raise RefusedError(
            "settings-variable-type",
            f"{name}: lists and mappings are set in invoke.yaml, not by a variable.",
            f"set {'.'.join(('clinic', *path))} in invoke.yaml",
        )
    if isinstance(default, str) and path[-1] != "system_site_packages":
        return text
    try:
        return parse_yaml(text)
    except ValueError as error:
        raise wrong_type("the environment", name, "a number", text) from error


def _replaced(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    head, *rest = path
    return {**tree, head: _replaced(tree[head], tuple(rest), value) if rest else value}
