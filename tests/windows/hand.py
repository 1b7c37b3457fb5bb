"""Runs on Windows, started once: does what it is told line by line, since every start of a program takes its time.

A line is JSON. `{"invoke": [words]}` runs the suite's real command line in this process, `{"run": [argv]}` a program.
The answer is one line of JSON too.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from typing import Any


def invoke(words: list[str]) -> dict[str, Any]:
    """Run the command line, as `python -m invoke` does."""
    from invoke.main import program

    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            program.run(["invoke", *words])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


def run(argv: list[str]) -> dict[str, Any]:
    """Run a program, with the variables that a python would take for its own left out."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "__PYVENV"))}
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, env=env, check=False, timeout=60)
    return {"code": done.returncode, "out": done.stdout.decode("utf-8"), "err": done.stderr.decode("utf-8", "replace")}


def main() -> None:
    """Obey until nobody speaks any more."""
    mouth = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    for line in sys.stdin:
        told = json.loads(line)
        answer = invoke(told["invoke"]) if "invoke" in told else run(told["run"])
        mouth.write(json.dumps(answer) + "\n")
        mouth.flush()


if __name__ == "__main__":
    main()
