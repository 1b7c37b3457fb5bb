"""The checklist on Windows: all of it is tried there, by consoles, jobs and pseudo consoles; and each can fail."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clinic.checklist import TITLES
from tests.conftest import ROOT
from tests.ways.project import NAME, VERSION, free_port, install, wheel
from tests.windows.hands import Hand

LIMIT = 600
NATIVE = ("native.survives-terminal", "native.survives-editor", "native.detached")
MONITOR = ("keepalive.monitors", "keepalive.graceful")
APPS = Path("tests") / "checklist" / "apps"


@dataclass(frozen=True)
class Project:
    """A project whose service answers in a tenth of a second."""

    hand: Hand
    root: Path

    @property
    def config(self) -> Path:
        """Its settings file."""
        return self.root / "invoke.yaml"

    def command(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run a command; exit code and envelope."""
        return self.hand.command(self.config, *words, limit=LIMIT)

    def statuses(self, *words: str) -> dict[str, str]:
        """What came of each check of `validate`."""
        _code, told = self.command("validate", *words)
        return {check["id"]: check["status"] for check in told["data"]["checks"]}

    def trial(self, fault: str, ids: tuple[str, ...]) -> dict[str, tuple[str, str]]:
        """Try checks on a manager with a fault; status and evidence of each."""
        machine = self.hand.machine
        paths = (machine.suite / APPS / "trial.py", machine.suite / "scripts", self.config)
        words = [machine.wine.inside(path) for path in paths]
        said = machine.wine.run(machine.tools, "-X", "utf8", *words, fault, *ids, limit=LIMIT)
        assert said.code == 0, said
        return {name: (status, evidence) for name, (status, evidence) in json.loads(said.out).items()}


@pytest.fixture(scope="module")
def project(hand: Hand, worker_id: str) -> Iterator[Project]:
    """A healthy project in a folder with a blank and an umlaut, and the faulty managers beside the suite."""
    machine = hand.machine
    if not machine.wine.installation.runs_all:
        pytest.skip("consoles, jobs and pseudo consoles were tried with wine 9 and newer only")
    root = machine.wine.disk / f"prüfung {worker_id}" / "projekt"
    root.mkdir(parents=True)
    machine.venv(root / "env")
    install(root / "env" / "Lib" / "site-packages")
    digest = hashlib.sha256(wheel(root / "wheels").read_bytes()).hexdigest()
    (root / "lock.txt").write_text(f"{NAME}=={VERSION} \\\n    --hash=sha256:{digest}\n", encoding="utf-8")
    tree = {
        "environment": {"path": "env", "imports": [NAME], "requirements": "lock.txt", "python": ["3.13"]},
        "service": {
            "command": ["{python}", "-m", NAME, "{host}", "{port}"],
            "cwd": ".",
            "port": free_port(),
            "start_timeout": 60,
            "stop_timeout": 20,
            "pid_file": "bridge.pid",
            "log_file": "bridge.log",
            "health": {"timeout": 20},
        },
    }
    mine = Project(hand, root)
    mine.config.write_text(json.dumps({"clinic": tree}), encoding="utf-8")
    shutil.copytree(ROOT / APPS, machine.suite / APPS, dirs_exist_ok=True)
    yield mine
    mine.command("stop")
    shutil.rmtree(root.parent)


def test_every_id_is_tried_and_passes(project: Project) -> None:
    code, told = project.command("validate")
    seen = {check["id"]: (check["status"], check["evidence"]) for check in told["data"]["checks"]}
    assert list(seen) == list(TITLES)
    assert {name: told for name, told in seen.items() if told[0] != "pass"} == {}
    assert (code, told["outcome"]) == (0, "healthy")
    # Its parent is the environment's launcher, and known.
    assert re.match(
        r"process \d+: parent [1-9]\d*; on the launcher's console are \d processes$", seen["native.detached"][1]
    )
    assert shadows(project) == []


