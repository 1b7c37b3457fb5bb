"""What the monitor asks of those who know environments. It knows processes only, and imports none of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from clinic.errors import ClinicError
    from clinic.service.health import Answer
    from clinic.service.launch import With
    from clinic.service.pidfile import Record


@dataclass(frozen=True)
class Trouble:
    """Why no start can work as things are, and what to type."""

    code: str
    message: str
    hint: str

    @classmethod
    def of(cls, error: ClinicError) -> Trouble:
        """Take it from an error."""
        return cls(error.code, error.message, error.hint)


@dataclass(frozen=True)
class Look:
    """What a look at the environment came to: what to start with, what was healed for it, what is in the way."""

    given: With
    healed: tuple[str, ...] = ()
    trouble: Trouble | None = None


class Care(Protocol):
    """Looks after the environment."""

    def before_start(self) -> Look:
        """Look quickly, and heal what such a look can tell and no network is needed for."""

    def diagnose(self) -> Look:
        """Look closely, because starts fail; heal what no network is needed for."""

    def settled(self) -> None:
        """The server was started from what the last look gave, and is healthy."""

    def traces(self) -> object:
        """Return what changes when somebody mends environment, settings or service; cheap enough for every second."""


@dataclass(frozen=True)
class Scene:
    """What is shown of a moment: process and answer as two truths, and what comes next."""

    phase: str
    record: Record | None = None
    uptime: float = 0.0
    answer: Answer | None = None
    age: float = 0.0
    strikes: int = 0
    restarts: int = 0
    message: str = ""
    next_try: float | None = None


class Herald(Protocol):
    """Tells what happens: to the records, and to whoever looks."""

    def event(self, kind: str, text: str, **details: object) -> None:
        """Tell something that happened."""

    def scene(self, scene: Scene) -> None:
        """Show the moment; called about once a second."""
