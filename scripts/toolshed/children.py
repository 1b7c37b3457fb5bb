"""The only room that starts programs: quietly while installing, in plain view when handing over."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolshed import entry
from toolshed.interrupt import heed, requests_to_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

# What would send packages elsewhere, or make an interpreter think it is another one. All else that
# the person has set for pip and uv (index, wheelhouse, proxy, certificates) stays.
ELSEWHERE = (
    *("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_PYTHON", "PIP_SRC"),
    *("PIP_DRY_RUN", "PIP_PLATFORM", "PIP_PYTHON_VERSION", "PIP_IMPLEMENTATION", "PIP_ABI"),
    *("UV_SYSTEM_PYTHON", "UV_PYTHON", "UV_PROJECT_ENVIRONMENT", "UV_TARGET", "UV_PREFIX"),
    *("UV_PROJECT", "UV_WORKING_DIR"),
    *("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__"),
)
QUIET = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
BEAT = 0.1
PATIENCE = 5.0


@dataclass(frozen=True)
class Done:
    """How a program ended, and what it said."""

    code: int
    output: str


def scrubbed() -> dict[str, str]:
    """Return the environment variables without those that lead elsewhere."""
    return {name: value for name, value in os.environ.items() if name not in ELSEWHERE}


def run(
    argv: Sequence[str | Path],
    beat: Callable[[], None],
    extra: dict[str, str] | None = None,
    limit: float = float("inf"),
) -> Done:
    """Run a program to its end and keep what it says; ``beat`` is called meanwhile."""
    # A pipe rather than a file: where the temporary folder is full or missing, that is not the program's failure.
    child = subprocess.Popen(
        [str(word) for word in argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**scrubbed(), **QUIET, **(extra or {})},
    )
    with child, ended(child):
        return attend(child, beat, limit)


def attend(child: subprocess.Popen[bytes], beat: Callable[[], None], limit: float) -> Done:
    """Wait for a program, calling ``beat`` meanwhile; a program that takes too long counts as failed."""
    waited = 0.0
    while waited < limit:
        try:
            said, _none = child.communicate(timeout=BEAT)
        except subprocess.TimeoutExpired:
            waited += BEAT
            heed()
            beat()
        else:
            heed()  # the terminal's Ctrl+C reached it too: that it failed is no news
            return Done(child.returncode, said.decode("utf-8", "replace"))
    return Done(-1, "")


@contextlib.contextmanager
def ended(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave no program behind, whatever happens."""
    try:
        yield
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def hand_over(argv: Sequence[str | Path], cwd: Path) -> int:
    """Run the command that the person wanted, on their terminal; its exit code is ours."""
    # The terminal sends Ctrl+C to both of us: the child decides what it means, we only wait. What is
    # sent to us alone is passed on, so that nobody is orphaned.
    with contextlib.ExitStack() as waiting:
        with entry.interrupts_held():  # tasks.py and noxfile.py let them through
            child = subprocess.Popen([str(word) for word in argv], cwd=cwd, env=scrubbed())
            waiting.enter_context(passed_on(child))
        code = child.wait()
    return 128 - code if code < 0 else code


@contextlib.contextmanager
def passed_on(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ignore Ctrl+C and pass on a request to end."""
    before = {}
    for number in requests_to_end():
        before[number] = signal.signal(number, lambda received, _frame: child.send_signal(received))
    try:
        with entry.left_to_the_child():
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
