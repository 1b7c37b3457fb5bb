"""What has changed since the known-good state: two states side by side. Pure, and never a finding by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clinic.anatomy import cfg as grammar

State = Mapping[str, Any]


def between(was: State, now: State) -> dict[str, Any]:
    """What differs, under stable keys. What the older state does not tell is not compared."""
    return {
        "time": was.get("time"),
        "cfg": _cfg(was, now),
        "interpreter": _interpreter(was, now),
        "distributions": _distributions(was, now),
        "files": _files(was, now),
    }


def any_in(changed: Mapping[str, Any]) -> bool:
    """Whether anything at all has changed."""
    lists = (*changed["distributions"].values(), *changed["files"].values())
    return bool(changed["cfg"] or changed["interpreter"] or any(lists))


def _cfg(was: State, now: State) -> list[dict[str, Any]]:
    """Keys of pyvenv.cfg with another value; `key` is None where only its spelling changed (blanks, comments)."""
    before, after = was.get("cfg"), now.get("cfg")
    if before is None or before == after:
        return []
    keys, left = _keys(before), _keys(after or "")
    found = [
        {"key": key, "was": keys.get(key), "is": left.get(key)}
        for key in dict.fromkeys([*keys, *left])
        if keys.get(key) != left.get(key)
    ]
    return found or [{"key": None, "was": "another spelling", "is": "the same values"}]


def _keys(text: str) -> dict[str, str]:
    pairs: dict[str, list[str]] = {}
    for line in grammar.parse(text.encode("utf-8", "surrogateescape")).pairs:
        pairs.setdefault(line.name, []).append(line.value)
    return {name: " | ".join(values) for name, values in pairs.items()}


def _interpreter(was: State, now: State) -> list[dict[str, Any]]:
    before, after = was.get("interpreter"), now.get("interpreter") or {}
    if not before:
        return []
    return [
        {"key": key, "was": before[key], "is": after.get(key)}
        for key in ("path", "real", "version", "flavour", "size", "modified")
        if key in before and before[key] != after.get(key)
    ]


def _distributions(was: State, now: State) -> dict[str, list[dict[str, Any]]]:
    before, after = was.get("distributions"), now.get("distributions", {})
    before = after if before is None else before
    hashes, left = was.get("records", {}), now.get("records", {})
    same = [name for name in sorted(before.keys() & after.keys()) if before[name] == after[name]]
    return {
        "added": [{"name": name, "version": after[name]} for name in sorted(after.keys() - before.keys())],
        "removed": [{"name": name, "version": before[name]} for name in sorted(before.keys() - after.keys())],
        "other_version": [
            {"name": name, "was": before[name], "is": after[name]}
            for name in sorted(before.keys() & after.keys())
            if before[name] != after[name]
        ],
        "other_record": [
            {"name": name, "version": after[name]} for name in same if name in hashes and hashes[name] != left.get(name)
        ],
    }


def _files(was: State, now: State) -> dict[str, list[str]]:
    before, after = was.get("files"), now.get("files", {})
    if before is None:
        return {"added": [], "removed": [], "changed": []}
    return {
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "changed": sorted(name for name in before.keys() & after.keys() if before[name] != after[name]),
    }
