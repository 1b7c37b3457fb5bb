"""The only module that starts short-lived programs: argument lists, a scrubbed environment, a time limit.

Each runs in a group of its own (a session; a job object on Windows), and whatever is left of the group when the answer
is there is ended with it. Long-lived programs (the server) are started by `clinic.service.process`.
"""

from __future__ import annotations

import os
import queue
import shlex
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from clinic.errors import lacks_means
from clinic.proc_group import Group

# What makes a child python believe that it is somewhere else, or writes where it should not. The lists of nox, pipx
# and virtualenv agree on these; __PYVENV_LAUNCHER__ is what the Windows and macOS launchers hand down.
DERAILING = frozenset(
    {
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "PYTHONEXECUTABLE",
        "PYTHONPLATLIBDIR",
        "PYTHONUSERBASE",
        "PYTHONINSPECT",
        "PYTHONSAFEPATH",
        "PYTHONWARNINGS",
        "PYTHONDEVMODE",
        "__PYVENV_LAUNCHER__",
        "VIRTUAL_ENV",
        "VIRTUAL_ENV_PROMPT",
        "CONDA_PREFIX",
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_ROOT",
        "PIP_USER",
        "PIP_PYTHON",
        "PIP_REQUIRE_VIRTUALENV",
        "PIP_RESPECT_VIRTUALENV",
        "PIP_BREAK_SYSTEM_PACKAGES",
        "PIP_DRY_RUN",
        "PIP_SRC",
        "PIP_PLATFORM",
        "PIP_PYTHON_VERSION",
        "PIP_IMPLEMENTATION",
        "PIP_ABI",
        "UV_PYTHON",
        "UV_SYSTEM_PYTHON",
        "UV_BREAK_SYSTEM_PACKAGES",
        "UV_PROJECT_ENVIRONMENT",
        "UV_TARGET",
        "UV_PREFIX",
        "UV_PROJECT",
        "UV_WORKING_DIR",
        "UV_MANAGED_PYTHON",
        "UV_PYTHON_PREFERENCE",
    }
)


@dataclass(frozen=True)
class Completed:
    """How a program ended. `code` is None when it could not be started or ran out of time; `reason` says which."""

    code: int | None
    stdout: str
    stderr: str
    seconds: float
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Whether it ran to its end and exited with 0."""
        return self.code == 0


def scrubbed(extra: Mapping[str, str] | None = None, without: Iterable[str] = ()) -> dict[str, str]:
    """The environment variables for a child: ours less the derailing ones, plus `extra`."""
    dropped = DERAILING.union(without)
    env = {name: value for name, value in os.environ.items() if name.upper() not in dropped}
    env.update(extra or {})
    return env


LIMIT = 16 * 1024**2
"""Bytes that are read of one stream: what says more than this is no answer."""
_LONGEST_LINE = 64 * 1024
_BEAT = 0.1  # seconds between two looks whether a program has ended whose streams are held open by its children
_GRACE = 0.5  # seconds for what is left in a pipe, once all who could write to it are ended

# No file of the caller's folder is imported or read by accident, and unlike the temporary folder it is always there.
_NEUTRAL = Path(Path(sys.prefix).anchor)


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    timeout: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run a program to its end and collect what it says; never raises for what the program does.

    `timeout` is in seconds. Without `cwd` it runs in the root folder. Output is read as UTF-8, undecodable bytes shown
    as escapes: it is for reading, not for paths. A program that has ended has answered, whatever it leaves running.
    Raises OSError for what this machine lacks (descriptors, processes, memory): that is no answer of the program's.
    """
    started, out, err = time.perf_counter(), _Kept(), _Kept()
    code, reason = _asked(argv, timeout, cwd or _NEUTRAL, env, [out.add, err.add])
    seconds = time.perf_counter() - started
    return Completed(code, _text(out.data), _text(err.data), seconds, reason or _late(code, "answer", timeout))


