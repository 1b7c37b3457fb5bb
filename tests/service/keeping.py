"""A monitor in a process of its own, as `invoke keep-alive` runs it, and what it told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clinic.service import identity, manager
from clinic.service.table import look
from clinic.settings import Settings, load

ROOT = Path(__file__).resolve().parents[2]
APP = Path(__file__).parent / "apps" / "app.py"
ENTER = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module('clinic.service', run_name='__main__', alter_sys=True)"
)
QUICK = {"interval": 0.5, "backoff_first": 0.1, "backoff_limit": 0.4, "crash_loop_starts": 4}


def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait for a condition to come true, and give what it came to."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.01)
    return found


@dataclass
class Kept:
    """A project with a settings file, whose server is kept alive."""

    root: Path
    port: int
    service: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    environment: Path = Path(sys.prefix)
    monitors: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def file(self) -> Path:
        """Its settings file."""
        return self.root / "kept.yaml"

    @property
    def settings(self) -> Settings:
        """Its settings."""
        return load(self.root, self.file, {})

    def write(self) -> None:
        """Write the settings file."""
        service = {
            "command": ["{python}", str(APP)],
            "cwd": ".",
            "port": self.port,
            "start_timeout": 6,
            "stop_timeout": 2,
            "pid_file": "b.pid",
            "log_file": "b.log",
            "health": {"timeout": 1},
            **self.service,
        }
        service["variables"] = {"APP_FAMILY": str(self.root / "family"), **self.service.get("variables", {})}
        tree = {
            "environment": {"path": str(self.environment), "imports": []},
            "service": service,
            "keep_alive": {**QUICK, **self.figures},
        }
        self.file.write_text(json.dumps({"clinic": tree}), encoding="utf-8")

    def argv(self, *words: str) -> list[str]:
        """The command line of the door."""
        return [sys.executable, "-I", "-X", "utf8", "-c", ENTER, str(ROOT / "scripts"), *words, "-f", str(self.file)]

    def command(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run another command to its end; exit code and envelope."""
        done = subprocess.run(self.argv(*words, "--json"), capture_output=True, check=False, timeout=60)
        return done.returncode, json.loads(done.stdout)

    def keep(self, *more: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start a monitor, without waiting for anything."""
        self.write()
        with (self.root / "monitor.out").open("ab") as out:
            streams = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out, **options}
            monitor = subprocess.Popen(self.argv("keep-alive", "--json", *more), **streams)
        self.monitors.append(monitor)
        return monitor

    def watching(self, *more: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start a monitor, and wait until it watches a server that is well."""
        monitor = self.keep(*more, **options)
        before = len(self.events("started", "adopted"))
        until(lambda: len(self.events("started", "adopted")) > before or monitor.poll() is not None)
        assert monitor.poll() is None, self.said()
        return monitor

    def said(self) -> str:
        """What the monitors printed."""
        return (self.root / "monitor.out").read_text("utf-8")

    def envelope(self) -> dict[str, Any]:
        """The last monitor's last word."""
        told: dict[str, Any] = json.loads(self.said().strip().splitlines()[-1])
        return told

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """What was told, of some kinds or all."""
        try:
            lines = (self.root / ".clinic" / "events.jsonl").read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        told = [json.loads(line) for line in lines]
        mine = [event for event in told if event["event"].startswith("keep-alive:")]
        return [event for event in mine if not kinds or event["event"].removeprefix("keep-alive:") in kinds]

    def pid(self) -> int:
        """The server's pid."""
        return int((self.root / "b.pid").read_text("ascii").split()[0])

    def another(self, old: int, seconds: float = 30.0) -> int:
        """Wait for a healthy server that is another process."""

        def found() -> int:
            now = manager.status(self.settings)
            return now.pid or 0 if now.state == "running" and now.pid != old else 0

        return int(until(found, seconds))

    def end_all(self) -> None:
        """End monitors, server and all that they started."""
        for monitor in self.monitors:
            if monitor.poll() is None:
                monitor.kill()
            monitor.wait()
        manager.stop(self.settings)
        family = self.root / "family"
        pids = [int(line.split()[1]) for line in family.read_text("ascii").splitlines()] if family.exists() else []
        for pid in pids:
            row = look(pid)
            if row and row.state not in "ZX" and self._is_mine(pid):
                os.kill(pid, signal.SIGKILL)

    def _is_mine(self, pid: int) -> bool:
        try:
            return str(self.root).encode() in Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    return identity.identify(pid) is None
