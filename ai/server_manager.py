"""Start, stop, restart or look at the Interface Bridge: server_manager.py start|stop|restart|status|logs|keep-alive.

Runs under any Python from 3.8 on with nothing installed. The work is done by ``clinic.service`` in the repository's
own tool environment ``.tools``; this door finds it, becomes its python, makes sure there that it is what it seems to
be, and goes in. A start waits for all of this, so nothing is imported that it could do without.
"""

from __future__ import annotations

import os
import sys

FILE = os.path.abspath(__file__)
# The repository's folder, also where this file is called through a link.
ROOTS = [os.path.dirname(os.path.dirname(file)) for file in (FILE, os.path.realpath(FILE))]
ROOT = next((root for root in ROOTS if os.path.isdir(os.path.join(root, "scripts", "clinic"))), ROOTS[0])
sys.path.insert(0, os.path.join(ROOT, "scripts"))

from toolshed import entry

if __name__ == "__main__":
    entry.prepare()

# The first word of this file's second life, which is run by the tools' python; the second is the python of the first.
INSIDE = "--inside-the-tools"
CREATE_NO_WINDOW = 0x08000000
VERBS = ("start", "stop", "restart", "status", "logs", "keep-alive")


def main(arguments: list[str]) -> int:
    """Hand over to the tool environment; 2 and what to do where there is none that works."""
    tools = os.path.join(ROOT, ".tools")
    if arguments[:1] == [INSIDE]:
        wrong = is_somebody_else(tools)
        return refuse(wrong, *arguments[1:]) if wrong else enter(arguments[2:])
    python = tool_python(tools)
    wrong = what_is_wrong(tools, python)
    if not wrong:
        try:
            # "-I" so that neither PYTHONHOME nor a file of the current folder gets between; the caller's arguments
            # and current folder stay as they are.
            return hand_over([python, "-I", "-X", "utf8", FILE, INSIDE, sys.executable, *arguments])
        except OSError as error:
            wrong = f"the tools' interpreter {python} does not start ({error})"
    return refuse(wrong, sys.executable, *arguments)


def tool_python(tools: str) -> str:
    """Return the path of the tool environment's interpreter; empty where there is none."""
    places = [os.path.join(tools, "Scripts", "python.exe"), os.path.join(tools, "bin", "python")]
    return next((python for python in places if os.path.isfile(python)), "")


def what_is_wrong(tools: str, python: str) -> str:
    """Say why the tool environment cannot be used, as far as can be seen without running it; nothing where it can."""
    if not python:
        return f"there are no tools in {tools} yet"
    cfg = os.path.join(tools, "pyvenv.cfg")
    try:
        with open(cfg, encoding="utf-8", errors="surrogateescape") as stream:
            pairs = dict(line.split("=", 1) for line in stream if "=" in line)
    except OSError as error:
        return f"the tools' {cfg} cannot be read ({error.strerror})"
    home = next((value.strip() for key, value in pairs.items() if key.strip().lower() == "home"), "")
    if not os.path.isdir(home):
        return f"the tools' interpreter {python} was made from {home or 'nowhere'}, which is gone"
    return ""


def is_somebody_else(tools: str) -> str:
    """Say whose python this is, if not the tools'; without its packages it would not get far."""
    if os.path.realpath(sys.prefix) == os.path.realpath(tools):
        return ""
    return f"the tools' interpreter {sys.executable} takes itself for {sys.prefix}"


def enter(arguments: list[str]) -> int:
    """Run the command, here."""
    from clinic.service.__main__ import main as work

    return work(arguments)


def refuse(wrong: str, python: str, *arguments: str) -> int:
    """Say why nothing can be done, and what to do with `python`, in the form that was asked for; the exit code."""
    hint = f"{quoted(python)} {quoted(os.path.join(ROOT, 'scripts', 'bootstrap.py'))}"
    if "--json" not in arguments:
        sys.stderr.write(f"error[no-tools]: {wrong}.\n  hint: {hint}\n")
        return 2
    import json

    verb = next((word for word in arguments if word in VERBS), "")
    error = {"code": "no-tools", "message": wrong + ".", "hint": hint}
    envelope = {"clinic": 1, "command": verb, "outcome": "refused", "exit_code": 2, "seconds": 0.0}
    sys.stdout.write(json.dumps(dict(envelope, data={}, errors=[error])) + "\n")
    return 2


def hand_over(command: list[str]) -> int:
    """Become that program where the system can; else run it, with Ctrl+C and exit code passed on."""
    if os.name != "nt":
        with entry.interrupts_held():
            os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    import subprocess

    windowless = os.path.basename(sys.executable).lower().startswith("pythonw")  # so the Task Scheduler runs it
    flags = CREATE_NO_WINDOW if windowless else 0
    with subprocess.Popen(command, creationflags=flags) as child, entry.left_to_the_child():
        return child.wait()


def quoted(path: str) -> str:
    """Return a path as it can be pasted into a shell."""
    plain = path.replace(os.sep, "").replace(":", "").replace("_", "").replace("-", "").replace(".", "")
    return path if plain.isalnum() else '"' + path + '"'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
