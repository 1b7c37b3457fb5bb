"""Whether scripts start this environment's python: the kernel and the shell are asked, not the text."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from clinic import proc
from clinic.anatomy import layout, shebang
from clinic.facts import Facts, Silence
from clinic.observe.scripts import LAUNCHER_LIMIT, interpreter_of

_SECONDS = 30.0
_ASK = b"import os, sys\nsys.stdout.write(ascii(os.path.realpath(sys.prefix)))\n"
"""What is run in the place of a script: nobody's own code, and no word but ASCII on a pipe."""
_TRAMPOLINE = 3
"""Lines that the detour over a shell takes."""


def unproved(after: Facts, scripts: Sequence[Path], folder: Path) -> str:
    """Why the environment does not hold with these scripts rewritten; empty where it does.

    `folder` is one from which programs may be started.
    """
    if after.me is None or after.tree is None:
        return "the environment's python can't be run on this platform, so nothing proves the new scripts"
    if isinstance(after.me, Silence):
        return f"its python does not start: {after.me.reason}"
    if not after.me.is_itself:
        return f"its python says that its prefix is {after.me.interpreter.prefix}"
    for path in scripts:
        named = interpreter_of(path) or shebang.interpreter_beside(path.read_bytes(), path.parent)
        if not shebang.is_of(named, after.tree.scripts) or not os.path.exists(named):  # noqa: PTH110 - never raises
            return f"{path} would start with {named or 'no python'}"
    return _not_started(after.venv, scripts, folder)


def _not_started(venv: Path, scripts: Sequence[Path], folder: Path) -> str:
    """Run a script of ours behind each first line that was written: one for all that begin alike."""
    if layout.here() == "windows":
        return ""  # a launcher starts the script that it carries: nothing harmless can be put in its place
    heads = {_head(path.read_bytes()): path for path in scripts}
    env = proc.scrubbed({"PYTHONDONTWRITEBYTECODE": "1"})
    with TemporaryDirectory(prefix="probe-", dir=folder) as place:
        for number, (head, path) in enumerate(heads.items()):
            probe = Path(place) / f"script{number}"
            probe.write_bytes(head + _ASK)
            probe.chmod(0o700)
            done = proc.run([probe], timeout=_SECONDS, env=env)
            if not done.ok or done.stdout != ascii(os.path.realpath(venv)):
                last = (done.stderr.strip().splitlines() or [""])[-1]
                return f"{path} does not start this environment's python: {done.reason or last or done.stdout}"
    return ""


_OPTIONS = re.compile(rb"((?:python|pypy)[^/\\\s\"']*[\"']?)[ \t]+-[^\"\n]*?(?=[ \t]*(?:\"\$0\"|\r?\Z))")
"""What stands behind the path: with `-E` or `-I` a probe would write bytecode, whatever the variables say."""


def _head(data: bytes) -> bytes:
    """All that comes before the script itself, less the options of the interpreter."""
    lines = data[:LAUNCHER_LIMIT].split(b"\n", _TRAMPOLINE)
    if len(lines) > _TRAMPOLINE and lines[1].startswith(b"'''exec' "):
        return b"\n".join([lines[0], _OPTIONS.sub(rb"\1", lines[1]), lines[2], b""])
    return _OPTIONS.sub(rb"\1", lines[0]) + b"\n"
