"""A result as the plain tree that the contract fixes, and that tree as JSON.

The text views read the same tree. Explicit on purpose: a field that somebody adds to a noun of `model` does not
become public by accident.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clinic.model import Result

VERSION = 1

# The contract's keys, in its order, for the nouns that it names.
_KEYS: Mapping[str, tuple[str, ...]] = {
    "Diagnosis": ("venv", "verdict", "findings", "options", "next_actions"),
    "Finding": ("code", "severity", "title", "evidence", "causes", "cured_by"),
    "Cause": ("cause", "why"),
    "Option": (
        "id",
        "recommended",
        "keeps_packages",
        "needs_network",
        "estimate_seconds",
        "advantages",
        "disadvantages",
    ),
    "Action": ("priority", "command", "why"),
    "Receipt": ("remedy", "changed", "stash", "seconds", "outcome"),
    "CheckResult": ("id", "group", "title", "status", "evidence", "seconds"),
}


def envelope(result: Result) -> dict[str, Any]:
    """Return the one object that `--json` prints."""
    return {
        "clinic": VERSION,
        "command": result.command,
        "outcome": result.outcome,
        "exit_code": result.exit_code,
        "seconds": round(result.seconds, 3),
        "data": plain(result.data),
        "errors": [error.as_json() for error in result.errors],
    }


def dumps(result: Result) -> str:
    """Return the envelope as one line of ASCII, which any stream can take, whatever its encoding."""
    return json.dumps(envelope(result), ensure_ascii=True, allow_nan=False)


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: nouns and mappings as objects, sequences and sets as lists, paths as texts."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(each) for each in value), key=str)
    return _noun(value)


def _noun(value: object) -> Any:
    keys = _KEYS.get(type(value).__name__) if type(value).__module__ == "clinic.model" else None
    if keys is not None:
        return {key: plain(getattr(value, key)) for key in keys}
    if (as_json := getattr(value, "as_json", None)) is not None:
        return plain(as_json())
    from dataclasses import fields, is_dataclass

    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return str(value)
