"""What every benchmark needs: a patient, a stopwatch, and a table at the end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INVOKE = (sys.executable, "-m", "invoke")
UV = (sys.executable, "-m", "uv")


@dataclass
class Stage:
    """A folder with an environment of the bridge's lock, and the settings of a project around it."""

    folder: Path
    runs: int = 5
    rows: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def venv(self) -> Path:
        """The patient."""
        return self.folder / "env"

    @property
    def python(self) -> Path:
        """The patient's interpreter."""
        return self.venv / "bin" / "python"

    @property
    def settings(self) -> Path:
        """The settings file of the project around it."""
        return self.folder / "bench.yaml"

    def prepare(self, base: str = sys.executable) -> None:
        """Make the environment and the settings."""
        self.folder.mkdir(parents=True, exist_ok=True)
        quiet([*UV, "venv", "--quiet", "--python", base, self.venv])
        lock = ROOT / "requirements" / "bridge.txt"
        quiet(
            [*UV, "pip", "install", "--quiet", "--require-hashes", "--compile-bytecode", "-r", lock, "-p", self.python]
        )
        tree = {
            "environment": {"path": str(self.venv), "requirements": str(lock)},
            "service": {"cwd": str(ROOT / "ai"), "port": free_port(), "pid_file": "b.pid", "log_file": "b.log"},
        }
        self.settings.write_text(json.dumps({"clinic": tree}), encoding="utf-8")

    @property
    def port(self) -> int:
        """The server's port."""
        return int(json.loads(self.settings.read_text(encoding="utf-8"))["clinic"]["service"]["port"])

    def invoke(self, *argv: str) -> list[str]:
        """The argument list of one of our commands on this stage."""
        return [*INVOKE, "-f", str(self.settings), *argv]

    def row(self, what: str, figure: str, goal: str = "") -> None:
        """Keep a line of the table, and show it at once."""
        self.rows.append((what, figure, goal))
        print(f"{what:68} {figure:>26}  {goal}", flush=True)  # noqa: T201 - a benchmark is a door


def quiet(
    argv: Sequence[str | Path],
    *,
    ok: Sequence[int] = (0,),
    cwd: Path = ROOT,
    more: Mapping[str, str] | None = None,
) -> float:
    """Seconds that a whole command took; `more` are variables for it."""
    left_out = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}  # people keep their bytecode
    env = {name: value for name, value in os.environ.items() if name not in left_out} | dict(more or {})
    started = time.perf_counter()
    done = subprocess.run(list(map(str, argv)), capture_output=True, check=False, cwd=cwd, env=env)
    seconds = time.perf_counter() - started
    if done.returncode not in ok:
        raise SystemExit(f"{argv}: exit code {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}")
    return seconds


def median(stage: Stage, once: Callable[[], float], before: Callable[[], object] = lambda: None) -> float:
    """The median of the stage's runs, after one that does not count."""
    figures = []
    for number in range(stage.runs + 1):
        before()
        figure = once()
        if number:
            figures.append(figure)
    return statistics.median(figures)


def free_port() -> int:
    """A port that nobody holds just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_200(port: int, limit: float = 30.0) -> float:
    """Seconds until /health answers 200."""
    started = time.perf_counter()
    while time.perf_counter() - started < limit:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as told:
            if told.status == 200:
                return time.perf_counter() - started
        time.sleep(0.005)
    raise SystemExit(f"no answer on port {port}")


@contextlib.contextmanager
def staged(folder: Path, runs: int) -> Iterator[Stage]:
    """A stage that is torn down at the end."""
    stage = Stage(folder, runs)
    stage.prepare()
    try:
        yield stage
    finally:
        quiet(stage.invoke("stop"), ok=(0, 1, 2))
        shutil.rmtree(folder, ignore_errors=True)
