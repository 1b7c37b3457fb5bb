"""Environments on Windows from the real lock: made, replaced, mended, taken back, done without; by uv and by pip."""

from __future__ import annotations

import json
import shutil
from ast import literal_eval
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from clinic.anatomy import record
from clinic.anatomy.shebang import interpreter_named
from tests.conftest import ROOT
from tests.real.conftest import restore
from tests.real.patients import fingerprint
from tests.ways.project import free_port
from tests.windows.hands import Hand
from tests.windows.machine import copy_suite
from tests.windows.patients import codes

pytestmark = pytest.mark.timeout(900)
ENVIRONMENT = "ai/.venv313"
LIMIT = 280
"""Seconds for a command: a rebuild takes ten on an idle machine."""
_WITHOUT_UV = """
import sys
sys.path[:0] = [r"{suite}", r"{suite}\\scripts"]
from clinic.remedies import install, rebuild
install.find_uv = rebuild.find_uv = lambda: None
from invoke.main import program
program.run(["invoke", *sys.argv[1:]])
"""
_PLACE = "import os, sys; print(ascii(os.path.abspath(sys.prefix)))"


@dataclass
class Bridge:
    """A project with the real bridge, in a folder with a blank and an accent."""

    hand: Hand
    root: Path
    port: int

    @property
    def venv(self) -> Path:
        """The environment."""
        return self.root / ENVIRONMENT

    @property
    def site(self) -> Path:
        """Its packages."""
        return self.venv / "Lib" / "site-packages"

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.root / "invoke.yaml"

    @property
    def lock(self) -> Path:
        """The lock."""
        return self.root / "requirements" / "bridge.txt"

    def inside(self, path: Path) -> str:
        """How Windows spells a path."""
        return self.hand.machine.wine.inside(path)

    def furnish(self) -> None:
        """Put there what a project has before there is an environment."""
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "ai" / "nucleus", self.root / "ai" / "nucleus", ignore=ignored, dirs_exist_ok=True)
        (self.root / "requirements").mkdir(exist_ok=True)
        shutil.copy(ROOT / "requirements" / "bridge.txt", self.root / "requirements")
        service = {"port": self.port, "start_timeout": 120, "stop_timeout": 20, "health": {"timeout": 20}}
        tree = {"environment": {"python": ["3.13"]}, "service": service}
        self.settings.write_text(json.dumps({"clinic": tree}), encoding="utf-8")

    def command(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run a command; exit code and envelope."""
        return self.hand.command(self.settings, *words, limit=LIMIT)

    def done(self, *words: str) -> dict[str, Any]:
        """Run a command that must exit with 0; its envelope."""
        code, envelope = self.command(*words)
        assert code == 0, envelope
        return envelope

    def without_uv(self, *words: str) -> dict[str, Any]:
        """Run a command as where there is no uv; it must exit with 0."""
        machine = self.hand.machine
        code = _WITHOUT_UV.format(suite=machine.wine.inside(machine.suite))
        argv = ("-X", "utf8", "-c", code, "-f", self.inside(self.settings), *words, "--json")
        said = machine.wine.run(machine.tools, *argv, cwd=machine.suite, limit=LIMIT)
        assert said.code == 0, said
        return dict(json.loads(said.out))

    def status(self) -> dict[str, Any]:
        """What the server says of itself, from the other side of the wire."""
        return dict(requests.get(f"http://127.0.0.1:{self.port}/status", timeout=20).json())

    def whole(self) -> None:
        """The environment is healthy, deep down, and its console script starts it."""
        deep = self.done("diagnose", "--deep")
        assert codes(deep["data"]) == [], deep
        said = self.hand.run(self.inside(self.venv / "Scripts" / "uvicorn.exe"), "--version")
        assert said.out.startswith("Running uvicorn"), said


@pytest.fixture(scope="session")
def made(hand: Hand, worker_id: str) -> Bridge:
    """Built once, from the lock; what there is then is kept beside it."""
    if not hand.machine.wine.installation.runs_all:
        pytest.skip("this wine does not run uv and pydantic (tests/windows/README.md)")
    root = hand.machine.wine.disk / f"año {worker_id}" / "AIOS 2"
    root.mkdir(parents=True)
    bridge = Bridge(hand, root, free_port())
    bridge.furnish()
    assert bridge.done("rebuild")["data"]["installer"] == "uv"
    shutil.copytree(bridge.venv, root / "kept")
    return bridge


@pytest.fixture
def bridge(made: Bridge) -> Iterator[Bridge]:
    """The project with a healthy environment, no server and no history."""
    restore(made.root / "kept", made.venv)
    yield made
    made.command("stop")
    shutil.rmtree(made.root / ".clinic", ignore_errors=True)


def test_onboard_from_nothing(bridge: Bridge) -> None:
    """It ends with the whole checklist, which takes a minute on an idle machine."""
    shutil.rmtree(bridge.venv)
    code, told = bridge.hand.command(bridge.settings, "onboard", limit=840)
    assert (code, told["outcome"]) == (0, "healthy"), told
    assert bridge.status()["environment"]["prefix"] == bridge.inside(bridge.venv)
    bridge.whole()


def rebuilt_while_serving(bridge: Bridge) -> None:
    """A rebuild while the server runs: another one serves from the new environment then."""
    before = bridge.status()["pid"]
    rebuilt = bridge.done("rebuild")["data"]
    assert rebuilt["installer"] == "uv", rebuilt
    assert not list(bridge.venv.parent.glob(".clinic-*"))
    now = bridge.status()
    assert now["pid"] != before
    assert now["environment"]["prefix"] == bridge.inside(bridge.venv)


def test_a_rebuild_while_the_server_runs_and_its_undo(bridge: Bridge) -> None:
    bridge.done("start")
    (bridge.venv / "mine.txt").write_text("keep me", encoding="utf-8")
    rebuilt_while_serving(bridge)
    assert (bridge.venv / "mine.txt").read_text(encoding="utf-8") == "keep me"
    bridge.whole()
    (bridge.venv / "mine.txt").unlink()
    between = bridge.status()["pid"]
    bridge.done("undo")
    assert (bridge.venv / "mine.txt").exists()
    assert bridge.status()["pid"] != between
    bridge.whole()


@pytest.mark.nightly
def test_five_rebuilds_while_the_server_runs(bridge: Bridge) -> None:
    bridge.done("start")
    for _ in range(5):
        rebuilt_while_serving(bridge)
    bridge.whole()


def test_pips_way_of_installing(bridge: Bridge) -> None:
    assert bridge.without_uv("rebuild")["data"]["installer"] == "pip"
    bridge.whole()
    launcher = (bridge.venv / "Scripts" / "uvicorn.exe").read_bytes()
    assert interpreter_named(launcher) == bridge.inside(bridge.venv / "Scripts" / "python.exe")
    a_copy_is_healed_as_itself(bridge)


def test_a_copy_of_what_uv_has_installed(bridge: Bridge) -> None:
    """Of an environment that is not relocatable, uv's launchers name the interpreter by its path, in a resource."""
    python, lock = bridge.inside(bridge.venv / "Scripts" / "python.exe"), bridge.inside(bridge.lock)
    words = ("--python", python, "--reinstall", "--link-mode", "copy", "--require-hashes", "-r", lock)
    said = bridge.hand.run(bridge.hand.machine.tools, "-m", "uv", "pip", "install", *words)
    assert said.code == 0, said
    assert interpreter_named((bridge.venv / "Scripts" / "uvicorn.exe").read_bytes()) == python
    a_copy_is_healed_as_itself(bridge)


def a_copy_is_healed_as_itself(bridge: Bridge) -> None:
    """Its scripts and its activation start the copy, also when the original is gone."""
    # In ASCII: the cmd.exe of wine reads batch files in its own code page, whatever chcp says.
    copy = bridge.hand.machine.wine.disk / f"copy {bridge.port}" / "it's 100% (x86)"
    away = bridge.venv.with_name("away")
    shutil.copytree(bridge.venv, copy)
    before, words = fingerprint(bridge.venv), ("--venv", bridge.inside(copy))
    code, told = bridge.command("diagnose", *words)
    assert (code, codes(told["data"])) == (1, ["venv-moved"]), told
    told = bridge.done("heal", "--no-rebuild", *words)
    assert told["outcome"] == "cured", told
    assert [each["remedy"] for each in told["data"]["receipts"]] == ["rescript"], told
    assert fingerprint(bridge.venv) == before
    bridge.venv.rename(away)
    try:
        assert activated(bridge, copy) == bridge.inside(copy)
        said = bridge.hand.run(bridge.inside(copy / "Scripts" / "uvicorn.exe"), "--version")
        assert said.out.startswith("Running uvicorn"), said
    finally:
        away.rename(bridge.venv)
        shutil.rmtree(copy.parent)


def activated(bridge: Bridge, venv: Path) -> str:
    """Which environment cmd.exe's python is of after its activation."""
    lines = ["@echo off", "call Scripts\\activate.bat", f'python -c "{_PLACE}"', ""]
    (venv / "which.bat").write_bytes("\r\n".join(lines).encode())
    # From that folder: a `%` in an argument is one to cmd.exe.
    code = "import subprocess, sys; subprocess.run(['cmd', '/d', '/c', 'which.bat'], cwd=sys.argv[1], check=True)"
    said = bridge.hand.run(bridge.hand.machine.python, "-c", code, bridge.inside(venv))
    assert said.code == 0, said
    return str(literal_eval(said.out.strip().splitlines()[-1]))


def test_the_nox_session(bridge: Bridge) -> None:
    """Of the suite's own project: `--venv` names this environment, which its own lock fits."""
    machine = bridge.hand.machine
    words = (
        "--venv",
        bridge.inside(bridge.venv),
        "--requirements",
        bridge.inside(bridge.root / "requirements/bridge.txt"),
    )
    nox = ("-m", "nox", "-s", "rebuild_venv", "--", *words, "--yes", "--json")
    said = machine.wine.run(machine.tools, "-X", "utf8", *nox, cwd=machine.suite, limit=LIMIT)
    assert said.code == 0, said
    assert json.loads(said.out)["outcome"] == "cured"
    bridge.whole()


def test_unblock_borrows_the_packages(bridge: Bridge) -> None:
    (bridge.venv / "pyvenv.cfg").unlink()
    before = fingerprint(bridge.venv)
    told = bridge.done("unblock")
    assert told["data"]["stopgap"] == "borrow", told
    assert bridge.inside(bridge.root / ".clinic") in bridge.status()["environment"]["prefix"]
    assert fingerprint(bridge.venv) == before
    assert bridge.done("heal")["outcome"] == "cured"
    assert bridge.status()["environment"]["prefix"] == bridge.inside(bridge.venv)
    assert bridge.done("status")["data"]["stopgap"] is None
    bridge.whole()


def test_unblock_makes_a_lifeboat(bridge: Bridge) -> None:
    shutil.rmtree(bridge.site)
    told = bridge.done("unblock")
    assert told["data"]["stopgap"] == "lifeboat", told
    assert bridge.inside(bridge.root / ".clinic") in bridge.status()["environment"]["prefix"]
    assert not bridge.site.exists()
    assert bridge.done("heal")["outcome"] == "cured"
    assert bridge.status()["environment"]["prefix"] == bridge.inside(bridge.venv)
    assert not (bridge.root / ".clinic" / "lifeboat").exists()
    bridge.whole()


def test_heal_lays_the_interpreter_anew(bridge: Bridge) -> None:
    for name in ("python.exe", "pythonw.exe"):
        (bridge.venv / "Scripts" / name).unlink()
    told = bridge.done("heal", "--no-rebuild")
    assert told["outcome"] == "cured", told
    assert [each["remedy"] for each in told["data"]["receipts"]] == ["relink"], told
    bridge.whole()


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_heal_reinstalls_what_is_hurt(bridge: Bridge, installer: str) -> None:
    """While the server runs, and holds the files of its extension modules."""
    bridge.done("start")
    (bridge.site / "h11" / "_events.py").unlink()
    (bridge.site / "click" / "core.py").write_text("broken(", encoding="utf-8")
    (bridge.site / "pydantic_core" / "__init__.py").unlink()
    run = bridge.done if installer == "uv" else bridge.without_uv
    told = run("heal", "--no-rebuild")
    assert told["outcome"] == "cured", told
    assert [each["remedy"] for each in told["data"]["receipts"]] == ["reinstall"], told
    assert bridge.status()["environment"]["prefix"] == bridge.inside(bridge.venv)
    bridge.whole()


def test_a_snapshot_brings_the_file_back_word_for_word(bridge: Bridge) -> None:
    bridge.done("snapshot")
    text = (bridge.venv / "pyvenv.cfg").read_bytes()
    (bridge.venv / "pyvenv.cfg").unlink()
    assert bridge.done("fix-cfg")["outcome"] == "cured"
    assert (bridge.venv / "pyvenv.cfg").read_bytes() == text
    bridge.whole()


def test_a_project_that_lies_too_deep(bridge: Bridge) -> None:
    """The environment itself would fit, the place where it is made would not: that is known before it is built."""
    key = r"HKLM\SYSTEM\CurrentControlSet\Control\FileSystem"
    deepest = max(len(bridge.inside(path)) for path in installed(bridge)) - len(bridge.inside(bridge.venv))
    missing = 250 - deepest - len(bridge.inside(bridge.root / "x" / "env")) + 1
    top = bridge.root / ("t" * (missing // 2))
    place = top / ("t" * (missing - missing // 2 - 1)) / "env"
    shutil.copytree(bridge.venv, place)
    words = ("rebuild", "--venv", bridge.inside(place), "--requirements", bridge.inside(bridge.lock), "--yes")
    value = ("reg", "add", key, "/v", "LongPathsEnabled", "/t", "REG_DWORD", "/f", "/d")
    assert bridge.hand.run(*value, "0").code == 0
    code, told = bridge.command(*words, "--dry-run")
    assert (code, [each["code"] for each in told["errors"]]) == (2, ["path-too-long"]), told
    assert " is 8 characters longer than Windows takes" in told["errors"][0]["message"], told
    assert bridge.hand.run(*value, "1").code == 0
    assert bridge.command(*words, "--dry-run")[1]["outcome"] == "planned"
    shutil.rmtree(top)


def installed(bridge: Bridge) -> list[Path]:
    """The files that the RECORDs list."""
    folders = bridge.site.glob("*.dist-info")
    return [record.place(bridge.site, row) for folder in folders for row in record.read(folder)]


@pytest.mark.nightly
def test_bootstrap_from_nothing(bridge: Bridge) -> None:
    """In a folder with a blank and an accent, from the base Python and a wheelhouse: tools, environment, server."""
    machine = bridge.hand.machine
    other = Bridge(bridge.hand, machine.wine.disk / "dev" / "año nuevo" / "AIOS 2", free_port())
    copy_suite(other.root)
    other.furnish()
    bootstrap = other.inside(other.root / "scripts" / "bootstrap.py")
    try:
        for _ in range(2):  # a second run changes nothing
            said = machine.wine.run(machine.python, "-X", "utf8", bootstrap, cwd=other.root, limit=900)
            assert said.code == 0, said
            assert other.status()["environment"]["prefix"] == other.inside(other.venv)
        invoke = other.inside(other.root / ".tools" / "Scripts" / "invoke.exe")
        assert machine.wine.run(invoke, "stop", cwd=other.root).code == 0
    finally:
        other.command("stop")
    other.whole()
    shutil.rmtree(other.root)
