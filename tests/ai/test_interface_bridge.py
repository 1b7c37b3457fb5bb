"""The reference bridge, served by a real uvicorn on a real port."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

AI = Path(__file__).resolve().parents[2] / "ai"
ODD_LAUNCH = "launch é 1"


@dataclass(frozen=True)
class Answer:
    """A response, whatever its status."""

    status: int
    headers: Message
    body: bytes


@dataclass(frozen=True)
class Served:
    """A running bridge."""

    port: int
    pid: int

    def get(self, path: str, host: str = "") -> Answer:
        """Ask for a page, under another name if one is given."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Host": host} if host else {})
        try:
            with urllib.request.urlopen(request, timeout=5) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(words: list[str], port: int, **variables: str) -> Iterator[Served]:
    """Start a bridge and wait until its port is open."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=AI,
        env={**kept, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while not is_open(port):
            assert process.poll() is None, "the bridge ended instead of serving"
            assert time.monotonic() < deadline, "the bridge did not open its port"
            time.sleep(0.02)
        yield Served(port, process.pid)
    finally:
        process.terminate()
        process.wait(10)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def uvicorn(application: str, port: int) -> list[str]:
    return ["-m", "uvicorn", application, "--host", "127.0.0.1", "--port", str(port)]


@pytest.fixture(scope="module")
def bridge() -> Iterator[Served]:
    port = free_port()
    with served(
        uvicorn("nucleus.interface_bridge:app", port),
        port,
        BRIDGE_MODE="production",
        BRIDGE_LAUNCH_ID=ODD_LAUNCH,
    ) as running:
        yield running


def test_health_is_exactly_that(bridge: Served) -> None:
    answer = bridge.get("/health")
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "healthy"})


@pytest.mark.parametrize("path", ["/", "/status"])
def test_status_says_what_serves(bridge: Served, path: str) -> None:
    said = json.loads(bridge.get(path).body)
    assert said["pid"] == bridge.pid
    assert (said["mode"], said["launch_id"]) == ("production", ODD_LAUNCH)
    assert said["environment"] == {"prefix": sys.prefix, "base_prefix": sys.base_prefix}
    assert said["interpreter"]["executable"] == sys.executable
    assert said["interpreter"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert said["interpreter"]["gil_enabled"] is getattr(sys, "_is_gil_enabled", lambda: True)()
    assert set(said["versions"]) == {"fastapi", "uvicorn"}
    assert all(version and version[0].isdigit() for version in said["versions"].values())


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[::2]", "10.0.0.1", " "]
)
@pytest.mark.parametrize("path", ["/status", "/health"])
def test_another_name_is_not_answered(bridge: Served, path: str, host: str) -> None:
    """A browser that a page has led here by a name of its own (DNS rebinding) learns nothing."""
    answer = bridge.get(path, host)
    assert answer.status == 400
    assert sys.prefix.encode() not in answer.body
    assert answer.headers["X-Bridge-Pid"] == str(bridge.pid)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:8000"])
def test_its_own_names_are_answered(bridge: Served, host: str) -> None:
    assert bridge.get("/health", host).status == 200


def test_names_that_it_was_told_are_answered() -> None:
    port = free_port()
    words = uvicorn("nucleus.interface_bridge:app", port)
    told = {"BRIDGE_HOST": "bridge.lan", "BRIDGE_NAMES": "app.example, Other.example"}
    with served(words, port, **told) as running:
        for host, status in (("bridge.lan:8000", 200), ("app.example", 200), ("other.example", 200), ("evil", 400)):
            assert running.get("/health", host).status == status, host


def test_uptime_grows(bridge: Served) -> None:
    first, second = (json.loads(bridge.get("/status").body)["uptime_seconds"] for _ in range(2))
    assert 0 < first < second


@pytest.mark.parametrize(("path", "status"), [("/health", 200), ("/nowhere", 404), ("/docs", 404)])
def test_every_response_names_its_process(bridge: Served, path: str, status: int) -> None:
    answer = bridge.get(path)
    assert answer.status == status
    assert answer.headers["X-Bridge-Pid"] == str(bridge.pid)
    assert answer.headers["X-Bridge-Launch"] == "launch %C3%A9 1"


def test_response_to_a_crash_names_its_process_too(tmp_path: Path) -> None:
    crashing = tmp_path / "crashing.py"
    lines = [
        "from nucleus.interface_bridge import app",
        "@app.get('/crash')",
        "async def crash():",
        "    raise OSError",
    ]
    crashing.write_text("\n".join(lines), encoding="utf-8")
    port = free_port()
    with served([*uvicorn("crashing:app", port), "--app-dir", str(tmp_path)], port, PYTHONPATH=str(AI)) as running:
        answer = running.get("/crash")
    assert (answer.status, answer.headers["X-Bridge-Pid"]) == (500, str(running.pid))


def test_as_a_script_without_a_launch_id() -> None:
    port = free_port()
    with served(["nucleus/interface_bridge.py"], port, BRIDGE_PORT=str(port)) as running:
        answer = running.get("/health")
        said = json.loads(running.get("/").body)
    assert answer.headers["X-Bridge-Launch"] is None
    assert (said["mode"], said["launch_id"]) == ("debug", None)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "٨٠"])
def test_script_refuses_what_is_no_port(port: str) -> None:
    done = subprocess.run(
        [sys.executable, "nucleus/interface_bridge.py"],
        cwd=AI,
        env={**os.environ, "BRIDGE_PORT": port, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "BRIDGE_PORT" in done.stderr