def stream(
    argv: Sequence[str | os.PathLike[str]],
    *,
    timeout: float,
    on_line: Callable[[str], object],
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run a program as `run` does, and hand over each line that it says as it comes; both streams are one.

    `on_line` is called in another thread than the caller's, one line after the other. Whatever ends the waiting early
    (Ctrl+C, an error in `on_line`) ends the program too. Of much output the last `LIMIT` bytes are kept.
    """
    started, lines = time.perf_counter(), _Lines(on_line)
    code, reason = _asked(argv, timeout, _NEUTRAL, env, [lines.add])
    seconds = time.perf_counter() - started
    return Completed(code, "\n".join(lines.said), "", seconds, reason or _late(code, "end", timeout))


def _late(code: int | None, what: str, timeout: float) -> str:
    return f"no {what} in {timeout:g} s" if code is None else ""


Sink = Callable[[bytes], None]
"""Takes what a stream says, piece by piece, and an empty piece at its end."""


class _TooMuchError(Exception):
    """A program says more than is read."""


class _Kept:
    """What one stream says, up to a limit."""

    def __init__(self) -> None:
        self.data = bytearray()

    def add(self, data: bytes) -> None:
        self.data += data[: LIMIT - len(self.data)]
        if len(self.data) >= LIMIT:
            raise _TooMuchError


class _Lines:
    """The lines of a stream, handed over as they come; the last ones are kept."""

    def __init__(self, on_line: Callable[[str], object]) -> None:
        self.said: deque[str] = deque()
        self._on_line, self._rest, self._size = on_line, b"", 0

    def add(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\n")
        if self._rest and (not data or len(self._rest) > _LONGEST_LINE):
            whole, self._rest = [*whole, self._rest], b""
        for line in whole:
            self._keep(_text(line).rstrip("\r"))

    def _keep(self, line: str) -> None:
        self.said.append(line)
        self._size += len(line)
        while self._size > LIMIT:
            self._size -= len(self.said.popleft())
        self._on_line(line)


class _Reader(threading.Thread):
    """Reads one stream to its end, or until nobody listens any more."""

    def __init__(self, stream: IO[bytes], sink: Sink, ended: queue.SimpleQueue[None]) -> None:
        super().__init__(name="clinic-reader", daemon=True)
        self._stream, self._sink, self._ended = stream, sink, ended
        self.deaf = False
        self.error: BaseException | None = None

    def run(self) -> None:
        """Hand over what comes."""
        try:
            with self._stream:
                data = b"."
                while data and not self.deaf:
                    data = self._stream.read(_LONGEST_LINE)
                    if not self.deaf:
                        self._sink(data)
        except BaseException as error:  # noqa: BLE001 - raised again by the one who waits
            self.error = error
        finally:
            self._ended.put(None)


def _asked(
    argv: Sequence[str | os.PathLike[str]],
    timeout: float,
    cwd: Path,
    env: Mapping[str, str] | None,
    sinks: Sequence[Sink],
) -> tuple[int | None, str]:
    """Run a program in a group of its own; its exit code, None where it has none, and why if it was not too late."""
    words, group = [os.fspath(part) for part in argv], Group()
    try:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if len(sinks) > 1 else subprocess.STDOUT,
            bufsize=0,
            cwd=cwd,
            env=dict(env) if env is not None else scrubbed(),
            start_new_session=True,
            creationflags=group.creation_flags,
        )
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and lacks_means(error):
            raise
        return None, _cannot_start(error)
    ended: queue.SimpleQueue[None] = queue.SimpleQueue()
    streams = [each for each in (child.stdout, child.stderr) if each]
    readers = [_Reader(each, sink, ended) for each, sink in zip(streams, sinks, strict=True)]
    try:
        group.take(child.pid)
        for reader in readers:
            reader.start()
        code = _waited(child, readers, ended, time.monotonic() + timeout)
    finally:
        group.end()
        child.kill()
        child.wait()
        _let_go(readers)
    return code, _objection(readers)


def _waited(
    child: subprocess.Popen[bytes], readers: Sequence[_Reader], ended: queue.SimpleQueue[None], deadline: float
) -> int | None:
    """Wait for the end of a program; its exit code, None where it is late or speaks without end."""
    open_ones = len(readers)
    while open_ones and (left := deadline - time.monotonic()) > 0:
        try:
            ended.get(timeout=min(left, _BEAT))
            open_ones -= 1
        except queue.Empty:
            # It may have ended, and have left a child that holds its streams.
            if child.poll() is not None:
                return child.returncode
        if any(reader.error for reader in readers):
            return None
    try:
        return child.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return None


def _let_go(readers: Sequence[_Reader]) -> None:
    """Let the readers come to an end. A process that has left the group may hold a pipe open: nobody waits for it."""
    for reader in readers:
        if reader.is_alive():
            reader.join(_GRACE)
        reader.deaf = True


def _objection(readers: Sequence[_Reader]) -> str:
    """Why what was said is no answer. Raises what a sink raised."""
    for error in (reader.error for reader in readers):
        if error and not isinstance(error, _TooMuchError):
            raise error
    return f"it says more than {LIMIT // 1024**2} MB" if any(reader.error for reader in readers) else ""


def quoted(argument: str | os.PathLike[str]) -> str:
    """An argument as it is typed on this platform's command line."""
    text = os.fspath(argument)
    return subprocess.list2cmdline([text]) if os.name == "nt" else shlex.quote(text)


def _text(data: bytes | bytearray) -> str:
    return data.decode("utf-8", "backslashreplace")


def _cannot_start(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
