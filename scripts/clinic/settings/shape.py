"""The settings as the rest of the house sees them: frozen, typed, paths absolute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Environment:
    """The managed environment. `path` is None for `auto`."""

    path: Path | None
    python: tuple[str, ...]
    requirements: Path
    imports: tuple[str, ...]
    system_site_packages: Literal["auto"] | bool
    trust: tuple[Path, ...] = ()
    """Folders of other users that may be run."""


@dataclass(frozen=True)
class Health:
    """What a healthy answer is. `body`: pairs the JSON must contain, a text that must occur, or None. Seconds."""

    path: str
    status: int
    body: Mapping[str, Any] | str | None
    timeout: float


@dataclass(frozen=True)
class Service:
    """The server. `command` holds placeholders ({python}, {host}, {port}, {venv}, {root}). Times in seconds."""

    command: tuple[str, ...]
    cwd: Path
    host: str
    port: int
    health: Health
    start_timeout: float
    stop_timeout: float
    pid_file: Path
    log_file: Path
    variables: Mapping[str, str]

    @property
    def url(self) -> str:
        """The health URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}{self.health.path}"

    def argv(self, python: Path, venv: Path, root: Path) -> list[str]:
        """The command with its placeholders filled in."""
        values = {"python": python, "venv": venv, "root": root, "host": self.host, "port": self.port}
        return [part.format_map(values) for part in self.command]


@dataclass(frozen=True)
class KeepAlive:
    """The monitor's figures; times in seconds."""

    interval: float
    failures: int
    backoff_first: float
    backoff_limit: float
    crash_loop_starts: int
    crash_loop_window: float


@dataclass(frozen=True)
class Settings:
    """Everything a run needs to know of its project. `root` is the folder of the settings file."""

    root: Path
    file: Path | None
    environment: Environment
    service: Service
    keep_alive: KeepAlive
    records: Path
