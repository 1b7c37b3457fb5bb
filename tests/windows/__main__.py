"""A Windows machine to try things on by hand: python -m tests.windows FOLDER [PROGRAM ARGUMENT ...].

Makes the machine in FOLDER if there is none (half a minute), then runs a program on it: the words are those of
Windows, and `python`, `tools` and `invoke` stand for the base interpreter, the suite's tools, and Invoke under these.
`--stop` as the only word ends every program of the machine. Run from the root of the repository.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.windows.machine import VARIABLES, Machine, Unavailable, build, copy_suite, needs
from tests.windows.wine import Wine


def main(words: list[str]) -> int:
    """Make the machine, or take the one that is there with the suite as it is now, and run a program on it."""
    prefix = Path(words[0]).absolute()
    try:
        machine = again(prefix) if prefix.exists() else build(prefix)
    except Unavailable as error:
        print(f"no Windows: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 1
    if words[1:] == ["--stop"]:
        machine.wine.stop()
        return 0
    return run(machine, words[1:]) if words[1:] else 0


def again(prefix: Path) -> Machine:
    """The machine that was made here before, with the suite as it is now."""
    machine = Machine(Wine(needs(), prefix, VARIABLES))
    copy_suite(machine.suite)
    return machine


def run(machine: Machine, words: list[str]) -> int:
    """Run a program to its end and show what it said; its exit code."""
    names = {"python": [machine.python], "tools": [machine.tools], "invoke": [machine.tools, "-m", "invoke"]}
    argv = [*names.get(words[0], [words[0]]), *words[1:]]
    cwd = Path.cwd() if Path.cwd().is_relative_to(machine.wine.disk) else machine.suite
    prefix, env = machine.wine.prefix, machine.wine.environment()
    # Files, not pipes: what a program leaves running would keep a pipe open.
    with (prefix / "stdout").open("w+b") as out, (prefix / "stderr").open("w+b") as err:
        done = subprocess.run(machine.wine.words(argv, cwd), env=env, input=b"", stdout=out, stderr=err, check=False)
        for source, target in ((out, sys.stdout), (err, sys.stderr)):
            source.seek(0)
            target.buffer.write(source.read())
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
