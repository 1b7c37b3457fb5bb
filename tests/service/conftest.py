"""Projects with a service each, on ports of their own; whatever they leave running is ended, and nobody else."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from clinic.service import identity, manager
from clinic.service.table import Identity, command, look
from clinic.settings import Service, Settings, load
from tests.service import keeping

APP = Path(__file__).parent / "apps" / "app.py"
ODD = "pröject 'with' blänks 🌉"


def free_port() -> int:
    """Find a port below those that the system gives to clients: a health check's own end must not take it."""
    while True:
        port = random.randint(10_000, 30_000)  # noqa: S311 - no secret
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class Project:
    """A project's settings and the four commands on them."""

    settings: Settings
    python: Path = Path(sys.executable)
    venv: Path = Path(sys.prefix)

    @property
    def service(self) -> Service:
        """Its service."""
        return self.settings.service

    @property
    def family_file(self) -> Path:
        """Where the service and its children write themselves down."""
        return self.settings.root / "family"

    def start(self, **options: Any) -> manager.Status:
        """Start it."""
        return manager.start(self.settings, self.python, self.venv, **options)

    def restart(self) -> manager.Status:
        """Restart it."""
        return manager.restart(self.settings, self.python, self.venv)

    def stop(self) -> manager.Status:
        """Stop it."""
        return manager.stop(self.settings)

    def status(self) -> manager.Status:
        """Look at it."""
        return manager.status(self.settings)

    def family(self) -> list[int]:
        """Pids that the service and its children wrote down."""
        with contextlib.suppress(FileNotFoundError):
            return [int(line.split()[1]) for line in self.family_file.read_text("ascii").splitlines()]
        return []

    def log(self) -> str:
        """Read its log."""
        return self.service.log_file.read_text("utf-8")


@dataclass
class Projects:
    """Makes projects, and ends what they leave."""

    folder: Path
    made: list[Project] = field(default_factory=list)

    def __call__(
        self,
        variables: dict[str, str] | None = None,
        health: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Project:
        """Make one."""
        root = self.folder / f"{ODD} {len(self.made)}"
        root.mkdir()
        base = load(root, None, {})
        service = replace(
            base.service,
            command=("{python}", str(APP)),
            cwd=root,
            port=free_port(),
            start_timeout=10.0,
            stop_timeout=3.0,
            pid_file=root / "bridge.pid",
            log_file=root / "bridge.log",
            variables={"APP_FAMILY": str(root / "family"), **(variables or {})},
            health=replace(base.service.health, **{"timeout": 1.0, **(health or {})}),
        )
        project = Project(replace(base, service=replace(service, **changes)))
        self.made.append(project)
        return project

    def end_all(self) -> None:
        """End whatever runs."""
        for project in self.made:
            with contextlib.suppress(Exception):
                project.stop()
            for pid in project.family():
                row = look(pid)
                if row and row.state != "Z" and str(project.settings.root) in command_of(pid):
                    os.kill(pid, signal.SIGKILL)


def command_of(pid: int) -> str:
    """Everything that tells whose a process is: its command line and its environment."""
    with contextlib.suppress(OSError):
        return b" ".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ")).decode(
            "utf-8", "surrogateescape"
        )
    return ""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Projects]:
    projects = Projects(tmp_path)
    yield projects
    projects.end_all()


@pytest.fixture
def until() -> Callable[..., Any]:
    return keeping.until


@pytest.fixture
def bystander() -> Iterator[Identity]:
    """A stranger's process that must survive whatever the test does."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"]) as process:
        who = keeping.until(lambda: identity.identify(process.pid))
        keeping.until(lambda: command(process.pid))  # empty for a moment while it is being loaded
        yield who
        survived = process.poll() is None
        process.kill()
        process.wait()
    assert survived, "the bystander was killed"


@pytest.fixture
def sleeper() -> Iterator[Callable[..., Identity]]:
    """Start a program that may be ended by the test: `sleeper(code)` runs it and waits for its "ready"."""
    started: list[subprocess.Popen[bytes]] = []

    def start(code: str = "", *, session: bool = True, argv0: str = sys.executable) -> Identity:
        program = f"import os, signal, subprocess, sys, time\n{code}\nprint('ready', flush=True)\ntime.sleep(300)"
        process = subprocess.Popen([argv0, "-c", program], stdout=subprocess.PIPE, start_new_session=session)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.stdout.close()
        found = identity.identify(process.pid)
        assert found
        return found

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL) if os.name == "posix" else process.kill()
        process.kill()
        process.wait()
