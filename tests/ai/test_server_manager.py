"""The script that people and the checklist type: any Python, any folder, nothing installed."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clinic import interpreters

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "ai" / "server_manager.py"
APP = ROOT / "tests" / "service" / "apps" / "app.py"


@dataclass
class Clone:
    """A clone of the repository with tools and an environment, and a service of its own."""

    root: Path
    port: int

    @property
    def script(self) -> Path:
        """The copy of the script."""
        return self.root / "ai" / "server_manager.py"

    def run(self, *words: str, python: Path | str = sys.executable, **options: Any) -> tuple[int, str, str]:
        """Run it: exit code, stdout, stderr."""
        done = subprocess.run(
            [str(python), str(self.script), *words], capture_output=True, timeout=60, check=False, **options
        )
        return done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8", "replace")

    def json(self, *words: str, **options: Any) -> dict[str, Any]:
        """Run it for its envelope."""
        code, out, err = self.run(*words, "--json", **options)
        assert err == ""
        told: dict[str, Any] = json.loads(out)
        assert told["exit_code"] == code
        return told


def environment(folder: Path) -> None:
    """Make an environment that sees the packages of this one."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    scheme = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", "venv", scheme))
    (site / "tools.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")


def settings(root: Path, port: int, **service: Any) -> str:
    tree = {
        "environment": {"path": str(root / "ai" / ".venv"), "imports": []},
        "service": {"command": ["{python}", str(APP)], "port": port, "start_timeout": 10, **service},
    }
    return json.dumps({"clinic": tree}, ensure_ascii=False)  # YAML does not join surrogates


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    root = tmp_path / "clöne 'with' \"blanks\" 🌉"
    shutil.copytree(ROOT / "scripts", root / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "requirements", root / "requirements")
    (root / "ai").mkdir()
    shutil.copy(SOURCE, root / "ai")
    environment(root / ".tools")
    environment(root / "ai" / ".venv")
    with socket.socket() as probe:
        port = random.randint(10_000, 30_000)  # noqa: S311 - below those that clients are given
        probe.bind(("127.0.0.1", port))
    (root / "invoke.yaml").write_text(settings(root, port), "utf-8")
    made = Clone(root, port)
    yield made
    if (root / ".tools").exists():
        made.run("stop")


def test_the_servers_life(clone: Clone, tmp_path: Path) -> None:
    assert clone.json("status")["data"]["state"] == "stopped"
    begun = clone.json("start", cwd=tmp_path)
    assert (begun["outcome"], begun["exit_code"]) == ("healthy", 0), begun["errors"]
    assert begun["command"] == "start"
    pid = begun["data"]["pid"]
    assert (clone.root / "ai" / "interface_bridge.pid").read_text("utf-8").split("\n")[0] == str(pid)
    assert "up" in (clone.root / "ai" / "interface_bridge.log").read_text("utf-8")
    assert clone.json("start")["outcome"] == "unchanged"
    assert clone.json("status")["data"]["pid"] == pid
    again = clone.json("restart")["data"]
    assert again["pid"] != pid
    code, out, _ = clone.run("logs", "--lines", "1")
    assert code == 0
    assert "GET /health" in out
    assert len(out.splitlines()) == 1
    assert clone.json("stop")["outcome"] == "healthy"
    assert clone.json("stop")["outcome"] == "unchanged"
    code, out, _ = clone.run("status")
    assert code == 1
    assert "stopped" in out


def test_another_project_is_served_with_f(clone: Clone, tmp_path: Path) -> None:
    other = tmp_path / "ôther.yaml"
    other.write_text(settings(clone.root, clone.port, cwd=str(tmp_path), pid_file="x.pid", log_file="x.log"), "utf-8")
    assert clone.json("-f", "ôther.yaml", "start", cwd=tmp_path)["data"]["state"] == "running"
    assert (tmp_path / "x.pid").exists()
    assert clone.json("--config", str(other), "stop")["outcome"] == "healthy"


def test_a_dry_run_touches_nothing(clone: Clone) -> None:
    assert clone.json("start", "--dry-run")["outcome"] == "planned"
    assert not (clone.root / "ai" / "interface_bridge.pid").exists()


