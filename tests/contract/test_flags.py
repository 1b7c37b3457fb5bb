"""Section 2 of the contract, for every task: who takes `--venv`, who takes `--dry-run`, and that a dry run is dry."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinic import runbook
from tests.contract.test_commands import envelope, invoke, project, venv
from tests.real.patients import fingerprint

__all__ = ["project", "venv"]

# What the task is about: an environment (then --venv), and whether it changes anything (then --dry-run).
RULE = {
    "onboard": ("--venv", "--dry-run"),
    "diagnose": ("--venv",),
    "unblock": ("--venv", "--dry-run"),
    "fix-cfg": ("--venv", "--dry-run"),
    "heal": ("--venv", "--dry-run"),
    "rebuild": ("--venv", "--dry-run"),
    "validate": ("--venv", "--dry-run"),
    "snapshot": ("--venv", "--dry-run"),
    "undo": ("--venv", "--dry-run"),
    "start": ("--venv", "--dry-run"),
    "stop": ("--dry-run",),
    "restart": ("--venv", "--dry-run"),
    "status": (),
    "logs": (),
    "keep-alive": ("--venv", "--dry-run"),
    "production-mode": ("--venv", "--dry-run"),
}
CHANGE = [name for name, flags in RULE.items() if "--dry-run" in flags]


def flags(task: str) -> set[str]:
    """The long flags of a task, as they are typed."""
    (found,) = [each for each in runbook.TASKS if each.name.replace("_", "-") == task]
    names = [name for argument in found.get_arguments() for name in argument.names]
    return {f"--{name.strip('_').replace('_', '-')}" for name in names if len(name) > 1}


def test_every_task_is_in_the_table() -> None:
    assert {task.name.replace("_", "-") for task in runbook.TASKS} == set(RULE)


@pytest.mark.parametrize("task", RULE)
def test_the_rule_of_the_flags(task: str) -> None:
    told = flags(task)
    assert "--json" in told
    assert told & {"--venv", "--dry-run"} == set(RULE[task])


@pytest.mark.parametrize("dry", ["--dry-run", "--dry"])
@pytest.mark.parametrize("task", CHANGE)
def test_a_dry_run_is_dry(project: Path, venv: Path, task: str, dry: str) -> None:
    """Of a healthy environment: nothing below the project changes, and the plan is what is told."""
    lock = project.parent / "requirements" / "bridge.txt"
    lock.parent.mkdir()
    (project.parent / "ai").mkdir()  # the service's folder, without which no start is planned
    lock.write_text("", encoding="utf-8")
    place = ["--venv", str(venv)] if "--venv" in RULE[task] else []
    before = fingerprint(project.parent)
    words = ["-f", str(project), task, *place, "--json"]
    told = envelope(invoke(*([dry, *words] if dry == "--dry" else [*words, dry])))
    assert fingerprint(project.parent) == before
    if task in {"undo", "fix-cfg"}:  # a healthy environment without a repair on record
        assert told["outcome"] == "unchanged"
    else:
        assert told["outcome"] == "planned", told["errors"]
        assert "plan" in told["data"]


@pytest.mark.parametrize("words", [("validate", "--quick", "--junit={folder}/report.xml"), ("diagnose", "--archive")])
def test_a_dry_look_writes_no_document(project: Path, venv: Path, words: tuple[str, ...]) -> None:
    before = fingerprint(project.parent)
    filled = [word.format(folder=project.parent) for word in words]
    told = envelope(invoke("--dry", "-f", project, *filled, "--venv", venv, "--json"))
    assert told["exit_code"] in {0, 1}
    assert fingerprint(project.parent) == before


def test_onboard_makes_the_environment_that_is_named(project: Path) -> None:
    place = project.parent / "another"
    told = envelope(invoke("-f", project, "onboard", "--venv", place, "--dry-run", "--json"))
    assert told["data"]["plan"][0].startswith(f"build {place} from")
