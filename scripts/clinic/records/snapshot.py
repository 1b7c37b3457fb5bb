"""The known-good state of an environment as it was written down, by this version or by another.

Format 1 (no `format` key) had neither the interpreter's file, nor the RECORDs, nor the files that no RECORD covers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

FORMAT = 2


def _texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for pair in value.items() for text in pair)


def _is(*kinds: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds)


_SHAPES: Mapping[str, Callable[[object], bool]] = {
    "format": _is(int),
    "time": _is(int, float),
    "base": _is(str),
    "version": _is(str),
    "system_site": _is(bool),
    "prompt": _is(str),
    "cfg": _is(str),
    "distributions": _texts,
    "records": _texts,
    "files": _texts,
    "interpreter": _is(dict),
}


def understood(told: object) -> dict[str, Any] | None:
    """What can be relied on: a key of another shape than expected is as if nobody had written it."""
    if not isinstance(told, dict):
        return None
    return {key: value for key, value in told.items() if key not in _SHAPES or _SHAPES[key](value)}
