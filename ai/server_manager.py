"""Start, stop, restart or look at the Interface Bridge: server_manager.py start|stop|restart|status|logs [--json].

Runs under any Python from 3.8 on with nothing installed. The work is done by ``clinic.service`` in the repository's
own tool environment ``.tools``; this door finds it, makes sure that it is what it seems to be, and hands over.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

FILE = Path(__file__)
ASK = "import os, sys; sys.stdout.buffer.write(os.fsencode(sys.prefix))"
# "-I" so that neither PYTHONHOME nor a file of the current folder gets between; then nothing but our own code is
# put on the path, and the caller's arguments and current folder stay as they are.
ENTER = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module('clinic.service', run_name='__main__', alter_sys=True)"
)
ANSWERS_WITHIN = 20  # seconds
VERBS = ("start", "stop", "restart", "status", "logs")


def main(arguments: list[str]) -> int:
    """Hand over to the tool environment; 2 and what to do where there is none that works."""
    root = find_root()
    python = tool_python(root)
    wrong = what_is_wrong(root, python)
    scripts = root / "scripts"
    if wrong or python is None:
        make = f"{quoted(sys.executable)} {quoted(str(scripts / 'bootstrap.py'))}"
        return refuse(wrong, make, arguments)
    return hand_over([str(python), "-I", "-X", "utf8", "-c", ENTER, str(scripts), *arguments])


def refuse(wrong: str, hint: str, arguments: list[str]) -> int:
    """Say why nothing can be done, in the form that was asked for; returns the exit code."""
    if "--json" not in arguments:
        sys.stderr.write(f"error[no-tools]: {wrong}.\n  hint: {hint}\n")
        return 2
    import json

    verb = next((word for word in arguments if word in VERBS), "")
    error = {"code": "no-tools", "message": wrong + ".", "hint": hint}
    envelope = {"clinic": 1, "command": verb, "outcome": "refused", "exit_code": 2, "seconds": 0.0}
    sys.stdout.write(json.dumps(dict(envelope, data={}, errors=[error])) + "\n")
    return 2


def find_root() -> Path:
    """Return the repository's folder, also where this file is called through a link."""
    roots = [FILE.absolute().parent.parent, FILE.resolve().parent.parent]
    return next((root for root in roots if (root / "scripts" / "clinic").is_dir()), roots[0])


def tool_python(root: Path) -> Path | None:
    """Return the tool environment's interpreter, None where there is none."""
    places = [root / ".tools" / "Scripts" / "python.exe", root / ".tools" / "bin" / "python"]
    return next((python for python in places if python.is_file()), None)


def what_is_wrong(root: Path, python: Path | None) -> str:
    """Say why the tool environment cannot be used; nothing where it can.

    It is asked who it is: without its pyvenv.cfg it would start as its base, and find none of its packages.
    """
    if python is None:
        return f"there are no tools in {root / '.tools'} yet"
    try:
        done = subprocess.run(
            [str(python), "-I", "-c", ASK],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=ANSWERS_WITHIN,
            check=False,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return f"the tools' interpreter {python} does not start ({error})"
    if done.returncode:
        return f"the tools' interpreter {python} does not start (exit code {done.returncode})"
    prefix = Path(os.fsdecode(done.stdout))
    if prefix.resolve() != (root / ".tools").resolve():
        return f"the tools' interpreter {python} takes itself for {prefix}"
    return ""


def hand_over(command: list[str]) -> int:
    """Become that program where the system can; else run it, with Ctrl+C and exit code passed on."""
    if os.name != "nt":
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    with subprocess.Popen(command) as child:
        return wait_through_interrupts(child)


def wait_through_interrupts(child: subprocess.Popen[bytes]) -> int:
    """Wait for the child's exit code; it got the Ctrl+C of the console too, puts things back and ends."""
    code = None
    while code is None:
        with contextlib.suppress(KeyboardInterrupt):
            code = child.wait()
    return code


def quoted(path: str) -> str:
    """Return a path as it can be pasted into a shell."""
    plain = path.replace(os.sep, "").replace(":", "").replace("_", "").replace("-", "").replace(".", "")
    return path if plain.isalnum() else '"' + path + '"'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
