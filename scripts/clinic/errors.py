"""The one error family: a code to search for, the reason, and the command to type next.

This module imports nothing of the clinic, so that every room may raise from it.
"""

from __future__ import annotations

from typing import ClassVar, Literal


class ClinicError(Exception):
    """An expected failure that a person can act upon.

    `code` is kebab-case and stable, `message` is the reason in one or two sentences, `hint` is what to type or do
    next. `exit_code` and `outcome` are the contract's words for this kind of failure.
    """

    exit_code: ClassVar[int] = 1
    outcome: ClassVar[Literal["failed", "refused", "busy"]] = "failed"

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def as_json(self) -> dict[str, str]:
        """The error as the envelope of the contract shows it."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


class FailedError(ClinicError):
    """Tried, did not hold, and was put back."""


class RefusedError(ClinicError):
    """Not tried, because it is misused, unsafe, or cannot be proved; nothing was touched."""

    exit_code = 2
    outcome: ClassVar[Literal["failed", "refused", "busy"]] = "refused"


class BusyError(ClinicError):
    """Another run holds the lock."""

    exit_code = 4
    outcome: ClassVar[Literal["failed", "refused", "busy"]] = "busy"