def shadows(project: Project) -> list[str]:
    """What the shadows left in the temporary folder."""
    return [str(path) for path in project.hand.machine.wine.disk.glob("users/*/AppData/Local/Temp/clinic-shadow-*")]


# Starts a `validate` in a process of its own, and ends it once a shadow's server runs. Prints whether it saw one, then
# what is left once the process beside the shadow has had its time.
_KILLED = """
import os, psutil, subprocess, sys, time
sys.path.insert(0, sys.argv[1])
from clinic.checklist import cleanup
from clinic.service.table import numbers, variable
def until(look):
    deadline = time.monotonic() + 120
    while not (seen := look()) and time.monotonic() < deadline: time.sleep(0.1)
    return seen
def marked(): return [pid for pid in numbers() if variable(pid, cleanup.MARK)]
def serving(): return [pid for pid in marked() if sys.argv[3] in psutil.Process(pid).cmdline()]
null = subprocess.DEVNULL
running = subprocess.Popen([sys.executable, "-m", "invoke", "-f", sys.argv[2], "validate"], stdin=null, stdout=null,
                           stderr=null)
print(len(until(serving)) > 0)
# The environment's python.exe is a launcher: what validates is its child, with the same words.
for each in [child.pid for child in psutil.Process(running.pid).children() if "validate" in child.cmdline()]:
    os.kill(each, 9)
running.kill()
until(lambda: not marked())
until(lambda: not cleanup.leftovers())
print(marked(), cleanup.leftovers())
"""


def test_a_killed_validate_leaves_nothing(project: Project) -> None:
    machine = project.hand.machine
    paths = [machine.wine.inside(path) for path in (machine.suite / "scripts", project.config)]
    said = machine.wine.run(machine.tools, "-X", "utf8", "-c", _KILLED, *paths, NAME, cwd=machine.suite, limit=LIMIT)
    assert said.out.splitlines() == ["True", "[] []"], said
    assert shadows(project) == []


def test_the_quick_checklist_looks_at_the_live_server(project: Project) -> None:
    assert project.command("start")[0] == 0
    statuses = project.statuses("--quick")
    assert {name: status for name, status in statuses.items() if status != "pass"} == {"startup.starts": "skip"}
    assert project.command("stop")[0] == 0
    # Nothing serves, and nothing should: the environment alone can be judged.
    statuses = project.statuses("--quick")
    assert {name.split(".")[0] for name, status in statuses.items() if status == "skip"} == {"startup", "health"}


def test_a_server_on_the_console_of_its_terminal_is_found(project: Project) -> None:
    seen = project.trial("attached", NATIVE)
    assert {status for status, _ in seen.values()} == {"fail"}, seen
    assert "and the server with it" in seen["native.survives-terminal"][1]
    assert "and the server with it" in seen["native.survives-editor"][1]
    assert "it is one of them" in seen["native.detached"][1]


def test_a_server_in_the_job_of_its_editor_is_found(project: Project) -> None:
    [(status, evidence)] = project.trial("confined", NATIVE[1:2]).values()
    assert status == "fail"
    assert "and the server with it" in evidence


def test_a_monitor_that_gives_up_is_found(project: Project) -> None:
    seen = project.trial("gives-up", MONITOR)
    assert {status for status, _ in seen.values()} == {"fail"}, seen


@pytest.mark.parametrize(("fault", "evidence"), [("deserts", "exit code 5"), ("deaf", "not within")])
def test_a_monitor_that_does_not_stop_its_server_is_found(project: Project, fault: str, evidence: str) -> None:
    seen = project.trial(fault, MONITOR)
    assert seen["keepalive.monitors"][0] == "pass", seen
    assert seen["keepalive.graceful"][0] == "fail", seen
    assert evidence in seen["keepalive.graceful"][1]


def test_without_a_fault_the_faulty_manager_passes(project: Project) -> None:
    """What failed above failed because of the fault."""
    for ids in NATIVE[1:2], MONITOR:
        seen = project.trial("none", ids)
        assert {status for status, _ in seen.values()} == {"pass"}, seen
