"""What a person has told uv, less what would send packages elsewhere: uv has no flag that takes a target back.

`[pip] target`, `prefix`, `python` and the like in a uv.toml win over nothing on the command line, and so over the
environment that is meant (measured, uv 0.13.9: `target` and `prefix` redirect in spite of `--python`). Standard library
only; used for the tool environment and for the managed one.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ELSEWHERE = frozenset(
    {"target", "prefix", "system", "python", "break-system-packages", "python-version", "python-platform"}
)
"""Keys of the table `pip` that say where to, or for which other python."""


def files() -> list[Path]:
    """Where uv looks for the settings of the person and of the machine, the one that wins first."""
    home = Path(os.environ.get("APPDATA") or os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    if machine := os.environ.get("PROGRAMDATA"):
        return [home / "uv" / "uv.toml", Path(machine) / "uv" / "uv.toml"]
    shared = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    machines = [*(Path(folder) / "uv" / "uv.toml" for folder in shared if folder), Path("/etc/uv/uv.toml")]
    there = [path for path in machines if path.is_file()]
    return [home / "uv" / "uv.toml", *(there[:1] or machines[-1:])]


@contextlib.contextmanager
def neutral() -> Iterator[dict[str, str]]:
    """Variables that have uv read the person's settings, all but the target; never those of the folder it runs in."""
    named = os.environ.get("UV_CONFIG_FILE")
    if os.environ.get("UV_NO_CONFIG"):
        yield {}
        return
    there = [path for path in ([Path(named)] if named else files()) if path.is_file()]
    try:
        told = [tomllib.loads(path.read_text(encoding="utf-8")) for path in there]
    except (OSError, ValueError):  # uv itself will say what is wrong with them
        yield {}
        return
    if len(told) == 1 and not _leads_elsewhere(told[0]):
        yield {"UV_CONFIG_FILE": os.fspath(there[0])}
    elif not told:
        yield {"UV_NO_CONFIG": "1"}
    else:
        with tempfile.TemporaryDirectory(prefix="clinic-uv-") as folder:
            path = Path(folder, "uv.toml")
            path.write_text(spelled(harmless(told)), encoding="utf-8")
            yield {"UV_CONFIG_FILE": os.fspath(path)}


def _leads_elsewhere(settings: dict[str, Any]) -> bool:
    return bool(ELSEWHERE & settings.get("pip", {}).keys())


def harmless(told: list[dict[str, Any]]) -> dict[str, Any]:
    """Several files as one, the first wins and lists are joined, as uv does it; without what leads elsewhere."""
    found: dict[str, Any] = {}
    for settings in told:
        _add(found, settings)
    found["pip"] = {key: value for key, value in found.get("pip", {}).items() if key not in ELSEWHERE}
    return found


def _add(found: dict[str, Any], settings: dict[str, Any]) -> None:
    for key, value in settings.items():
        if key not in found:
            found[key] = dict(value) if isinstance(value, dict) else value
        elif isinstance(value, dict) and isinstance(found[key], dict):
            _add(found[key], value)
        elif isinstance(value, list) and isinstance(found[key], list):
            found[key] = [*found[key], *value]


def spelled(settings: dict[str, Any]) -> str:
    """Settings as TOML: one line a key, tables inline."""
    return "".join(f"{_text(key)} = {_value(value)}\n" for key, value in settings.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_text(key)} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str):
        return _text(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(text: str) -> str:
    # What JSON escapes, TOML takes, but for DEL, which it wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
