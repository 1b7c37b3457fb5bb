"""What differs between what is installed and what a lock pins. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Other:
    """A distribution whose installed version (or versions: two at once is a damage) is not the locked one."""

    name: str
    installed: tuple[str, ...]
    locked: str


@dataclass(frozen=True)
class Drift:
    """`extra` and `missing` are (name, version) pairs."""

    extra: tuple[tuple[str, str], ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
    other: tuple[Other, ...] = ()

    def as_json(self) -> dict[str, list[dict[str, object]]]:
        """As the envelope shows it."""
        return {
            "extra": [{"name": name, "version": version} for name, version in self.extra],
            "missing": [{"name": name, "version": version} for name, version in self.missing],
            "other_version": [
                {"name": each.name, "installed": list(each.installed), "locked": each.locked} for each in self.other
            ],
        }


def drift(installed: Iterable[tuple[str, str]], locked: Iterable[tuple[str, str]]) -> Drift:
    """Compare (name, version) pairs, names canonical, as metadata and a lock tell them."""
    have: dict[str, set[str]] = {}
    for name, version in installed:
        have.setdefault(name, set()).add(version)
    want: Mapping[str, str] = dict(locked)
    return Drift(
        extra=tuple((n, v) for n in sorted(have.keys() - want.keys()) for v in sorted(have[n])),
        missing=tuple((n, want[n]) for n in sorted(want.keys() - have.keys())),
        other=tuple(
            Other(n, tuple(sorted(have[n])), want[n]) for n in sorted(want.keys() & have.keys()) if have[n] != {want[n]}
        ),
    )
