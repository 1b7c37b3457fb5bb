"""The hand's other end: what is asked of the Windows machine, and its answers."""

from __future__ import annotations

import json
import selectors
from pathlib import Path
from typing import Any, Self

from tests.windows.machine import Machine
from tests.windows.wine import Said, text_of


class Hand:
    """A python of Windows that runs the suite's commands, and programs, as long as it is held."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        script = machine.wine.inside(machine.suite / "tests" / "windows" / "hand.py")
        self._program = machine.wine.open(machine.tools, "-X", "utf8", "-u", script, cwd=machine.suite)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self._program.stdin, self._program.stdout, self._program.stderr):
            if stream:
                stream.close()
        self._program.wait(60)

    def command(self, project: Path, *words: str, limit: float = 120) -> tuple[int, dict[str, Any]]:
        """Run a command for the project whose settings file is given; its exit code and its envelope."""
        said = self._ask({"invoke": ["-f", self.machine.wine.inside(project), *words, "--json"]}, limit)
        assert said.out, said
        envelope: dict[str, Any] = json.loads(said.out)
        assert envelope["exit_code"] == said.code, said
        return said.code, envelope

    def run(self, *argv: str, limit: float = 60) -> Said:
        """Run a program, there."""
        return self._ask({"run": list(argv)}, limit)

    def _ask(self, wish: dict[str, Any], limit: float) -> Said:
        assert self._program.stdin
        assert self._program.stdout
        self._program.stdin.write(json.dumps(wish).encode() + b"\n")
        self._program.stdin.flush()
        with selectors.DefaultSelector() as ears:
            ears.register(self._program.stdout, selectors.EVENT_READ)
            assert ears.select(limit), f"no answer in {limit:g} s to {wish}"
        line = self._program.stdout.readline()
        assert line, text_of(self._program.stderr.read() if self._program.stderr else b"")
        told = json.loads(line)
        return Said(told["code"], told["out"].replace("\r\n", "\n"), told["err"].replace("\r\n", "\n"))
