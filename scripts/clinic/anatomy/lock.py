"""Reading a hash-pinned requirements file: which distribution in which version this environment is to hold.

The format is pip's (`name==version ; marker --hash=…`, lines joined by a backslash); resolving is not needed, and
whatever is not a plain pin (an option, a URL) is reported as such by `unpinned`.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from clinic import fs
from clinic.facts import Flavour

_PIN = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*==\s*(?P<version>[^\s;,]+)\s*(?:;\s*(?P<marker>.+?))?\s*\Z"
)
_HASH = re.compile(r"--hash[= ](\w+:[0-9a-fA-F]+)")


@dataclass(frozen=True)
class Pin:
    """One line of a lock."""

    name: str
    version: str
    marker: str = ""
    hashes: tuple[str, ...] = ()


def canonical(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read(path: Path) -> tuple[Pin, ...]:
    """Every pin of a lock, markers not yet judged; nothing where the file can't be read."""
    try:
        return tuple(_pins(_text(path)))
    except OSError:
        return ()


def _text(path: Path) -> str:
    """As pip and uv read it: `pip freeze > requirements.txt` of Windows PowerShell writes UTF-16 with a mark.

    Names and versions are ASCII; what can't be decoded is in a comment.
    """
    data = fs.read_bytes(path)
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if wide else "utf-8-sig", "replace")


def _logical_lines(text: str) -> Iterator[str]:
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        bare = re.sub(r"(^|\s)#.*", "", line).strip()
        if bare:
            yield bare


def _pins(text: str) -> Iterator[Pin]:
    for line in _logical_lines(text):
        hashes = tuple(_HASH.findall(line))
        match = _PIN.match(_HASH.sub("", line).strip())
        if match:
            yield Pin(canonical(match["name"]), match["version"], (match["marker"] or "").strip(), hashes)


def unpinned(path: Path) -> tuple[str, ...]:
    """Lines of a requirements file that are no pin with a hash: what a rebuild from it could not verify."""
    return tuple(
        line
        for line in _logical_lines(_text(path))
        if not (_HASH.search(line) and _PIN.match(_HASH.sub("", line).strip()))
        and not line.startswith(
            ("--index-url", "--extra-index-url", "--find-links", "--only-binary", "--no-binary", "-i ")
        )
    )


def wanted(pins: tuple[Pin, ...], flavour: Flavour | None) -> tuple[tuple[str, str], ...]:
    """Name and version of each pin whose marker holds for this version on this platform."""
    return tuple((pin.name, pin.version) for pin in wanted_pins(pins, flavour))


def wanted_pins(
    pins: tuple[Pin, ...], flavour: Flavour | None, platform: Mapping[str, str] | None = None
) -> tuple[Pin, ...]:
    """The pins whose marker holds for this version; `platform` are the marker values of another platform than this."""
    environment = {**_environment(flavour), **(platform or {})}
    return tuple(pin for pin in pins if not pin.marker or _holds(pin.marker, environment))


def _environment(flavour: Flavour | None) -> Mapping[str, str]:
    if flavour is None:
        return {}
    short = f"{flavour.major}.{flavour.minor}"
    return {"python_version": short, "python_full_version": f"{short}.0"}


def _holds(marker: str, environment: Mapping[str, str]) -> bool:
    from packaging.markers import InvalidMarker, Marker, default_environment

    known: dict[str, str] = {key: str(value) for key, value in default_environment().items()}
    try:
        return Marker(marker).evaluate({**known, **environment, "extra": ""})
    except InvalidMarker:
        return True
