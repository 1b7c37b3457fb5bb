"""Starts the server: detached from terminal, editor and launcher, its output in the log.

The one room besides `clinic.proc` that starts programs; here they outlive us.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clinic import proc
from clinic.errors import FailedError
from clinic.service import identity, jobs
from clinic.service.table import Identity, look
from toolshed import entry

if TYPE_CHECKING:
    from pathlib import Path

# DETACHED_PROCESS is left out on purpose: it voids CREATE_NO_WINDOW, and a program without any console gets a
# visible one from the first console program that it starts (the venv's own redirector starts one). To pythonw.exe,
# which is no console program, CREATE_NO_WINDOW means nothing: there the wrapper does it (_share_a_hidden_console).
CREATE_NEW_PROCESS_GROUP = 0x00000200
CREATE_BREAKAWAY_FROM_JOB = 0x01000000
CREATE_NO_WINDOW = 0x08000000
WINDOWS_FLAGS = CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP | CREATE_BREAKAWAY_FROM_JOB

_ASKING = 10.0  # seconds that the question about our job may take

Popen = Callable[..., "subprocess.Popen[bytes]"]


@dataclass
class Child:
    """A server that we started; `wait` tells its exit code, which only its parent can learn."""

    identity: Identity
    popen: subprocess.Popen[bytes]
    notes: tuple[str, ...] = ()
    _pidfd: int | None = field(default=None, repr=False)

    def wait(self, timeout: float) -> int | None:
        """Wait at most `timeout` seconds for its end; its exit code (minus the signal's number) or None.

        On Linux and Windows the end is an event, elsewhere `subprocess` looks again every 50 ms at most.
        """
        if self._pidfd is None and self.popen.returncode is None:
            try:
                self._pidfd = identity.open_pidfd(self.identity)
            except OSError:
                self._pidfd = None
        if self._pidfd is not None:
            identity.readable(self._pidfd, timeout)
            return self._polled()
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def release(self) -> None:
        """Let it outlive us: no warning that it still runs, no handle kept."""
        self._close()
        if self.popen.returncode is None:
            self.popen.returncode = 0  # what Popen's finalizer looks at; nobody reads it after this

    def _polled(self) -> int | None:
        code = self.popen.poll()
        if code is not None:
            self._close()
        return code

    def _close(self) -> None:
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None


def surroundings(given: Mapping[str, str], launch: str, mode: str, host: str, port: int) -> dict[str, str]:
    """Return the environment variables of a server: ours less what derails a python, then its own.

    UTF-8 whatever the code page, so that a service that prints an emoji to a cp1252 stream works; what still
    cannot be encoded is shown escaped instead of ending the service.
    """
    defaults = {
        "PYTHONUTF8": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        "PYTHONUNBUFFERED": "1",
        "BRIDGE_HOST": host,
        "BRIDGE_PORT": str(port),
    }
    env = proc.scrubbed({**defaults, **given}, without=("PYTHONLEGACYWINDOWSSTDIO",))
    return {**env, "BRIDGE_LAUNCH_ID": launch, "BRIDGE_MODE": mode}


def spawn(  # noqa: PLR0913 - all but the first by name
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: int = subprocess.DEVNULL,
    stdin: int = subprocess.DEVNULL,
    windows: bool = os.name == "nt",
    popen: Popen = subprocess.Popen,
) -> Child:
    """Start a program that outlives us: a session or process group of its own, no terminal, output to `log`.

    `log` and `stdin` are file descriptors. Raises FailedError where it cannot be started.
    """
    options: dict[str, Any] = {"stdin": stdin, "stdout": log, "stderr": subprocess.STDOUT}
    options |= {"cwd": cwd, "env": dict(env)}
    try:
        started, notes = _windows(popen, argv, options) if windows else _posix(popen, argv, options)
    except (OSError, ValueError) as error:
        raise _cannot_start(argv, error) from error
    row = look(started.pid)  # a child that has ended already is still in the table: nobody has waited for it
    return Child(row.identity if row else Identity(started.pid, "gone"), started, notes)


def become(argv: Sequence[str], *, windows: bool = os.name == "nt", popen: Popen = subprocess.Popen) -> int:
    """Become another program where the system can; else run it, and return its exit code. Ctrl+C is its own."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    if not windows:
        with entry.interrupts_held():
            os.execv(argv[0], list(argv))  # noqa: S606 - no shell is wanted
    with popen(list(argv)) as child, entry.left_to_the_child():
        return child.wait()


Started = tuple["subprocess.Popen[bytes]", tuple[str, ...]]


def _posix(popen: Popen, argv: Sequence[str], options: Mapping[str, Any]) -> Started:
    # Ours, but never writable for everybody: a daemon must not inherit an umask of 0.
    return popen(list(argv), **options, start_new_session=True, umask=_umask() | 0o022), ()


def _windows(popen: Popen, argv: Sequence[str], options: Mapping[str, Any]) -> Started:
    flags = WINDOWS_FLAGS
    try:
        started = popen(list(argv), **options, creationflags=flags)
    except PermissionError:
        # Access denied means the job or the file. Without breakaway the first is cured, the second stays.
        flags &= ~CREATE_BREAKAWAY_FROM_JOB
        started = popen(list(argv), **options, creationflags=flags)
    # Breakaway also ends, without a word, at the first job of several that does not allow it.
    ends = jobs.confined(started.pid) and _ends_with_our_job(popen, flags)
    return started, (jobs.ENDS_WITH_JOB,) if ends else ()


def _ends_with_our_job(popen: Popen, flags: int) -> bool:
    """Start a program just as the server was, and ask it; not by a launcher, which would put it into another job."""
    python = getattr(sys, "_base_executable", sys.executable)
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    with popen([python, "-I", "-S", jobs.__file__], **streams, creationflags=flags) as asked:
        try:
            return asked.wait(_ASKING) == 1
        except subprocess.TimeoutExpired:
            asked.kill()
            return False


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _cannot_start(argv: Sequence[str], error: Exception) -> FailedError:
    program = argv[0] if argv else "(nothing)"
    what = getattr(error, "strerror", None) or str(error)
    if isinstance(error, FileNotFoundError) and os.path.lexists(program):
        what = "it is there, but what it links to or its loader is not"
    return FailedError("cannot-start", f"{program} cannot be started: {what}.", "invoke diagnose")
