"""The only room that starts short-lived programs: argument lists, a scrubbed environment, a time limit.

Long-lived ones (the server) are started by `clinic.service.process`.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    timeout: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run a program to its end and collect what it says; never raises for what the program does.

    `timeout` is in seconds. Without `cwd` it runs in the temporary folder, so that no file of the caller's folder is
    imported by accident. Output is read as UTF-8, undecodable bytes shown as escapes: it is for reading, not for
    paths.
    """
    started = time.perf_counter()
    try:
        done = _captured(
            [os.fspath(part) for part in argv],
            timeout,
            cwd or Path(tempfile.gettempdir()),
            dict(env) if env is not None else scrubbed(),
        )
    except subprocess.TimeoutExpired as late:
        return Completed(
            None,
            _text(late.stdout),
            _text(late.stderr),
            time.perf_counter() - started,
            f"no answer in {timeout:g} s",
        )
    except (OSError, ValueError) as error:
        return Completed(None, "", "", time.perf_counter() - started, _cannot_start(error))
    return Completed(done.returncode, _text(done.stdout), _text(done.stderr), time.perf_counter() - started)


def _captured(argv: list[str], timeout: float, cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    if os.name != "nt":
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, cwd=cwd, env=env, check=False
        )
    # There a program that is late is ended, and then `subprocess` waits without a limit for the end of its pipes, which
    # its children may hold: a launcher that starts itself for ever has many. Nobody waits for a file.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=timeout, cwd=cwd, env=env, check=False
        )
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(argv, done.returncode, out.read(), err.read())


def stream(
    argv: Sequence[str | os.PathLike[str]],
    *,
    timeout: float,
    on_line: Callable[[str], object],
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run a program as `run` does, and hand over each line that it says as it comes; both streams are one.

    Whatever ends the waiting early (Ctrl+C, an error in `on_line`) ends the program too.
    """
    started, said = time.perf_counter(), list[str]()
    try:
        child = subprocess.Popen(
            [os.fspath(part) for part in argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=tempfile.gettempdir(),
            env=dict(env) if env is not None else scrubbed(),
        )
    except (OSError, ValueError) as error:
        return Completed(None, "", "", time.perf_counter() - started, _cannot_start(error))
    watch = threading.Timer(timeout, child.kill)
    watch.start()
    try:
        for line in child.stdout or ():
            said.append(_text(line).rstrip("\r\n"))
            on_line(said[-1])
        code = child.wait()
    finally:
        late = not watch.is_alive()
        watch.cancel()
        child.kill()
        child.wait()
        if child.stdout:
            child.stdout.close()
    reason = f"no end in {timeout:g} s" if late else ""
    return Completed(None if late else code, "\n".join(said), "", time.perf_counter() - started, reason)


def quoted(argument: str | os.PathLike[str]) -> str:
    """An argument as it is typed on this platform's command line."""
    text = os.fspath(argument)
    return subprocess.list2cmdline([text]) if os.name == "nt" else shlex.quote(text)


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "backslashreplace")


def _cannot_start(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
