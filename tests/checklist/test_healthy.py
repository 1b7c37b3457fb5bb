"""The whole checklist on a healthy system: every id of the contract passes, the live server is not disturbed."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from clinic import flow
from clinic.checklist import GROUPS, TITLES, Checklist, keepalive, native, shadow, stage
from clinic.model import CheckResult
from clinic.service.table import everyone
from tests.service.conftest import command_of
from tests.ways.project import Project

ROOT = Path(__file__).resolve().parents[2]


def test_every_id_passes(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    live = project.start()
    # What a person has set for the live server must not reach the shadows: they would work on the live one's port.
    monkeypatch.setenv("INVOKE_CLINIC_SERVICE_PORT", str(project.settings.service.port))
    before = project.settings.service.pid_file.read_bytes()
    begun: list[str] = []
    seen: list[CheckResult] = []
    result = flow.validate(project.settings, on_start=begun.append, on_result=seen.append)
    checks: tuple[CheckResult, ...] = result.data["checks"]
    assert [(check.id, check.status) for check in checks] == [(name, "pass") for name in TITLES], checks
    assert (result.outcome, result.exit_code) == ("healthy", 0)
    assert begun == list(TITLES)
    assert seen == list(checks)
    assert project.status().pid == live.pid
    assert project.settings.service.pid_file.read_bytes() == before
    assert leftovers(project) == []
    assert project.records.joinpath("snapshots").is_dir(), "a green checklist records the known-good state"


@pytest.mark.skipif(os.name == "nt", reason="no signal is ignored by what a program inherits")
def test_begun_behind_nohup_or_in_the_background_it_is_no_other(project: Project) -> None:
    """What is deaf to Ctrl+C and the hang-up gives that on to all it starts; the played terminal takes it back."""
    numbers = (signal.SIGINT, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    todo = Checklist()
    try:
        with shadow.made(project.settings, project.venv) as twin:
            todo.run("native.survives-terminal", lambda: native.survives_terminal(twin))
        with shadow.made(project.settings, project.venv) as twin, keepalive.watched(twin) as window:
            stage.until(lambda: "answers" in window.shown(), 10)
            todo.run("keepalive.graceful", lambda: keepalive.graceful(twin, window))
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    assert [check.status for check in todo.results] == ["pass", "pass"], todo.results


def leftovers(project: Project) -> list[int]:
    """Processes other than the live server that run from this environment, or from a shadow's folder."""
    mine = {os.getpid(), project.status().pid}
    rows = [row for row in everyone() if row.identity.pid not in mine and row.state != "Z"]
    return [row.identity.pid for row in rows if str(project.venv) in command_of(row.identity.pid)]


def test_quick_starts_no_shadow(project: Project) -> None:
    live = project.start()
    checks: tuple[CheckResult, ...] = flow.validate(project.settings, quick=True).data["checks"]
    assert {check.id.split(".")[0] for check in checks} == {"startup", "health", "venv"}
    assert {check.id: check.status for check in checks if check.status != "pass"} == {"startup.starts": "skip"}
    assert project.status().pid == live.pid


def test_without_a_server_quick_skips_what_it_cannot_try(project: Project) -> None:
    checks: tuple[CheckResult, ...] = flow.validate(project.settings, quick=True).data["checks"]
    skipped = [check for check in checks if check.status == "skip"]
    assert {check.id.split(".")[0] for check in skipped} == {"startup", "health"}
    assert all(check.evidence for check in skipped)


def test_ids_and_groups_are_those_of_the_readme() -> None:
    assert all(re.fullmatch(r"[a-z]+\.[a-z0-9-]+", name) for name in TITLES)
    assert len(TITLES) == 18
    assert {name.split(".")[0] for name in TITLES} == set(GROUPS)
