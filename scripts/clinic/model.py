"""The nouns that travel between rooms: finding, option, action, receipt, check, result. All frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from clinic.errors import ClinicError

Severity = Literal["fatal", "degraded", "advice"]
Verdict = Literal["healthy", "degraded", "broken", "missing"]
Priority = Literal["immediate", "short-term", "medium-term"]
OutcomeWord = Literal["healthy", "sick", "cured", "unchanged", "planned", "refused", "failed", "busy"]
RemedyOutcome = Literal["done", "restored", "refused"]
CheckStatus = Literal["pass", "fail", "skip"]


@dataclass(frozen=True)
class Cause:
    """A likely cause and the evidence that speaks for it."""

    cause: str
    why: str


@dataclass(frozen=True)
class Finding:
    """One damage, named by one code."""

    code: str
    severity: Severity
    title: str
    evidence: tuple[str, ...]
    causes: tuple[Cause, ...] = ()
    cured_by: tuple[str, ...] = ()
    by_hand: str = ""
    """What to type where no remedy of ours may act."""


@dataclass(frozen=True)
class Option:
    """One way out, with its trade-offs."""

    id: str
    recommended: bool
    keeps_packages: bool
    needs_network: bool
    estimate_seconds: float
    advantages: tuple[str, ...]
    disadvantages: tuple[str, ...]


@dataclass(frozen=True)
class Action:
    """A command to type, and why."""

    priority: Priority
    command: str
    why: str


@dataclass(frozen=True)
class Diagnosis:
    """What an examination found out about one environment."""

    venv: Path
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    options: tuple[Option, ...] = ()
    next_actions: tuple[Action, ...] = ()

    @property
    def sick(self) -> bool:
        """Whether something fatal or degraded was found; advice alone is health."""
        return any(finding.severity != "advice" for finding in self.findings)


@dataclass(frozen=True)
class Receipt:
    """What a remedy changed, where the old state is kept, and how it ended."""

    remedy: str
    changed: tuple[Path, ...]
    stash: Path | None
    seconds: float
    outcome: RemedyOutcome
    id: str = ""


@dataclass(frozen=True)
class CheckResult:
    """One line of the validation checklist."""

    id: str
    group: str
    title: str
    status: CheckStatus
    evidence: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Result:
    """What a command came to. The one renderer prints it; the door turns `exit_code` into the process's."""

    command: str
    outcome: OutcomeWord
    exit_code: int
    data: Mapping[str, Any] = field(default_factory=dict)
    errors: tuple[ClinicError, ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
