"""A terminal or an editor to start things from, and to close or kill: real ones, played by `actors.py`."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clinic import proc
from clinic.service import identity, process, stopping
from clinic.service.table import Identity, everyone

ACTORS = Path(__file__).with_name("actors.py")
EDITOR = 2
"""Processes above an editor's terminal: its window, and the host of its terminals."""
_LOOK = 0.01  # seconds


def surroundings(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables for what works on a shadow: those that override settings would make it the live server."""
    from clinic.settings.layers import VARIABLE_PREFIX

    return proc.scrubbed(
        extra, without={name.upper() for name in os.environ if name.upper().startswith(VARIABLE_PREFIX)}
    )


def can_play() -> bool:
    """Whether this platform has terminals that a program can open and close."""
    return hasattr(os, "openpty")


@dataclass
class Terminal:
    """One terminal with a program in it."""

    child: process.Child
    script: Path

    def events(self) -> list[dict[str, Any]]:
        """What happened so far; a line that is still being written is left for later."""
        lines = self.script.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        told = []
        for line in lines:
            with suppress(ValueError):
                told.append(json.loads(line))
        return told

    def event(self, name: str, seconds: float) -> dict[str, Any]:
        """Wait for something to happen. Raises TimeoutError with what was shown meanwhile."""
        found = until(lambda: [each for each in self.events() if each["event"] == name], seconds)
        if not found:
            raise TimeoutError(f"not within {seconds:g} s ({name}); the terminal shows: {self.shown()[-300:]!r}")
        event: dict[str, Any] = found[0]
        return event

    def shown(self) -> str:
        """Everything that was written to the terminal."""
        return "".join(each["text"] for each in self.events() if each["event"] == "output")

    def ctrl_c(self) -> None:
        """Type it."""
        import signal

        identity.send(self.child.identity, signal.SIGUSR1)

    def close(self) -> bool:
        """Close the terminal; whether the hang-up reached what runs in it. Without that nothing would be proved."""
        import signal

        identity.send(self.child.identity, signal.SIGTERM)
        return bool(self.event("closed", 10)["reached"])

    def company(self) -> set[Identity]:
        """Everybody below the terminal's host, and everybody in the sessions that they lead; itself included."""
        rows = everyone()
        kin = {self.child.identity, *stopping.family(rows, self.child.identity)}
        led = {row.session for row in rows if row.identity in kin} & {each.pid for each in kin}
        return kin | {row.identity for row in rows if row.session in led}

    def kill(self) -> None:
        """End all of it at once, as a window does that crashes or is closed by force."""
        import signal

        for each in self.company():
            identity.send(each, signal.SIGKILL)
        self.child.wait(5)


@contextmanager
def terminal(folder: Path, program: list[str], *, below: int = 0) -> Iterator[Terminal]:
    """A terminal that runs a program; whatever is left of it is ended with the block."""
    script = folder / f"terminal-{time.monotonic_ns()}.jsonl"
    out = os.open(script, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        words = [sys.executable, "-I", str(ACTORS), *(["--below", str(below)] if below else []), "--", *program]
        child = process.spawn(words, cwd=folder, env=surroundings({"TERM": "dumb"}), log=out)
    finally:
        os.close(out)
    mine = Terminal(child, script)
    try:
        yield mine
    finally:
        if identity.alive(child.identity):
            mine.kill()
        child.wait(0)
        child.release()


def until(found: Callable[[], Any], seconds: float) -> Any:
    """Wait for something to come true; what it came to, or the last it said."""
    deadline = time.monotonic() + seconds
    while not (answer := found()) and time.monotonic() < deadline:
        time.sleep(_LOOK)
    return answer