@pytest.mark.parametrize("version", [f"3.{minor}" for minor in range(8, 15)])
def test_every_python_from_3_8_on_hands_over(version: str, clone: Clone) -> None:
    found = next(iter(interpreters.find(version)), None)
    if found is None:
        pytest.skip(f"this machine has no Python {version}")
    assert clone.json("status", python=found.executable)["data"]["state"] == "stopped"


def test_what_derails_a_python_derails_neither_door(clone: Clone, tmp_path: Path) -> None:
    for name in ("json.py", "argparse.py", "clinic.py"):
        (tmp_path / name).write_text("raise SystemExit(99)", "ascii")
    variables = {"PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": "x", "PYTHONIOENCODING": "ascii"}
    own = {key: text for key, text in variables.items() if key != "PYTHONPATH"}
    assert clone.json("status", cwd=tmp_path, env={**os.environ, **own})["data"]["state"] == "stopped"


def test_through_a_link(clone: Clone, tmp_path: Path) -> None:
    link = tmp_path / "manager.py"
    try:
        link.symlink_to(clone.script)
    except OSError:
        pytest.skip("no links here")
    done = subprocess.run([sys.executable, str(link), "status", "--json"], capture_output=True, check=False)
    assert json.loads(done.stdout)["data"]["state"] == "stopped"


def test_misuse_is_exit_code_2(clone: Clone) -> None:
    assert clone.run("begin")[0] == 2
    assert clone.run()[0] == 2
    code, out, _ = clone.run("status", "--json", "-f", "nowhere.yaml")
    assert (code, json.loads(out)["errors"][0]["code"]) == (2, "settings-missing")


@pytest.mark.parametrize("damage", ["none", "no cfg", "home gone", "somebody else", "dangling", "noise"])
def test_without_tools_that_work_it_says_how_to_make_them(clone: Clone, damage: str) -> None:
    tools = clone.root / ".tools"
    python = next(each for each in (tools / "bin" / "python", tools / "Scripts" / "python.exe") if each.exists())
    if damage == "none":
        shutil.rmtree(tools)
    elif damage == "no cfg":
        (tools / "pyvenv.cfg").unlink()
    elif damage == "home gone":
        (tools / "pyvenv.cfg").write_text(f"home = {tools / 'gone'}\n", "utf-8")
    elif damage == "somebody else":
        if os.name == "nt":
            pytest.skip("a script cannot stand in for an .exe")
        python.unlink()
        python.write_text(f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n", "ascii")
        python.chmod(0o755)
    else:
        python.unlink()
        if damage == "noise":
            python.write_bytes(b"\x7fnoise")
            python.chmod(0o755)
    code, out, err = clone.run("start")
    assert (code, out) == (2, "")
    assert "bootstrap.py" in err
    code, out, err = clone.run("start", "--json")
    assert (code, err) == (2, "")
    told = json.loads(out)
    assert (told["clinic"], told["command"], told["outcome"], told["exit_code"]) == (1, "start", "refused", 2)
    assert told["errors"][0]["code"] == "no-tools"


def test_a_package_that_is_missing_among_the_tools_is_not_a_bug(clone: Clone) -> None:
    for path in (clone.root / ".tools").rglob("tools.pth"):
        path.unlink()
    told = clone.json("status")
    assert told["exit_code"] == 2
    assert told["errors"][0]["code"] == "tools-incomplete"
    assert "bootstrap.py" in told["errors"][0]["hint"]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_reaches_the_one_who_works(clone: Clone) -> None:
    slow = settings(clone.root, clone.port, variables={"APP_BOOT": "60"}, start_timeout=60)
    (clone.root / "invoke.yaml").write_text(slow, "utf-8")
    pid_file = clone.root / "ai" / "interface_bridge.pid"
    with subprocess.Popen([sys.executable, str(clone.script), "start"], stderr=subprocess.DEVNULL) as door:
        deadline = time.monotonic() + 20
        while not pid_file.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        pid = int(pid_file.read_text("utf-8").split("\n")[0])
        door.send_signal(signal.SIGINT)
        assert door.wait(20) == 130
    assert not pid_file.exists()
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        pytest.fail("it was left running")


def test_it_imports_the_standard_library_only() -> None:
    tree = ast.parse(SOURCE.read_text("utf-8"), feature_version=(3, 8))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    # The work itself is imported in the second life only, when this is known to be the tools' python.
    assert imported - {"clinic", "toolshed"} <= set(sys.stdlib_module_names)
