"""A shadow server: the same command from the same environment, with everything else its own."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clinic import proc
from clinic.checklist import Subject, cleanup, stage
from clinic.settings import Settings, load

MANAGER = Path(__file__).resolve().parents[3] / "ai" / "server_manager.py"


@dataclass(frozen=True)
class Shadow:
    """A shadow's settings file and what it says."""

    file: Path
    settings: Settings

    @property
    def subject(self) -> Subject:
        """As the checks look at it."""
        return Subject(self.settings, shadow=True)

    @property
    def folder(self) -> Path:
        """Where everything that it leaves behind lies."""
        return self.file.parent

    def words(self, *more: str | Path) -> list[str]:
        """The argument list of one of the server's commands, as people type it."""
        return [sys.executable, str(MANAGER), "--config", str(self.file), *map(str, more)]

    def manage(self, verb: str) -> proc.Completed:
        """Run `python ai/server_manager.py VERB`."""
        service = self.settings.service
        limit = stage.SLACK + (service.stop_timeout if verb == "stop" else service.start_timeout)
        return proc.run(self.words(verb, "--json"), timeout=limit, env=stage.surroundings(self.folder))


@contextmanager
def made(
    settings: Settings, venv: Path, *, mode: str = "", changes: Mapping[str, Mapping[str, Any]] | None = None
) -> Iterator[Shadow]:
    """A shadow that is not started yet; it is stopped, and everything it leaves goes, when the block or we end.

    `mode` is how the live server runs. `changes` are settings that differ, by section.
    """
    with cleanup.folder_of_a_shadow(settings.service.stop_timeout) as folder:
        tree = _tree(settings, venv, folder)
        for section, values in (changes or {}).items():
            tree[section] = {**tree[section], **values}
        file = folder / cleanup.SETTINGS
        # JSON is YAML, except that YAML knows nothing of surrogate pairs.
        file.write_text(json.dumps({"clinic": tree}, ensure_ascii=False), encoding="utf-8")
        shadow = Shadow(file, load(folder, file, {}))
        if mode:
            from clinic.service import memory

            memory.keep(shadow.settings, mode=mode)
        yield shadow


def _tree(settings: Settings, venv: Path, folder: Path) -> dict[str, Any]:
    service, environment = settings.service, settings.environment
    return {
        "environment": {
            "path": str(venv),
            "requirements": str(environment.requirements),
            "imports": list(environment.imports),
            "system_site_packages": environment.system_site_packages,
        },
        "service": {
            # The shadow's settings lie elsewhere: what is relative to the project's folder must not move along.
            "command": [part.replace("{root}", _literal(settings.root)) for part in service.command],
            "cwd": str(service.cwd),
            "host": service.host,
            "port": free_port(service.host),
            "health": asdict(service.health),
            "start_timeout": service.start_timeout,
            "stop_timeout": service.stop_timeout,
            "pid_file": str(folder / "shadow.pid"),
            "log_file": str(folder / "shadow.log"),
            "variables": dict(service.variables),
        },
        "keep_alive": asdict(settings.keep_alive),
        "records": str(folder / "records"),
    }


def _literal(path: Path) -> str:
    return str(path).replace("{", "{{").replace("}", "}}")


def free_port(host: str) -> int:
    """A port of this address that nobody holds just now."""
    found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.bind(address)
        return int(probe.getsockname()[1])
