"""A requirements file for exactly what is installed, with hashes wherever they can be had.

Read from metadata, without running the environment's python. Hashes come from the lock where its pin is the same,
else from the index (or wheelhouse) through uv. What came from a folder, a repository or a URL is named so.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clinic import proc
from clinic.anatomy import distinfo
from clinic.anatomy.lock import Pin
from clinic.facts import Distribution, Interpreter
from clinic.remedies.install import Source, find_uv
from clinic.remedies.wheelhouse import named
from toolshed import uv_settings

COMPILE_SECONDS = 300.0


@dataclass(frozen=True)
class Wanted:
    """One distribution as it was: a name and a version, or the place that it came from."""

    name: str
    version: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.place})" if self.place else f"{self.name} {self.version}"

    @property
    def line(self) -> str:
        """As a requirements file says it."""
        return self.place or f"{self.name}=={self.version}"


def wanted(distributions: Sequence[Distribution], snapshot: Mapping[str, str]) -> tuple[list[Wanted], list[str]]:
    """What was there by metadata, and what the last known-good state had besides (told by name)."""
    found = {each.name: Wanted(each.name, each.version, _place(each.folder)) for each in distributions}
    lost = sorted(snapshot.keys() - found.keys())
    found |= {name: Wanted(name, snapshot[name]) for name in lost}
    return [found[name] for name in sorted(found)], lost


def _place(folder: Path) -> str:
    """Where it came from if not from an index (PEP 610), as a requirements line."""
    try:
        data = distinfo.beginning(folder / "direct_url.json", distinfo.HEADERS_LIMIT)
        told: dict[str, Any] = json.loads(data.decode("utf-8", "replace"))
        name, url = folder.name.rpartition("-")[0], str(told["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    if told.get("dir_info", {}).get("editable"):
        from urllib.parse import unquote, urlsplit

        return f"-e {unquote(urlsplit(url).path)}"
    if version_control := told.get("vcs_info"):
        return f"{name} @ {version_control.get('vcs', 'git')}+{url}@{version_control.get('commit_id', '')}"
    return f"{name} @ {url}"


def hashed(
    things: Sequence[Wanted], pins: Sequence[Pin], base: Interpreter, source: Source, folder: Path
) -> tuple[dict[str, tuple[str, ...]], list[Wanted]]:
    """The hashes of each, by name, and those for which none can be had."""
    locked = {(pin.name, pin.version): pin.hashes for pin in pins if pin.hashes}
    known = {t.name: locked[t.name, t.version] for t in things if not t.place and (t.name, t.version) in locked}
    open_ = [thing for thing in things if thing.name not in known and not thing.place]
    known |= _from_folder(open_, source.wheelhouse) if source.wheelhouse else _from_index(open_, base, source, folder)
    return known, [thing for thing in things if thing.name not in known]


def _from_folder(things: Sequence[Wanted], wheelhouse: Path) -> dict[str, tuple[str, ...]]:
    """The hashes of the wheels that lie in a folder: uv tells none for them."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in sorted(wheelhouse.glob("*.whl")):
        found.setdefault(named(path), []).append(f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")
    return {t.name: tuple(found[t.name, t.version]) for t in things if (t.name, t.version) in found}


def _from_index(
    things: Sequence[Wanted], base: Interpreter, source: Source, folder: Path
) -> dict[str, tuple[str, ...]]:
    """Ask for all at once; one by one only where one of them is unknown, so that it spoils no other's."""
    found = _compiled(things, base, source, folder) if things else {}
    if found is None:
        found = {}
        for thing in things if len(things) > 1 else ():
            found |= _compiled([thing], base, source, folder) or {}
    return found


def _compiled(
    things: Sequence[Wanted], base: Interpreter, source: Source, folder: Path
) -> dict[str, tuple[str, ...]] | None:
    from clinic.anatomy import lock

    uv = find_uv()
    if uv is None:
        return None
    asked, told = folder / "as-installed.in", folder / "as-installed.hashes"
    asked.write_text("".join(f"{thing.line}\n" for thing in things), encoding="utf-8")
    words = [uv, "pip", "compile", "--quiet", "--no-deps", "--generate-hashes", "--no-header", "--python"]
    words += [os.fspath(base.executable), "--output-file", os.fspath(told)]
    words += ["--offline"] if source.offline else []
    with uv_settings.neutral() as neutral:
        done = proc.run([*words, os.fspath(asked)], timeout=COMPILE_SECONDS, env=proc.scrubbed(neutral))
    if not done.ok:
        return None
    return {pin.name: pin.hashes for pin in lock.read(told) if pin.hashes}


def write(things: Sequence[Wanted], hashes: Mapping[str, Sequence[str]], path: Path) -> Path:
    """The requirements file."""
    lines = [" ".join([thing.line, *(f"--hash={told}" for told in hashes.get(thing.name, ()))]) for thing in things]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path
