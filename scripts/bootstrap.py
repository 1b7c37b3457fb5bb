"""Make or mend the tool environment, then hand over to it. Standard library only.

This door has to open under interpreters that can do no more than that, back to Python 3.6: it
finds a newer one or says what is missing. The work is in the folder ``toolshed`` beside it.
"""

import os
import sys

# "-P" and PYTHONSAFEPATH leave the folder of this file out.
HERE = os.path.dirname(os.path.abspath(__file__))
if HERE not in sys.path:
    sys.path.insert(0, HERE)

from toolshed import entry

if __name__ == "__main__":
    entry.prepare()

import subprocess
from typing import List, Optional

NEEDS = (3, 11)
# Newer minors than exist today cost a look at the PATH each, and spare us a change every October.
NEWEST = 20
USAGE = """\
usage: python scripts/bootstrap.py                 make or mend the tools, then: invoke onboard
       python scripts/bootstrap.py test [ARG ...]  the same tools, then nox (its default sessions)
       python scripts/bootstrap.py run TASK [ARG ...]
                                                   the same tools, then one Invoke task
       python scripts/bootstrap.py --help

The tools live in .tools/, pinned by requirements/tools.txt. Needs CPython 3.11 or newer and a
package index; your pip and uv settings (index, wheelhouse, proxy, certificates) are respected.
Exit codes: 0 done, 1 failed and put back, 2 refused, 3 a bug, 4 another run is at work, 130
interrupted; else that of the command.
"""
ASK = "import sys; print(sys.version_info[0] * 1000 + sys.version_info[1])"


def main(arguments: List[str]) -> int:
    """Sort out the words and the interpreter, then do the work."""
    if arguments[:1] in (["--help"], ["-h"]):
        sys.stdout.write(USAGE)
        return 0
    if arguments and not (arguments[0] == "test" or (arguments[0] == "run" and len(arguments) > 1)):
        wrong = "run needs the name of a task" if arguments[0] == "run" else "unknown: " + arguments[0]
        sys.stderr.write(f"bootstrap: {wrong}\n{USAGE}")
        return 2
    if sys.version_info < NEEDS:
        return hand_to_newer(arguments)
    # Its syntax is that of 3.11, so only now.
    from toolshed.door import enter

    return enter(arguments)


def hand_to_newer(arguments: List[str]) -> int:
    """Run this file again with an interpreter that is new enough, or say that there is none."""
    newer = find_newer()
    if newer is None:
        sys.stderr.write(refusal())
        return 2
    with entry.interrupts_held():  # it gets the Ctrl+C of the terminal too, and we wait for its end
        return subprocess.call([*newer, os.path.abspath(__file__), *arguments])


def find_newer() -> Optional[List[str]]:
    """Return the command of the newest suitable interpreter: on the PATH, or known to the py launcher."""
    for minor in range(NEWEST, NEEDS[1] - 1, -1):
        for command in [f"python3.{minor}"], ["py", f"-3.{minor}"]:
            if (command[0] != "py" or os.name == "nt") and is_new_enough(command):
                return command
    for name in "python3", "python":
        if is_new_enough([name]):
            return [name]
    return None


def is_new_enough(command: List[str]) -> bool:
    """Ask an interpreter its version: a name on the PATH may be a shim without anything behind it."""
    try:
        done = subprocess.run(
            [*command, "-I", "-c", ASK],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    answer = done.stdout.strip()
    return done.returncode == 0 and answer.isdigit() and int(answer) >= NEEDS[0] * 1000 + NEEDS[1]


def refusal() -> str:
    """Say what was found, what was looked for and what helps."""
    found = ".".join(str(part) for part in sys.version_info[:3])
    return (
        f"bootstrap: no-interpreter: the tools need CPython 3.11 or newer, and this is {found}\n"
        f"  why:  {sys.executable} is too old, and so is all that is on the PATH as python3.11 ...\n"
        f"        python3.{NEWEST}, python3 or python\n"
        "  next: install one (python.org, your package manager, pyenv), then\n"
        "        /path/to/python3.13 scripts/bootstrap.py\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
