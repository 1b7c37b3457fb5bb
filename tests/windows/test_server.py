"""The server's life on Windows: started, served, asked to stop, in both modes, by this suite under its Python."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.real.patients import fingerprint
from tests.ways.project import NAME, free_port, install
from tests.windows.hands import Hand
from tests.windows.patients import codes


@dataclass(frozen=True)
class Bridge:
    """A project whose service answers in a tenth of a second."""

    hand: Hand
    root: Path
    port: int

    def command(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run a command; exit code and envelope."""
        return self.hand.command(self.root / "invoke.yaml", *words)

    def answer(self) -> requests.Response:
        """Ask the server, from the other side of the wire."""
        return requests.get(f"http://127.0.0.1:{self.port}/health", timeout=5)

    def record(self) -> dict[str, str]:
        """Read its pid file."""
        rows = (self.root / "bridge.pid").read_text(encoding="utf-8").splitlines()
        return {"pid": rows[0], **dict(row.split("=", 1) for row in rows[1:])}

    def program(self, pid: str) -> str:
        """Ask psutil, there, what a process runs; empty where there is none."""
        code = "import psutil, sys; print(psutil.Process(int(sys.argv[1])).cmdline()[0])"
        return self.hand.run(self.hand.machine.tools, "-X", "utf8", "-c", code, pid).out.strip()


@pytest.fixture
def bridge(hand: Hand, worker_id: str) -> Iterator[Bridge]:
    """A healthy project in a folder with a blank and an umlaut."""
    root = hand.machine.wine.disk / f"brücken {worker_id}" / "projekt"
    root.mkdir(parents=True)
    hand.machine.venv(root / "env")
    install(root / "env" / "Lib" / "site-packages")
    mine = Bridge(hand, root, free_port())
    tree = {
        "environment": {"path": "env", "imports": [NAME], "requirements": "none.txt", "python": ["3.13"]},
        "service": {
            "command": ["{python}", "-m", NAME, "{host}", "{port}"],
            "cwd": ".",
            "port": mine.port,
            "start_timeout": 60,
            "stop_timeout": 20,
            "pid_file": "bridge.pid",
            "log_file": "bridge.log",
            "health": {"timeout": 20},
        },
    }
    (root / "invoke.yaml").write_text(json.dumps({"clinic": tree}), encoding="utf-8")
    yield mine
    mine.command("stop")
    shutil.rmtree(root.parent)


def test_the_life_of_a_server(bridge: Bridge) -> None:
    code, started = bridge.command("start")
    assert (code, started["data"]["state"], started["data"]["mode"]) == (0, "running", "debug"), started
    record, answer = bridge.record(), bridge.answer()
    assert answer.json() == {"status": "healthy"}
    # The launcher is not the server: python.exe of an environment starts the base's as its child.
    assert record["pid"] == answer.headers["X-Bridge-Pid"] == str(started["data"]["pid"])
    assert record["leader"].split()[0] != record["pid"]

    assert bridge.command("start")[1]["data"]["pid"] == started["data"]["pid"]
    code, status = bridge.command("status")
    assert (code, status["data"]["state"]) == (0, "running")

    # What is in use can be neither deleted nor replaced; what the file says can be restored all the same.
    (bridge.root / "env" / "pyvenv.cfg").unlink()
    code, look = bridge.command("diagnose")
    assert (code, codes(look["data"])) == (1, ["cfg-missing"])
    assert bridge.command("fix-cfg")[1]["outcome"] == "cured"
    assert bridge.answer().headers["X-Bridge-Pid"] == record["pid"]

    code, again = bridge.command("restart")
    assert (code, again["data"]["state"]) == (0, "running")
    assert again["data"]["pid"] != started["data"]["pid"]

    code, stopped = bridge.command("stop")
    assert (code, stopped["data"]["state"]) == (0, "stopped")
    assert not (bridge.root / "bridge.pid").exists()
    assert bridge.program(record["pid"]) == ""
    # It was asked, not killed: its own shutdown code ran.
    assert "KeyboardInterrupt" in (bridge.root / "bridge.log").read_text(encoding="utf-8")
    with pytest.raises(requests.ConnectionError):
        bridge.answer()
    assert bridge.command("status")[0] == 1
    assert bridge.command("stop")[0] == 0


def test_production_mode_serves_without_a_window(bridge: Bridge) -> None:
    assert bridge.command("production-mode")[0] == 0
    code, started = bridge.command("start")
    assert (code, started["data"]["mode"]) == (0, "production"), started
    record = bridge.record()
    assert bridge.program(record["leader"].split()[0]).endswith("\\Scripts\\pythonw.exe")
    assert "Application startup complete" in (bridge.root / "bridge.log").read_text(encoding="utf-8")
    assert bridge.answer().json() == {"status": "healthy"}
    code, back = bridge.command("production-mode", "--off")
    assert (code, back["data"]["mode"]) == (0, "debug")
    assert bridge.program(bridge.record()["leader"].split()[0]).endswith("\\Scripts\\python.exe")
    assert bridge.command("stop")[0] == 0


def test_production_mode_without_pythonw_serves_with_python(bridge: Bridge) -> None:
    (bridge.root / "env" / "Scripts" / "pythonw.exe").unlink()
    assert bridge.command("production-mode")[0] == 0
    assert bridge.command("start")[0] == 0
    assert bridge.program(bridge.record()["leader"].split()[0]).endswith("\\Scripts\\python.exe")


def test_a_server_that_cannot_start_says_why_and_leaves_nothing(bridge: Bridge) -> None:
    (bridge.root / "env" / "pyvenv.cfg").unlink()
    code, failed = bridge.command("start")
    assert code in {1, 2}
    assert "pyvenv.cfg" in failed["errors"][0]["message"] + failed["errors"][0]["hint"], failed
    assert not (bridge.root / "bridge.pid").exists()


def test_heal_mends_the_file_and_serves_again(bridge: Bridge) -> None:
    before = fingerprint(bridge.root / "env" / "Lib")
    assert bridge.command("start")[0] == 0
    (bridge.root / "env" / "pyvenv.cfg").unlink()
    code, healed = bridge.command("heal", "--no-rebuild")
    assert (code, healed["outcome"]) == (0, "cured"), healed
    assert bridge.answer().json() == {"status": "healthy"}
    after = fingerprint(bridge.root / "env" / "Lib")
    assert {name: what for name, what in after.items() if "__pycache__" not in name} == before


def test_the_door_without_invoke(bridge: Bridge) -> None:
    manager = bridge.hand.machine.wine.inside(bridge.hand.machine.suite / "ai" / "server_manager.py")
    config = bridge.hand.machine.wine.inside(bridge.root / "invoke.yaml")
    for word, code, state in ("start", 0, "running"), ("status", 0, "running"), ("stop", 0, "stopped"):
        said = bridge.hand.run(bridge.hand.machine.python, manager, word, "--config", config, "--json")
        assert (said.code, json.loads(said.out)["data"]["state"]) == (code, state), said


def test_a_late_program_holds_nobody_up(hand: Hand) -> None:
    """Its children keep its streams; nobody waits for them."""
    child = "import time; time.sleep(15)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    scripts = hand.machine.wine.inside(hand.machine.suite / "scripts")
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); from clinic import proc; "
        f"done = proc.run([sys.executable, '-c', {parent!r}], timeout=1); print(done.code, done.seconds < 9)"
    )
    assert hand.run(hand.machine.tools, "-c", code, scripts).out.split() == ["None", "True"]
