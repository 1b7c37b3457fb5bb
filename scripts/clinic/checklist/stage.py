"""A terminal or an editor to start things from, and to close or kill.

POSIX has pseudo terminals: `actors.py` plays one. Windows has consoles, and jobs that end all their processes:
`console_host.py`. What is done with either is the same.
"""

from __future__ import annotations

import json
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from clinic import proc
from clinic.checklist import UnavailableError, cleanup
from clinic.service import identity, process, stopping
from clinic.service.table import Identity, Row, near

EDITOR = 2
"""Processes above an editor's terminal: its window, and the host of its terminals."""
SLACK = 30.0
"""Seconds beyond the service's own limits, for a loaded machine to start programs and to end them."""
_LOOK = 0.01  # seconds


def surroundings(folder: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables for what works on the shadow in `folder`.

    Those that override settings are left out: they would make it the live server.
    """
    from clinic.settings.layers import VARIABLE_PREFIX

    overriding = {name.upper() for name in os.environ if name.upper().startswith(VARIABLE_PREFIX)}
    return proc.scrubbed({cleanup.MARK: str(folder), **(extra or {})}, without=overriding)


@dataclass
class Terminal(ABC):
    """One terminal with a program in it."""

    HOST: ClassVar[Path]
    CLOSED: ClassVar[str]
    """What closing it means for the programs in it."""

    child: process.Child
    script: Path
    output: Path
    keyboard: int

    def events(self) -> list[dict[str, Any]]:
        """Return what happened so far; a line that is still being written is left for later."""
        lines = self.script.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        told = []
        for line in lines:
            with suppress(ValueError):
                told.append(json.loads(line))
        return told

    def event(self, name: str, seconds: float) -> dict[str, Any]:
        """Wait for something to happen.

        Raises TimeoutError with what was shown meanwhile, UnavailableError if this machine can't do it.
        """
        found = until(lambda: [each for each in self.events() if each["event"] in {name, "unavailable"}], seconds)
        if not found:
            raise TimeoutError(f"not within {seconds:g} s ({name}); the terminal shows: {self.shown()[-300:]!r}")
        event: dict[str, Any] = found[0]
        if event["event"] == "unavailable":
            raise UnavailableError(event["why"])
        return event

    def code(self) -> int | None:
        """Return the exit code of its program; None while that runs."""
        return next((int(each["code"]) for each in self.events() if each["event"] == "ended"), None)

    def shown(self) -> str:
        """Return everything that was written to the terminal."""
        return self.output.read_text(encoding="utf-8", errors="replace") if self.output.exists() else ""

    def ctrl_c(self) -> None:
        """Type it."""
        self._command("ctrl-c")

    def close(self) -> bool:
        """Close the terminal; whether the hang-up reached what runs in it. Without that nothing would be proved."""
        self._command("close")
        return bool(self.event("closed", SLACK)["reached"])

    def _command(self, word: str) -> None:
        with suppress(OSError):  # its host has ended: the event that is waited for will not come
            os.write(self.keyboard, f"{word}\n".encode("ascii"))

    def company(self) -> set[Identity]:
        """Return all below the terminal's host, and all in the sessions that they lead; itself included."""
        rows = near([self.child.identity.pid])
        kin = {self.child.identity, *stopping.family(rows, self.child.identity)}
        led = {row.session for row in rows if row.identity in kin} & {each.pid for each in kin}
        return kin | {row.identity for row in rows if row.session in led}

    def kill(self) -> list[Identity]:
        """End all of it at once, as an editor does that crashes or is closed by force; what lives on in spite of it."""
        company = self.company()
        for each in self._to_kill(company):
            identity.send(each, stopping.KILL)
        left = stopping.gone_by(list(company), time.monotonic() + SLACK)
        self.child.wait(0)
        return left

    @abstractmethod
    def _to_kill(self, company: set[Identity]) -> set[Identity]:
        """Which of its processes to kill."""

    @abstractmethod
    def ties(self, row: Row) -> tuple[str, list[str]]:
        """Say where a process belongs, and name what still ties it to this terminal."""


class Pty(Terminal):
    """A pseudo terminal: the leader of its session and what that started."""

    HOST = Path(__file__).with_name("actors.py")
    CLOSED = "SIGHUP to all that ran in it"

    def _to_kill(self, company: set[Identity]) -> set[Identity]:
        return company

    def ties(self, row: Row) -> tuple[str, list[str]]:
        """By parent, session and terminal."""
        import psutil

        shell = self.event("shell", 0)
        launchers = {each.pid for each in self.company()}
        terminal = psutil.Process(row.identity.pid).terminal()
        facts = f"parent {row.parent}, session {row.session}, terminal {terminal or 'none'}"
        return f"{facts}; the launcher's {shell['session']}", [
            *(["its parent is the launcher's"] if row.parent in launchers else []),
            *(["its session is the launcher's"] if row.session in {shell["session"], *launchers} else []),
            *([f"it holds the terminal {terminal}"] if terminal else []),
        ]


class Console(Terminal):
    """A console, in a job that ends with the process that hosts it."""

    HOST = Path(__file__).with_name("console_host.py")
    CLOSED = "all that were attached to its console ended"

    def _to_kill(self, company: set[Identity]) -> set[Identity]:
        return company & {self.child.identity}  # the others are for the job to end

    def ties(self, row: Row) -> tuple[str, list[str]]:
        """By parent and console: a session is the whole desktop there."""
        console = set(self.event("ended", 0)["console"])
        if not console:
            raise UnavailableError("this Windows does not say which processes a console has")
        launchers = {each.pid for each in self.company()}
        return f"parent {row.parent}; on the launcher's console are {len(console)} processes", [
            *(["its parent is the launcher's"] if row.parent in launchers else []),
            *(["it is one of them"] if row.identity.pid in console else []),
        ]


@contextmanager
def terminal(
    folder: Path, program: list[str], *, below: int = 0, closable: bool = False, windows: bool = os.name == "nt"
) -> Iterator[Terminal]:
    """Open a terminal that runs a program; whatever is left of it is ended with the block.

    One that is to be closed must be `closable`. Raises UnavailableError if this machine has none.
    """
    kind: type[Terminal] = Console if windows else Pty
    script, output = (folder / f"terminal-{time.monotonic_ns()}.{suffix}" for suffix in ("jsonl", "txt"))
    flags = [*(["--below", str(below)] if below else []), *(["--closable"] if closable and windows else [])]
    words = [sys.executable, "-I", str(kind.HOST), *flags, str(output), "--", *program]
    commands, keyboard = os.pipe()
    out = os.open(script, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        child = process.spawn(words, cwd=folder, env=surroundings(folder, {"TERM": "dumb"}), log=out, stdin=commands)
    except BaseException:
        os.close(keyboard)
        raise
    finally:
        os.close(out)
        os.close(commands)
    mine = kind(child, script, output, keyboard)
    try:
        mine.event("shell", SLACK)
        yield mine
    finally:
        os.close(keyboard)
        if identity.alive(child.identity):
            mine.kill()
        child.wait(0)
        child.release()


def until(found: Callable[[], Any], seconds: float) -> Any:
    """Wait for something to come true; what it came to, or the last it said."""
    deadline = time.monotonic() + seconds
    # What is waited for is whatever the caller asks: an answer over HTTP, a line in somebody's file. None of it rings.
    while not (answer := found()) and time.monotonic() < deadline:
        time.sleep(_LOOK)
    return answer
