"""What a wound is, and the list that each one enters itself into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clinic.model import Severity
from tests.real.patients import Patient

INCLUDE = "include-system-site-packages"
Inflict = Callable[[Patient], None]


def _always(_patient: Patient) -> str:
    return ""


@dataclass(frozen=True)
class Wound:
    """One way to hurt an environment."""

    name: str
    code: str
    inflict: Inflict
    least: Callable[[Patient], Severity]
    """What it counts for where the environment's python does not mind."""
    spared: Callable[[Patient], str] = _always
    """Why it can't be inflicted on this patient; empty if it can."""

    def __str__(self) -> str:
        return self.name


WOUNDS: list[Wound] = []


def wound(
    code: str,
    least: Severity | Callable[[Patient], Severity],
    spared: Callable[[Patient], str] = _always,
    into: list[Wound] = WOUNDS,
) -> Callable[[Inflict], Inflict]:
    """Enter a function into a list of wounds under its own name."""
    judge: Callable[[Patient], Severity] = least if callable(least) else lambda _patient: least

    def enter(inflict: Inflict) -> Inflict:
        name = inflict.__name__.strip("_").replace("_", "-")
        into.append(Wound(name, code, inflict, judge, spared))
        return inflict

    return enter


def copy_suffers(patient: Patient) -> Severity:
    """A copied executable needs `home` from the file; a linked one finds its base by the link (measured)."""
    return "degraded" if patient.creator.copies else "advice"


def old_copy_suffers(patient: Patient) -> Severity:
    """The same for the start-up code in C, which is more particular."""
    return "degraded" if patient.creator.copies and patient.old else "advice"
